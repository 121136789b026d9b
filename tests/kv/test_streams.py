"""Stores, tails and streams: bytes, positions, forks."""

from __future__ import annotations

import pytest
import torch

from scbench.errors import Mismatch, Released
from scbench.kernels import reference
from scbench.kv import (
    CacheShape,
    DenseStore,
    DenseTail,
    LayerCache,
    RaggedStore,
    Slots,
    Snapshot,
    Stream,
)
from scbench.kv.store import digest, nbytes
from scbench.kv.stream import share

SHAPE = CacheShape.even(
    layers=1, attention_layers=(0,), query_heads=4, kv_heads=2, head_dim=8, dtype_bytes=4
)


def kv(slots: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, slots, 8, generator=generator), torch.randn(
        2, slots, 8, generator=generator
    )


def queries(tokens: int, seed: int = 9) -> torch.Tensor:
    return torch.randn(2, 2, tokens, 8, generator=torch.Generator().manual_seed(seed))


def snapshot(slots: int = 12) -> Snapshot:
    k, v = kv(slots)
    return Snapshot(
        shape=SHAPE,
        layers={0: (DenseStore(k, v),)},
        ids=tuple(range(slots)),
        logits_V=torch.zeros(4),
        scales={0: 0.5},
    )


def test_a_full_cache_of_llama_3_1_8b_is_131072_bytes_a_token() -> None:
    shape = CacheShape.even(
        layers=32,
        attention_layers=tuple(range(32)),
        query_heads=32,
        kv_heads=8,
        head_dim=128,
        dtype_bytes=2,
    )
    assert shape.token_bytes == 131_072
    assert shape.dense_bytes(131_072) == 16 << 30
    assert shape.group == 4


def test_a_ragged_store_is_attention_over_what_each_head_kept() -> None:
    k, v = kv(20)
    keep = [torch.tensor([0, 3, 19]), torch.tensor([5])]
    store = RaggedStore(Slots.even(k, v).pick(keep))
    got = store.attend(queries(3), scale=0.5).partial
    for head, kept in enumerate(keep):
        one = slice(head, head + 1)
        out, lse = reference.attend(queries(3)[one], k[one, kept], v[one, kept], scale=0.5)
        torch.testing.assert_close(got.out[one], out, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(got.lse[one], lse, atol=1e-5, rtol=1e-5)
    assert nbytes(store.tensors().values()) == 2 * 4 * 8 * 4 + 3 * 8
    assert [store.positions(head).tolist() for head in (0, 1)] == [[0, 3, 19], [5]]


def test_a_head_without_slots_sees_nothing() -> None:
    k, v = kv(6)
    keep = [torch.arange(6), torch.tensor([], dtype=torch.int64)]
    got = RaggedStore(Slots.even(k, v).pick(keep)).attend(queries(2), scale=0.5).partial
    assert bool((got.lse[1] == float("-inf")).all())
    assert not got.out[1].any()


def test_a_tail_grows_past_its_buffer_and_stays_causal() -> None:
    k, v = kv(150)
    tail = DenseTail(capacity_tokens=4)
    for start, stop in ((0, 3), (3, 4), (4, 40), (40, 149)):
        tail.append(k[:, start:stop], v[:, start:stop])
    tail.append(k[:, 149:], v[:, 149:])
    assert tail.slots == 150
    q = queries(30)
    grown = DenseTail()
    grown.append(k[:, :120], v[:, :120])
    grown.append(k[:, 120:], v[:, 120:])
    out, _ = reference.attend(q, k, v, scale=0.5, mask_TS=reference.causal_mask(30, 150))
    torch.testing.assert_close(grown.attend(q, scale=0.5).partial.out, out, atol=1e-5, rtol=1e-5)
    assert torch.equal(tail.k_HSD, k)


def test_what_a_fork_appends_its_parent_never_sees() -> None:
    k, v = kv(10)
    parent = DenseTail(capacity_tokens=32)
    parent.append(k[:, :4], v[:, :4])
    child = parent.fork()
    child.append(k[:, 4:6], v[:, 4:6])
    parent.append(k[:, 6:7], v[:, 6:7])
    assert torch.equal(child.k_HSD, k[:, :6])
    assert torch.equal(parent.k_HSD, torch.cat([k[:, :4], k[:, 6:7]], dim=1))


@pytest.mark.parametrize("capacity_tokens", [1, 5, 64])
def test_a_sealed_tail_holds_no_spare_room(capacity_tokens: int) -> None:
    k, v = kv(5)
    tail = DenseTail(capacity_tokens=capacity_tokens)
    tail.append(k, v)
    for x, wanted in zip(tail.sealed(), (k, v), strict=True):
        assert torch.equal(x, wanted)
        assert x.untyped_storage().nbytes() == nbytes([x])


def test_bytes_of_a_stream_are_those_of_its_stores_and_tails() -> None:
    stream = snapshot(12).fork()
    stream.layers[0].tail.append(*kv(3, seed=1))
    assert stream.shared_bytes() == 12 * SHAPE.token_bytes
    assert stream.private_bytes() == 3 * SHAPE.token_bytes
    assert stream.held_bytes() == sum(stream.held_by_name().values()) == 15 * SHAPE.token_bytes


def test_positions_of_a_stream_are_its_stores_and_then_its_newest_tokens() -> None:
    k, v = kv(4)
    kept = torch.tensor([[0, 2, 7, 9], [1, 2, 3, 4]])
    stream = Stream(
        layers={0: LayerCache((DenseStore(k, v, positions_HS=kept),), DenseTail())},
        ids=list(range(12)),
    )
    stream.layers[0].tail.append(*kv(2))
    assert stream.positions(0, 0).tolist() == [0, 2, 7, 9, 10, 11]
    assert stream.positions(0, 1).tolist() == [1, 2, 3, 4, 10, 11]
    assert stream.stored_tokens(SHAPE) == 6.0
    assert stream.logical_tokens == 12


def test_counters_of_a_fork_begin_at_zero() -> None:
    stream = snapshot().fork()
    stream.loaded_bytes, stream.steps = 70, 7
    assert (stream.fork().loaded_bytes, stream.fork().steps) == (0, 0)


def test_a_released_snapshot_cannot_be_used() -> None:
    gone = snapshot()
    gone.release()
    for use in (
        gone.fork,
        gone.digest,
        gone.held_bytes,
        lambda: gone.view(0),
        lambda: gone.prefix(1),
    ):
        with pytest.raises(Released, match="given back"):
            use()


def test_a_recurrent_state_serves_no_shorter_prefix() -> None:
    class State:
        def copy(self) -> State:
            return self

        def tensors(self) -> dict[str, torch.Tensor]:
            return {}

    whole = snapshot()
    whole.recurrent = State()
    with pytest.raises(Mismatch, match="shorter prefix"):
        whole.prefix(3)


def test_one_changed_bit_changes_the_seal() -> None:
    k, v = kv(5)
    before = digest([DenseStore(k, v)])
    assert digest([DenseStore(k.clone(), v.clone())]) == before
    k[1, 4, 7] = -k[1, 4, 7]
    assert digest([DenseStore(k, v)]) != before


def test_a_view_joins_the_pieces_a_prefix_was_read_in() -> None:
    k, v = kv(12)
    pieces = (DenseStore(k[:, :7], v[:, :7]), DenseStore(k[:, 7:], v[:, 7:], first_position=7))
    read = Snapshot(
        shape=SHAPE,
        layers={0: pieces},
        ids=tuple(range(12)),
        logits_V=torch.zeros(4),
        scales={0: 0.5},
    )
    assert torch.equal(read.view(0).k_HSD, k)
    assert read.prefix(9).view(0).tokens == 9
    assert read.fork().positions(0, 1).tolist() == list(range(12))
    assert read.prefix(7).digest() == snapshot(12).prefix(7).digest()


def test_the_share_of_evidence_held_counts_tokens() -> None:
    assert share([1, 2, 3, 4], torch.tensor([0, 2, 4, 9])) == 0.5
    assert share([], torch.tensor([1])) == 1.0
