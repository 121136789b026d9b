"""The pool finds the longest stored prefix of whole blocks, and forgets what was not used."""

from __future__ import annotations

import pytest
import torch

from scbench.errors import BadConfig, Released
from scbench.kv import CacheShape, DenseStore, Snapshot
from scbench.kv.pool import Pool

SHAPE = CacheShape.even(
    layers=1, attention_layers=(0,), query_heads=1, kv_heads=1, head_dim=2, dtype_bytes=4
)
TOKEN_BYTES = 16


def snapshot(*ids: int) -> Snapshot:
    k, v = (torch.tensor([[[float(token), at] for at, token in enumerate(ids)]]) for _ in range(2))
    return Snapshot(
        shape=SHAPE,
        layers={0: (DenseStore(k, v),)},
        ids=tuple(ids),
        logits_V=torch.zeros(4),
        scales={0: 1.0},
    )


def served(pool: Pool, *ids: int) -> int:
    hit = pool.lookup(ids)
    return 0 if hit is None else hit.tokens


def test_a_hash_covers_everything_before_its_block() -> None:
    pool = Pool(block_tokens=2)
    one, two = pool.hashes([1, 2, 3, 4, 5]), pool.hashes([9, 2, 3, 4, 5])
    assert len(one) == 2  # the fifth token fills no block
    assert one[0] != two[0]
    assert one[1] != two[1]  # the same tokens after another prefix
    assert pool.hashes([1, 2, 7, 7])[0] == one[0]


def test_a_hash_covers_how_the_cache_was_made() -> None:
    assert Pool(block_tokens=2, salt="a").hashes([1, 2]) != Pool(block_tokens=2, salt="b").hashes(
        [1, 2]
    )


def test_only_whole_blocks_are_served_and_one_token_is_left_to_compute() -> None:
    pool = Pool(block_tokens=4)
    pool.put(snapshot(*range(10)))
    assert served(pool, *range(10)) == 8
    assert served(pool, *range(9)) == 8
    assert (
        served(pool, *range(8)) == 4
    )  # all of it is stored, but the request needs the logits after its last token
    assert served(pool, 0, 1, 2, 3, 99, 98) == 4
    assert served(pool, 0, 1, 2, 99, 98) == 0
    assert served(pool) == 0


def test_hit_and_missed_tokens_add_up_to_what_was_asked() -> None:
    pool = Pool(block_tokens=4)
    pool.put(snapshot(*range(10)))
    served(pool, *range(12))
    served(pool, 7, 7, 7)
    assert (pool.hit_tokens, pool.miss_tokens) == (8, 4 + 3)


def test_the_longest_stored_prefix_wins() -> None:
    pool = Pool(block_tokens=2)
    pool.put(snapshot(1, 2, 3, 4, 5, 6))
    pool.put(snapshot(1, 2, 8, 8))
    assert served(pool, 1, 2, 3, 4, 5, 6, 7) == 6
    assert served(pool, 1, 2, 8, 8, 9) == 4


def test_the_least_recently_used_snapshot_leaves_first() -> None:
    pool = Pool(block_tokens=1, capacity_bytes=4 * TOKEN_BYTES)
    pool.put(snapshot(1, 1))
    pool.put(snapshot(2, 2))
    assert served(pool, 1, 9) == 1  # a use
    pool.put(snapshot(3, 3))
    assert len(pool) == 2
    assert pool.held_bytes() == 4 * TOKEN_BYTES
    assert [served(pool, first, 9) for first in (1, 2, 3)] == [1, 0, 1]


def test_a_snapshot_larger_than_the_pool_stays_alone() -> None:
    pool = Pool(block_tokens=1, capacity_bytes=TOKEN_BYTES)
    pool.put(snapshot(1, 1))
    pool.put(snapshot(2, 2))
    assert len(pool) == 1
    assert [served(pool, first, 9) for first in (1, 2)] == [0, 1]


def test_blocks_of_one_that_left_are_still_found_in_another() -> None:
    pool = Pool(block_tokens=2, capacity_bytes=7 * TOKEN_BYTES)
    pool.put(snapshot(1, 2, 3, 4))
    pool.put(snapshot(1, 2))  # the newest owner of the block 1, 2
    assert served(pool, 1, 2, 3, 4, 5) == 4  # so the shorter one is the older
    pool.put(snapshot(8, 8))
    assert len(pool) == 2
    assert served(pool, 1, 2, 9) == 2


def test_a_prefix_view_shows_the_same_tensors_cut() -> None:
    whole = snapshot(5, 6, 7, 8)
    view = whole.prefix(2)
    assert view.digest() == snapshot(5, 6).digest()
    assert view.ids == (5, 6)
    assert (
        view.layers[0][0].k_HSD.untyped_storage().data_ptr()
        == whole.layers[0][0].k_HSD.untyped_storage().data_ptr()
    )
    assert bool(view.logits_V.isnan().all())  # it was never read up to here


def test_a_released_snapshot_is_refused() -> None:
    pool, gone = Pool(block_tokens=1), snapshot(1)
    gone.release()
    with pytest.raises(Released):
        pool.put(gone)


def test_blocks_without_tokens_are_refused() -> None:
    with pytest.raises(BadConfig, match="at least one token"):
        Pool(block_tokens=0)
