"""Slots: a rectangle is a view of what is laid flat, and what holds for one holds for the other."""

from __future__ import annotations

import pytest
import torch

from scbench.errors import Mismatch
from scbench.kv import DenseStore, LayerCache, RaggedStore, Slots
from scbench.kv.slots import joined
from scbench.kv.store import nbytes
from scbench.methods import parse


def rectangle(heads: int = 3, slots: int = 96, dim: int = 16) -> Slots:
    generator = torch.Generator().manual_seed(3)
    k_HSD, v_HSD = (torch.randn(heads, slots, dim, generator=generator) for _ in range(2))
    positions_HS = torch.stack(
        [torch.randperm(4 * slots, generator=generator)[:slots].sort().values for _ in range(heads)]
    )
    return Slots.even(k_HSD, v_HSD, positions_HS)


def queries(tokens: int = 2, heads: int = 3, dim: int = 16) -> torch.Tensor:
    return torch.randn(heads, 2, tokens, dim, generator=torch.Generator().manual_seed(7))


def test_a_rectangle_and_what_is_laid_flat_share_their_memory() -> None:
    even = rectangle()
    assert even.k_ND.data_ptr() == even.k_HSD.data_ptr()
    flat = Slots(even.k_ND, even.v_ND, torch.arange(3 * 96), starts=(0, 96, 192, 288))
    assert flat.k_HSD.data_ptr() == even.k_ND.data_ptr()
    assert torch.equal(flat.k_HSD, even.k_HSD)


def test_uneven_heads_have_no_rectangle_and_say_so() -> None:
    uneven = rectangle().pick([torch.arange(3), torch.arange(7), torch.arange(0)])
    assert uneven.counts == [3, 7, 0]
    assert uneven.positions_HS is None
    with pytest.raises(Mismatch, match="0 to 7 slots"):
        _ = uneven.k_HSD


def test_a_pick_of_a_rectangle_is_that_of_each_head() -> None:
    even = rectangle()
    kept = [torch.tensor([1, 5, 40]), torch.tensor([0, 2, 95]), torch.tensor([7, 8, 9])]
    picked = even.pick(kept)
    for head, slots in enumerate(kept):
        assert torch.equal(picked.k_HSD[head], even.k_HSD[head, slots])
        assert torch.equal(picked.positions(head), even.positions(head)[slots])
        alone = even.of_head(head).pick([slots])
        assert torch.equal(alone.v_HSD[0], picked.v_HSD[head])


def test_pieces_are_joined_head_by_head() -> None:
    even = rectangle()
    older = even.pick([torch.arange(2), torch.arange(5), torch.arange(1)])
    newer = even.pick([torch.arange(90, 96)] * 3)
    whole = joined([older, newer])
    assert whole.counts == [8, 11, 7]
    assert torch.equal(whole.positions(1), torch.cat([older.positions(1), newer.positions(1)]))
    assert torch.equal(whole.head(2)[0], torch.cat([older.head(2)[0], newer.head(2)[0]]))


def test_attention_over_a_rectangle_is_that_over_ragged_heads() -> None:
    even, q = rectangle(), queries()
    fast = DenseStore(even.k_HSD, even.v_HSD).attend(q, scale=0.2)
    general = RaggedStore(even).attend(q, scale=0.2)
    torch.testing.assert_close(fast.partial.out, general.partial.out, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(fast.partial.lse, general.partial.lse, atol=1e-6, rtol=1e-5)
    assert fast.loaded_bytes == general.loaded_bytes


CODECS = (
    "kivi[group=8,residual_tokens=16]",
    "kivi[bits=4,group=16]",
    "rtn",
    "fp8",
    "fp8[scale_scope=head]",
    "fp8[scale_scope=tensor]",
    "turboquant",
    "turboquant[bits=2.5]",
    "turboquant[bits=3,variant=inner-product]",
)


@pytest.mark.parametrize("spelling", CODECS)
def test_a_codec_gives_a_rectangle_what_it_gives_uneven_heads(
    spelling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rectangular path is the fast one; the general one is its specification."""
    codec, even = parse(spelling).codec, rectangle()
    assert codec is not None
    fast = codec.encode(even)
    with monkeypatch.context() as patch:
        patch.setattr(Slots, "is_even", False)
        general = codec.encode(rectangle())
    new = torch.randn(2, 3, 2, 16, generator=torch.Generator().manual_seed(5))
    for cache in (fast, general):
        cache.tail.append(*new)
    for one, other in zip((*fast.stores, fast.tail), (*general.stores, general.tail), strict=True):
        ours = one.attend(queries(), scale=0.2)
        theirs = other.attend(queries(), scale=0.2)
        torch.testing.assert_close(ours.partial.out, theirs.partial.out, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(ours.partial.lse, theirs.partial.lse, atol=1e-5, rtol=1e-4)
        assert ours.loaded_by(0) == theirs.loaded_by(0)
    table_bytes = 8 * 4
    assert held(general) == held(fast) + table_bytes


def held(cache: LayerCache) -> int:
    return sum(nbytes(holder.tensors().values()) for holder in (*cache.stores, cache.tail))
