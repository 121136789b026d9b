"""Each law is broken on purpose by a method that is wrong in one way, and found by exactly that
law.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Self

import pytest
import torch
from torch import Tensor

from scbench.engines.tiny import tiny
from scbench.exam.laws import LAWS, examine
from scbench.kernels import Partial, causal, full
from scbench.kv import (
    DenseStore,
    DenseTail,
    LayerCache,
    LayerShape,
    LayerView,
    Read,
    Slots,
    Store,
)
from scbench.kv.snapshot import stored
from scbench.kv.tail import newest
from scbench.kv.tiers import TieredStore
from scbench.methods import parse
from scbench.methods.compression.streaming_llm import StreamingLLM
from scbench.methods.contract import Codec, Eviction, Generation, OnDevice, Placing
from scbench.methods.loading.tier import Tier
from scbench.methods.method import Method

engine = cache(tiny)
stage = dataclass(frozen=True, slots=True, kw_only=True)


@stage
class Half(Eviction):
    """Honest: keeps the first half. The broken evictions below differ from it in one thing each."""

    name = "half"

    def own_tokens(self) -> int:
        return 115

    def keep(self, view: LayerView) -> list[Tensor]:
        return [
            torch.arange(min(self.budget(view.tokens), view.tokens))
            for _ in range(view.k_HSD.shape[0])
        ]


@stage
class NeverWhole(Half):
    def lossless(self, tokens: int) -> Self:
        return self


@stage
class Understated(Half):
    def kept_slots(self, *, layer: int, layers: int, tokens: int) -> int:
        return min(self.budget(tokens), tokens) - 1


@stage
class Backwards(Half):
    def keep(self, view: LayerView) -> list[Tensor]:
        return [slots.flip(0) for slots in Half.keep(self, view)]


@stage
class Forgetful(Half):
    """Ranks the newest slots inf, and keeps the first half all the same."""

    def rank(self, view: LayerView) -> Tensor:
        ranks_HS = torch.zeros(view.k_HSD.shape[:2])
        ranks_HS[:, -8:] = float("inf")
        return ranks_HS


@stage
class Scribbling(Half):
    def keep(self, view: LayerView) -> list[Tensor]:
        with (
            torch.inference_mode()
        ):  # outside of it torch itself refuses to write what a read has made
            view.k_HSD[:, -1] = 0.0
        return Half.keep(self, view)

    def lossless(self, tokens: int) -> Half:  # type: ignore[override]
        return Half(budget_tokens=tokens)


@stage
class Views(Codec):
    """A 'codec' that holds a slice of the whole cache and counts the slice only."""

    name = "views"

    def encode(self, slots: Slots) -> LayerCache:
        cut = slice(0, 115)
        store = DenseStore(slots.k_HSD[:, cut], slots.v_HSD[:, cut])
        return LayerCache((store,), DenseTail())

    def coded_bytes(self, *, shape: LayerShape, slots: int) -> int:
        return 2 * shape.kv_heads * shape.head_dim * shape.dtype_bytes * (slots - 115)

    def lossless(self, tokens: int) -> Whole:  # type: ignore[override]
        return Whole()


class LeakyTail(DenseTail):
    """Lets the tokens of one forward see each other, later ones included."""

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        return Read(full(q_HGTD, self.k_HSD, self.v_HSD, scale=scale), 0)

    def fork(self) -> LeakyTail:
        child = LeakyTail(capacity_tokens=self.slots + 32)
        if self.slots:
            child.append(self.k_HSD, self.v_HSD)
        return child


@stage
class Whole(Codec):
    """Honest: everything as it came."""

    name = "whole"

    def encode(self, slots: Slots) -> LayerCache:
        return stored(slots)

    def coded_bytes(self, *, shape: LayerShape, slots: int) -> int:
        return 2 * shape.kv_heads * shape.head_dim * shape.dtype_bytes * slots


@stage
class Clairvoyant(Whole):
    def encode(self, slots: Slots) -> LayerCache:
        return LayerCache(stored(slots).stores, LeakyTail())

    def lossless(self, tokens: int) -> Whole:  # type: ignore[override]
        return Whole()


@stage
class ForgetsChunks(Generation):
    """A token sees the tokens of its own chunk only."""

    name = "forgets-chunks"

    def attend(
        self,
        q_HGTD: Tensor,
        k_HSD: Tensor,
        v_HSD: Tensor,
        *,
        layer: int,
        scale: float,
        total_tokens: int,
    ) -> Partial:
        tokens = q_HGTD.shape[2]
        return causal(q_HGTD, k_HSD[:, -tokens:], v_HSD[:, -tokens:], scale=scale)


@stage
class CountsTwice(Generation):
    """Dense, but that its log-sum-exp is that of two keys for each."""

    name = "counts-twice"

    def attend(
        self,
        q_HGTD: Tensor,
        k_HSD: Tensor,
        v_HSD: Tensor,
        *,
        layer: int,
        scale: float,
        total_tokens: int,
    ) -> Partial:
        part = newest(q_HGTD, k_HSD, v_HSD, scale=scale).partial
        return Partial(part.out, part.lse + math.log(2))


class Wrapped:
    """A store that reads another."""

    def __init__(self, base: Store) -> None:
        self.base, self.last_tokens = base, 0

    def tensors(self) -> dict[str, Tensor]:
        return self.base.tensors()

    def positions(self, head: int) -> Tensor:
        return self.base.positions(head)

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        return self.base.attend(q_HGTD, scale=scale)


class Writes(Wrapped):
    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        self.base.tensors()["k"][0, 0, 0] *= 1 + 1e-6
        return super().attend(q_HGTD, scale=scale)


class Remembers(Wrapped):
    """Answers a request of 17 tokens differently right after one of 11."""

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        tokens, before = q_HGTD.shape[2], self.last_tokens
        self.last_tokens = tokens
        return self.base.attend(q_HGTD * 2 if (before, tokens) == (11, 17) else q_HGTD, scale=scale)


class SharesAmongRows(Wrapped):
    """The more query tokens come together, the less each gets."""

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        return self.base.attend(q_HGTD, scale=scale / q_HGTD.shape[2])


class SumsQueries(Wrapped):
    """Reads for all query tokens what suits their sum, as the published Quest does with their
    signs.
    """

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        return self.base.attend(q_HGTD + q_HGTD.sum(dim=2, keepdim=True), scale=scale)


@stage
class Forges(StreamingLLM):
    """Holds, at the positions it kept, a value of another slot."""

    def cache(self, view: LayerView, kept: list[Tensor]) -> LayerCache:
        slots = view.pick(kept)
        slots.v_HSD[:, 0] = view.v_HSD[:, view.tokens // 2]
        return stored(slots)


def loading(kind: type[Wrapped]) -> Placing:
    @stage
    class Crooked(Placing):
        def place_all(
            self, layers: Sequence[tuple[Store, ...]], *, is_chosen: Sequence[bool]
        ) -> list[tuple[Store, ...]]:
            return [tuple(kind(store) for store in stores) for stores in layers]

        def lossless(self, tokens: int) -> OnDevice:  # type: ignore[override]
            return OnDevice()

    Crooked.name = kind.__name__
    return Crooked()


class HaulingStore(TieredStore):
    """Asked for rows, it moves all there is and hands on the rows."""

    def take_rows(self, rows_U: Tensor) -> tuple[Tensor, Tensor]:
        k_HSD, v_HSD = self.take()
        return k_HSD.flatten(0, 1)[rows_U], v_HSD.flatten(0, 1)[rows_U]


@stage
class Hauls(Tier):
    name = "hauls"

    def place_all(
        self, layers: Sequence[tuple[Store, ...]], *, is_chosen: Sequence[bool]
    ) -> list[tuple[Store, ...]]:
        fetcher = ThreadPoolExecutor(max_workers=1)
        return [
            tuple(
                HaulingStore(store, "host", fetcher)
                for store in stores
                if isinstance(store, DenseStore)
            )
            for stores in layers
        ]


BROKEN = {
    "a step moves what it chose, and nothing else": [
        Method(loading=parse("quest[tau=1/4]").loading, tier=Hauls())
    ],
    "a full budget equals dense": [Method(compression=(NeverWhole(),))],
    "a pattern's log-sum-exp is that of the keys its rows read": [Method(generation=CountsTwice())],
    "bytes held are those of the formula, and of the storages": [
        Method(compression=(Understated(),)),
        Method(compression=(Views(),)),
    ],
    "a fork never changes its base": [
        Method(compression=(Scribbling(),)),
        Method(tier=loading(Writes)),
    ],
    "requests do not depend on their order": [Method(tier=loading(Remembers))],
    "a later token never changes an earlier one": [Method(compression=(Clairvoyant(),))],
    "chunks equal one piece": [Method(generation=ForgetsChunks())],
    "packing streams equals running each alone": [Method(tier=loading(SharesAmongRows))],
    "held positions are distinct, in order and before the next token": [
        Method(compression=(Backwards(),))
    ],
    "what is protected stays, whatever the budget": [Method(compression=(Forgetful(),))],
    "evicted entries have no influence, kept ones have": [
        Method(compression=(Forges(budget_tokens=60),))
    ],
}
CASES = [
    pytest.param(law, method, id=f"{law}: {at}")
    for law, methods in BROKEN.items()
    for at, method in enumerate(methods)
]


@stage
class Bare(Generation):
    """A pattern that returns its output alone."""

    name = "bare"

    def attend(  # type: ignore[override]
        self, q_HGTD: Tensor, *given: Tensor, **words: object
    ) -> Tensor:
        return q_HGTD


def test_a_pattern_that_returns_a_bare_tensor_is_told_what_to_return() -> None:
    found = examine(engine("gqa"), Method(generation=Bare()))
    said = found["a pattern's log-sum-exp is that of the keys its rows read"]
    assert said.startswith("broken: bare.attend returns Tensor; it must return")
    assert "scbench.kernels.Partial" in said


def test_every_law_has_a_method_that_breaks_it() -> None:
    assert set(BROKEN) == set(LAWS)


@pytest.mark.parametrize(("law", "method"), CASES)
def test_a_broken_method_is_found_by_exactly_its_law(law: str, method: Method) -> None:
    found = examine(engine("gqa"), method)
    assert {statement for statement, verdict in found.items() if verdict.startswith("broken")} == {
        law
    }, found


def test_summing_the_queries_of_a_block_is_found_by_two_laws() -> None:
    found = examine(engine("gqa"), Method(tier=loading(SumsQueries)))
    assert {statement for statement, verdict in found.items() if verdict.startswith("broken")} == {
        "a later token never changes an earlier one",
        "packing streams equals running each alone",
    }


@pytest.mark.parametrize(
    "honest",
    [Method(compression=(Half(),)), Method(compression=(Whole(),)), parse("quest[tau=1/4]")],
)
def test_the_honest_relatives_of_the_broken_methods_keep_every_law(honest: Method) -> None:
    assert not [
        verdict
        for verdict in examine(engine("gqa"), honest).values()
        if verdict.startswith("broken")
    ]
