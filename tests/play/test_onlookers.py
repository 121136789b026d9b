"""Who looks on while an answer is decoded marks every slot that was read, and finds the keys of
what is wanted in whichever store they lie."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from test_evidence import AFTER_CONTEXT, engine, play

from scbench.engines.contract import Feed
from scbench.kv import ChosenSlots, DenseStore, LayerCache, Stream
from scbench.methods import parse
from scbench.methods.fork import fork
from scbench.methods.loading.plain_choices import named
from scbench.play.gold import without_last
from scbench.play.onlookers import Loads, MassPaid
from scbench.types import Mode

TOKENS = 96
SELECTIONS = (
    "quest[tau=1/4]",
    "retroinfer[tau=1/4]",
    "retrieval-attention[tau=1/4]",
    "exact-topk[tau=1/16]",
)


def text(step: int, tokens: int = TOKENS) -> list[int]:
    return [(step * at) % 90 + 5 for at in range(tokens)]


class Noted(Loads):
    """Loads that keeps what it was told of the newest token of every forward."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.told: list[tuple[int, ChosenSlots, int]] = []

    def chose(self, layer: int, rank: int, chosen: ChosenSlots, rows: range) -> None:
        super().chose(layer, rank, chosen, rows)
        self.told.append((layer, chosen, rows[-1]))


def slots_by_hand(told: list[tuple[int, ChosenSlots, int]], layer: int, head: int) -> set[int]:
    """Slots of the store that a KV head's query heads named, one list after the other."""
    found = set[int]()
    for at, chosen, token in told:
        choices = 1 if chosen.slots_HCTR is None else chosen.slots_HCTR.shape[1]
        for choice in range(choices if at == layer else 0):
            found |= set(named(chosen, head, choice, token))
    return found


@pytest.mark.parametrize("heads", ["mha", "gqa", "mqa"])
@pytest.mark.parametrize("name", SELECTIONS)
def test_all_that_a_selection_reads_is_marked_and_all_that_came_after(
    name: str, heads: str
) -> None:
    local = engine(heads)
    stream, other = (fork(local.read(text(step)), parse(name)) for step in (7, 5))
    kv_heads = [local.facts.shape.kv_heads] * len(stream.layers)
    stream.onlooker = seen = Noted(stream, kv_heads)
    for ids in ([11, 12, 13], [14], [15]):
        local.advance([Feed(other, [9]), Feed(stream, ids)])
    wanted = range(TOKENS + 5)
    loaded_RE = seen.bits(np.ones((sum(kv_heads), len(wanted)), dtype=np.bool_), wanted)
    by_hand = [
        slots_by_hand(seen.told, layer, head) | set(range(TOKENS, TOKENS + 5))
        for layer in stream.layers
        for head in range(kv_heads[0])
    ]
    assert [set(np.flatnonzero(row_E).tolist()) for row_E in loaded_RE] == by_hand
    assert max(map(len, by_hand)) < len(wanted)


def test_choices_of_every_form_were_among_them() -> None:
    """Slots that all tokens read, and lists of which some entries do not count."""
    forms = set[str]()
    for name in SELECTIONS:
        local = engine("gqa")
        stream = fork(local.read(text(7)), parse(name))
        stream.onlooker = seen = Noted(stream, [local.facts.shape.kv_heads] * len(stream.layers))
        local.advance([Feed(stream, [11])])
        for _, chosen, _ in seen.told:
            forms |= {"ranges"} if chosen.ranges else set()
            forms |= {"found"} if chosen.slots_HCTR is not None else set()
            if chosen.inside_HCTR is not None and not chosen.inside_HCTR.all():
                forms |= {"some count"}
    assert forms == {"ranges", "found", "some count"}


def test_what_the_last_token_of_the_prompt_loads_is_loaded_for_the_answer() -> None:
    """Answers of one token: a request's comes of that load, a conversation's first of the read."""
    found, book = play("dense", "exact-topk[tau=1/4]", max_new_tokens=1)
    loaded = {
        mode: book.lines[f"exact-topk[tau=1/4] {mode}", 0].loaded
        for mode in (Mode.MULTI_REQUEST, Mode.MULTI_TURN)
    }
    assert all(one is not None for one in loaded.values())
    counts = {mode: int(one.counts_R.sum()) for mode, one in loaded.items() if one is not None}
    assert counts[Mode.MULTI_REQUEST] > 0
    assert counts[Mode.MULTI_TURN] == 0
    answer = found["exact-topk[tau=1/4]", Mode.MULTI_REQUEST, 0].answer
    assert answer is not None
    assert len(answer.ids) == 1


def test_wanted_keys_are_found_in_whichever_store_they_lie() -> None:
    local, wanted = engine("gqa"), [3, 20, 39, 40, 41, 80]
    whole = local.read(text(7)).fork()
    local.advance([Feed(whole, [11, 12])])
    parted = without_last(whole)
    assert parted is not None
    parted = _in_stores(parted, 40, 41)
    masses = []
    for stream in (without_last(whole), parted):
        assert stream is not None
        stream.onlooker = seen = MassPaid(wanted)
        local.advance([Feed(stream, [12, 13])])
        masses.append(seen.mass())
    assert masses[0] is not None
    assert masses[1] is not None
    np.testing.assert_allclose(masses[1], masses[0], atol=1e-3, rtol=4e-3)
    assert masses[0].shape == (6, 6)
    assert len({tuple(column) for column in masses[0].T.tolist()}) == 6


def _in_stores(stream: Stream, *cuts: int) -> Stream:
    """The same stream with each layer's one store cut into several."""
    for layer, cache in stream.layers.items():
        (store,) = cache.stores
        assert isinstance(store, DenseStore)
        bounds = [0, *cuts, store.k_HSD.shape[1]]
        stores = [
            DenseStore(store.k_HSD[:, a:b], store.v_HSD[:, a:b], first_position=a)
            for a, b in itertools.pairwise(bounds)
        ]
        stream.layers[layer] = LayerCache(tuple(stores), cache.tail)
    return stream


def test_in_a_text_that_lost_some_of_the_evidence_what_counts_is_not_known() -> None:
    """What is left are other tokens than those that dense paid; of what lost all, nothing is."""
    found, _ = play("dense", "llmlingua-2[tau=3/4]", protocol=AFTER_CONTEXT)
    shares = {
        (one.evidence_held, one.evidence_kept)
        for (method, _, _), one in found.items()
        if method != "dense"
    }
    (some,) = {held for held, _ in shares} - {0.0, 1.0}
    assert some is not None
    assert 0 < some < 1
    assert shares == {(0.0, 0.0), (some, None), (1.0, 1.0)}
