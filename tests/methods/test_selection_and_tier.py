"""A selection over a slower tier: the answers of the selection alone, and only chosen rows move."""

from __future__ import annotations

from functools import cache

import pytest
import torch

from scbench.engines.contract import Feed
from scbench.engines.local import LocalEngine
from scbench.engines.tiny import tiny
from scbench.errors import Mismatch
from scbench.exam.laws import context
from scbench.kv import DenseStore, SelectedStore, Snapshot, Stream
from scbench.kv.store import nbytes
from scbench.kv.tiers import TieredStore, chained
from scbench.methods import parse
from scbench.methods.fork import fork
from scbench.methods.loading.exact_topk import KeyDigest
from scbench.methods.loading.quest import page_bounds, page_extremes

engine = cache(tiny)
HEADS = ("mha", "gqa", "mqa")
SELECTIONS = (
    "quest[tau=1/8]",
    "quest[tau=1/2,exempt_layers=1]",
    "exact-topk[tau=1/8]",
    "exact-topk[tau=1/8,granularity=query_head]",
    "retrieval-attention[tau=1/8]",
    "retroinfer[tau=1/4]",
)


@cache
def snapshot(heads: str) -> Snapshot:
    return engine(heads).read(context())


def opened(heads: str, spelling: str) -> Stream:
    return fork(snapshot(heads), parse(spelling))


def logits(local: LocalEngine, stream: Stream) -> torch.Tensor:
    pieces = (tuple(range(40, 57)), (7,), (8,))
    return torch.stack([local.advance([Feed(stream, ids)])[0] for ids in pieces])


@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize("at", ["host", "disk"])
@pytest.mark.parametrize("selection", SELECTIONS)
def test_a_tier_changes_no_bit_of_what_a_selection_reads(
    heads: str, at: str, selection: str
) -> None:
    local = engine(heads)
    alone, moved = opened(heads, selection), opened(heads, f"{selection}+tier[at={at}]")
    assert torch.equal(logits(local, alone), logits(local, moved))
    assert alone.moved_bytes == 0
    assert 0 < moved.moved_bytes < 2 * snapshot(heads).held_bytes()  # in two steps


@pytest.mark.parametrize("heads", HEADS)
def test_at_its_full_budget_the_pair_is_dense_bit_for_bit(heads: str) -> None:
    local = engine(heads)
    dense = logits(local, opened(heads, "dense"))
    for spelling in ("tier", "quest[budget_tokens=230]", "quest[budget_tokens=230]+tier"):
        assert torch.equal(logits(local, opened(heads, spelling)), dense)


@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize("at", ["host", "disk"])
def test_a_step_of_quest_moves_its_pages_and_no_more(heads: str, at: str) -> None:
    """230 slots in pages of 8: 28 whole ones and one of 6, which is always read. A budget of 40
    reads four of the others too, 38 slots in each KV head of each layer."""
    local = engine(heads)
    stream = opened(heads, f"quest[budget_tokens=40,page_tokens=8]+tier[at={at}]")
    held_bytes, shape = stream.held_bytes(), local.facts.shape
    local.advance([Feed(stream, (40, 41, 42))])
    assert stream.moved_bytes == 0  # no decode step
    layers = len(shape.attention_layers)
    step_bytes = layers * shape.kv_heads * 38 * 2 * shape.head_dim * 4
    for step in (1, 2, 3):
        local.advance([Feed(stream, (50 + step,))])
        assert stream.moved_bytes == step * step_bytes
    assert step_bytes < held_bytes / 5
    bounds_bytes = layers * shape.kv_heads * 29 * 2 * shape.head_dim * 4
    assert held_bytes == shape.dense_bytes(230) + bounds_bytes
    assert held_bytes == parse("quest[budget_tokens=40,page_tokens=8]+tier").held_bytes(
        shape=shape, tokens=230
    )


def test_what_moves_are_the_rows_of_the_best_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted from the query and the keys, by nothing that the tier or the selection computes."""
    generator = torch.Generator().manual_seed(1)
    k_HSD, v_HSD = (torch.randn(2, 50, 8, generator=generator) for _ in range(2))
    q_HGTD = torch.randn(2, 2, 1, 8, generator=generator)
    digest = parse("quest[budget_tokens=16,page_tokens=4]").loading.digest(
        DenseStore(k_HSD, v_HSD).slots, layer=0
    )
    assert digest is not None
    (tiered,) = chained([DenseStore(k_HSD, v_HSD)], "host")
    taken: list[torch.Tensor] = []
    take_rows = tiered.take_rows

    def noted(rows_U: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        taken.append(rows_U)
        return take_rows(rows_U)

    monkeypatch.setattr(tiered, "take_rows", noted)
    read = SelectedStore(tiered, digest).attend(q_HGTD, scale=0.3)
    bounds_HP = page_bounds(q_HGTD, *page_extremes(k_HSD, 4))[:, 0]
    wanted = set()
    for head in range(2):
        best = bounds_HP[head, :-1].topk(3).indices.tolist()
        wanted |= {head * 50 + at for at in range(50) if at // 4 in {*best, 12}}
    assert set(taken[0].tolist()) == wanted
    assert read.moved_by(0) == len(wanted) * 2 * 8 * 4
    assert read.loaded_by(0) == read.moved_by(0) + nbytes(digest.tensors().values())


def test_streams_that_share_a_store_count_what_each_chose_as_if_alone() -> None:
    local, spelling = engine("gqa"), "exact-topk[tau=1/8,granularity=query_head]+tier"
    base = opened("gqa", spelling)
    streams = [base.fork() for _ in range(3)]
    for at, stream in enumerate(streams):
        local.advance([Feed(stream, (40 + 7 * at, 50 + at))])
    alone = [stream.fork() for stream in streams]
    local.advance([Feed(stream, (9 + at,)) for at, stream in enumerate(streams)])
    for at, stream in enumerate(alone):
        local.advance([Feed(stream, (9 + at,))])
    assert [one.moved_bytes for one in streams] == [one.moved_bytes for one in alone]
    assert len({one.moved_bytes for one in alone}) > 1


def test_a_layer_that_is_asked_for_rows_is_never_fetched_ahead() -> None:
    stream = opened("gqa", "quest[tau=1/2,exempt_layers=1]+tier")
    first, *others = (cache.stores[0] for cache in stream.layers.values())
    assert isinstance(first, TieredStore)  # exempt: read whole
    assert first.next is None
    bases = [one.base for one in others if isinstance(one, SelectedStore)]
    assert len(bases) == len(others)
    engine("gqa").advance([Feed(stream, (9,))])
    assert all(base._coming is None for base in bases if isinstance(base, TieredStore))


@pytest.mark.parametrize("selection", SELECTIONS)
def test_a_digest_stays_on_the_device_and_shares_nothing_with_what_moved(selection: str) -> None:
    stream = opened("gqa", f"{selection}+tier")
    device = engine("gqa").device
    kept = {
        x.untyped_storage().data_ptr()
        for one in snapshot("gqa").layers.values()
        for x in (one[0].slots.k_HSD, one[0].slots.v_HSD)
    }
    for store in stream.stores():
        if isinstance(store, SelectedStore):
            for x in store.digest.tensors().values():
                assert x.device == device
                assert x.untyped_storage().data_ptr() not in kept


def test_an_oracle_over_a_tier_holds_its_keys_twice_and_says_so() -> None:
    stream, shape = opened("gqa", "exact-topk[tau=1/8]+tier"), engine("gqa").facts.shape
    keys_bytes = shape.dense_bytes(230) // 2
    assert stream.held_bytes() == shape.dense_bytes(230) + keys_bytes
    digests = [one.digest for one in stream.stores() if isinstance(one, SelectedStore)]
    assert all(isinstance(digest, KeyDigest) and digest.is_detached for digest in digests)


def test_two_of_a_kind_are_refused_and_one_of_each_is_not() -> None:
    assert str(parse("tier+quest[tau=1/8]")) == "quest[tau=1/8]+tier"
    with pytest.raises(Mismatch, match="two loading stages"):
        parse("quest+exact-topk")
    with pytest.raises(Mismatch, match="two tier stages"):
        parse("tier+tier[at=disk]")
