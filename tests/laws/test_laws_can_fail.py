"""Each law is broken on purpose by a method that is wrong in one way, and found by exactly that
law.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any, ClassVar, Self

import pytest
import torch
from torch import Tensor

from scbench.engines.blend import Blender
from scbench.engines.local import LocalEngine
from scbench.engines.observe import Observer
from scbench.engines.packed import ReadPass
from scbench.engines.tiny import tiny
from scbench.exam.laws import LAWS, Broken, examine
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
from scbench.kv.chosen import ChosenSlots
from scbench.kv.pool import chain
from scbench.kv.snapshot import stored
from scbench.kv.tail import newest
from scbench.kv.tiers import TieredStore
from scbench.methods import parse
from scbench.methods.compression.streaming_llm import StreamingLLM
from scbench.methods.contract import (
    Codec,
    Eviction,
    Generation,
    LoadAll,
    OnDevice,
    Placing,
    Selection,
)
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


@stage
class Shrinks(StreamingLLM):
    """Holds keys of half their size."""

    def cache(self, view: LayerView, kept: list[Tensor]) -> LayerCache:
        slots = view.pick(kept)
        slots.k_HSD.mul_(0.5)
        return stored(slots)


class SharedTail(DenseTail):
    """Once it holds something, it is its own fork."""

    def fork(self) -> DenseTail:
        return self if self.slots else SharedTail()


@stage
class Shares(Whole):
    def encode(self, slots: Slots) -> LayerCache:
        return LayerCache(stored(slots).stores, SharedTail())

    def lossless(self, tokens: int) -> Whole:  # type: ignore[override]
        return Whole()


@stage
class Pairs(Whole):
    """Of an odd number of slots the last one is written down wrongly."""

    def encode(self, slots: Slots) -> LayerCache:
        k_HSD, v_HSD = slots.k_HSD.clone(), slots.v_HSD.clone()
        if slots.most % 2:
            v_HSD[:, -1] = -v_HSD[:, -1]
        return stored(Slots.even(k_HSD, v_HSD))


@stage
class Carries(Whole):
    """What is coded is mixed with what was coded before it, in another session too."""

    before: ClassVar[dict[str, Tensor]] = {}

    def encode(self, slots: Slots) -> LayerCache:
        old = self.before.get("v", slots.v_HSD)
        self.before["v"] = slots.v_HSD
        v_HSD = slots.v_HSD + (old if old.shape == slots.v_HSD.shape else 0)
        return stored(Slots.even(slots.k_HSD, v_HSD))

    def lossless(self, tokens: int) -> Whole:  # type: ignore[override]
        return Whole()


class Rounds(Wrapped):
    """Hands on values in 8 bits."""

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        read = self.base.attend(q_HGTD, scale=scale)
        coarse = (read.partial.out * 16).round() / 16
        return Read(Partial(coarse, read.partial.lse), read.loaded_bytes, read.moved_bytes)


@stage
class Greedy(Eviction):
    """Keeps a slot more than it was asked for, and says so."""

    name = "greedy"

    def rank(self, view: LayerView) -> Tensor:
        return torch.zeros(view.k_HSD.shape[:2])

    def kept_slots(self, *, layer: int, layers: int, tokens: int) -> int:
        return min(self.budget(tokens) + 1, tokens)


class FickleDigest:
    """Chooses other slots whenever it is asked."""

    def __init__(self) -> None:
        self.calls = 0

    def choose(self, q_HGTD: Tensor, *, scale: float) -> ChosenSlots:
        self.calls += 1
        heads, _, tokens, _ = q_HGTD.shape
        slots = (torch.arange(60) + 60 * (self.calls % 2)).expand(heads, 1, tokens, -1)
        return ChosenSlots(slots, rows_T=[heads * 60] * tokens)

    def tensors(self) -> dict[str, Tensor]:
        return {}

    def detached(self) -> FickleDigest:
        return self


@stage
class Fickle(Selection):
    name = "fickle"

    def digest(self, slots: Slots, *, layer: int) -> FickleDigest:
        return FickleDigest()

    def lossless(self, tokens: int) -> LoadAll:  # type: ignore[override]
        return LoadAll()


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
    "an eviction is dense attention with what it dropped masked by hand": [
        Method(compression=(Shrinks(budget_tokens=60),))
    ],
    "siblings of a tail that has grown do not see each other": [Method(compression=(Shares(),))],
    "what is appended in pieces is what is appended at once": [
        Method(tier=loading(SharesAmongRows))
    ],
    "lengths beside a multiple of every block lose nothing either": [
        Method(compression=(Pairs(),))
    ],
    "a session's result does not depend on those before it": [Method(compression=(Carries(),))],
    "a slower tier hands on what it was given": [Method(tier=loading(Rounds))],
    "held at most the asked share": [Method(compression=(Greedy(tau=Fraction(1, 4)),))],
    "a step reads what was chosen, and nothing else": [Method(loading=Fickle())],
}
# Laws that see more than one thing: other words for the same fault, or for what follows from it.
PACKED = "packing streams equals running each alone"
PIECES = "what is appended in pieces is what is appended at once"
TIERED = "a slower tier hands on what it was given"
EVICTED = "evicted entries have no influence, kept ones have"
MASKED = "an eviction is dense attention with what it dropped masked by hand"
ALSO: dict[str, set[str]] = {
    "a full budget equals dense": {"lengths beside a multiple of every block lose nothing either"},
    PACKED: {TIERED, PIECES},
    PIECES: {TIERED, PACKED},
    EVICTED: {MASKED},
    MASKED: {EVICTED},
    "a step reads what was chosen, and nothing else": {
        "a later token never changes an earlier one",
        "requests do not depend on their order",
        "siblings of a tail that has grown do not see each other",
        PIECES,
    },
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


# What a method cannot do wrong, since the engine, a pool or a blend does it: each with a line of
# ours made wrong for a moment.
PATCHED = {
    "dense is the model's own attention, cached or not": "dense",
    "what follows a context stands right after it, held or not": "streaming-llm[tau=1/4]",
    "the first token after a query-aware compression is dense's": "snapkv[tau=1/4]",
    "what a pool hands back is what a fresh read gives": "prefix",
    "keys of every reused chunk are turned to where they stand": "cacheblend[tau=1/4]",
}


def test_every_law_has_a_method_that_breaks_it() -> None:
    assert set(BROKEN) | set(PATCHED) == set(LAWS)


@pytest.mark.parametrize(("law", "method"), CASES)
def test_a_broken_method_is_found_by_its_law(law: str, method: Method) -> None:
    with pytest.raises(Broken):
        LAWS[law](engine("gqa"), method)


@pytest.mark.slow
@pytest.mark.parametrize(("law", "method"), CASES)
def test_a_broken_method_is_found_by_no_law_of_another_thing(law: str, method: Method) -> None:
    found = examine(engine("gqa"), method)
    broken = {statement for statement, verdict in found.items() if verdict.startswith("broken")}
    assert law in broken
    assert broken - {law} <= ALSO.get(law, set()), found


def test_logits_that_are_not_the_models_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    forward = LocalEngine._forward
    monkeypatch.setattr(LocalEngine, "_forward", lambda self, *words: forward(self, *words) * 1.01)
    _need_broken("dense is the model's own attention, cached or not")


def test_positions_by_stored_slots_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    forward = LocalEngine._forward

    def crooked(self: LocalEngine, batch: Any, ids: Any, at: Any, rows: Any, stream: Any) -> Tensor:
        short = range(at[0] - 100, at[0] - 100 + len(at)) if at[0] > 200 else at
        return forward(self, batch, ids, short, rows, stream)

    monkeypatch.setattr(LocalEngine, "_forward", crooked)
    _need_broken("what follows a context stands right after it, held or not")


def test_a_read_that_its_observations_move_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def moves(self: Any, layer: int, q_HGTD: Tensor, *rest: Any) -> None:
        q_HGTD.mul_(1.5)
        see(self, layer, q_HGTD, *rest)

    see = Observer.see
    attend = ReadPass.attend
    monkeypatch.setattr(Observer, "see", moves)
    monkeypatch.setattr(
        ReadPass,
        "attend",
        lambda self, layer, q, k, v, scale: attend(
            self, layer, q * (1.5 if self.observer.needs else 1.0), k, v, scale
        ),
    )
    _need_broken("the first token after a query-aware compression is dense's")


def test_a_pool_that_knows_blocks_by_their_tokens_alone_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def alone(ids: Sequence[int], block_tokens: int, before: bytes) -> list[bytes]:
        runs = range(0, len(ids) - block_tokens + 1, block_tokens)
        return [bytes(f"{list(ids[at : at + block_tokens])}", "ascii") for at in runs]

    monkeypatch.setattr(chain, "links", alone)
    _need_broken("what a pool hands back is what a fresh read gives")


def test_chunks_that_keep_the_angles_of_their_own_read_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    side_by_side = Blender.moved

    def still(self: Blender, k_HSD: Tensor, start: int, stop: int) -> Tensor:
        return side_by_side(self, k_HSD, start, 0 if start == 0 and len(k_HSD[0]) > 24 else stop)

    monkeypatch.setattr(Blender, "moved", still)
    _need_broken("keys of every reused chunk are turned to where they stand")


def _need_broken(law: str) -> None:
    with pytest.raises(Broken):
        LAWS[law](engine("gqa"), parse(PATCHED[law]))


@pytest.mark.parametrize(
    "law",
    ["a later token never changes an earlier one", "packing streams equals running each alone"],
)
def test_summing_the_queries_of_a_block_is_found_by_two_laws(law: str) -> None:
    with pytest.raises(Broken):
        LAWS[law](engine("gqa"), Method(tier=loading(SumsQueries)))


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
