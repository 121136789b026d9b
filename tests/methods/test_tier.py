"""Offload as a method: the answers are dense, and every decode step says what it moved."""

from __future__ import annotations

import pytest
import torch

from scbench.engines.contract import Feed
from scbench.engines.tiny import tiny
from scbench.errors import Mismatch
from scbench.kv.tiers import TieredStore
from scbench.methods import parse
from scbench.methods.fork import fork


@pytest.mark.parametrize("at", ["host", "disk"])
def test_a_decode_step_moves_the_whole_store_and_a_prompt_is_not_counted(at: str) -> None:
    engine = tiny("gqa")
    snapshot = engine.read(list(range(40, 100)))
    stream, dense = fork(snapshot, parse(f"tier[at={at}]")), fork(snapshot, parse("dense"))
    for ids in ((5, 6, 7), (8,), (9,)):
        ours, wanted = engine.advance([Feed(stream, ids)]), engine.advance([Feed(dense, ids)])
        torch.testing.assert_close(ours, wanted)
    assert stream.steps == 2
    assert stream.moved_bytes == 2 * engine.facts.shape.dense_bytes(60)
    assert stream.loaded_bytes == dense.loaded_bytes
    assert dense.moved_bytes == 0


def test_layers_of_a_stream_fetch_each_other_in_order() -> None:
    engine = tiny("gqa")
    stream = fork(engine.read(list(range(40, 60))), parse("tier"))
    stores = [cache.stores[0] for cache in stream.layers.values()]
    assert all(isinstance(store, TieredStore) for store in stores)
    for one, after in zip(stores, [*stores[1:], None], strict=True):
        assert one.next is after  # type: ignore[attr-defined]


def test_every_piece_of_a_prefix_is_moved() -> None:
    engine = tiny("gqa")
    first = engine.read(list(range(40, 60)))
    both = engine.read(list(range(60, 70)), base=first)
    stream, dense = fork(both, parse("tier")), fork(both, parse("dense"))
    assert [len(cache.stores) for cache in stream.layers.values()] == [
        len(cache.stores) for cache in dense.layers.values()
    ]
    torch.testing.assert_close(
        engine.advance([Feed(stream, (9,))]), engine.advance([Feed(dense, (9,))])
    )
    assert stream.moved_bytes == engine.facts.shape.dense_bytes(30)


def test_an_empty_cache_has_nothing_to_move() -> None:
    placed = parse("tier").tier.place_all([(), ()], is_chosen=[False, False])
    assert placed == [(), ()]


def test_codes_stay_where_they_are() -> None:
    with pytest.raises(Mismatch):
        parse("kivi+tier")
