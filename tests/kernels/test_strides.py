"""The CPU's kernel reads a row's numbers side by side, whatever strides say: ours never let it
meet another layout.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from scbench.kernels import Partial, causal, full
from scbench.kernels.attention import masked
from scbench.kv import Slots
from scbench.methods import parse
from scbench.methods.compression import coded_store

Attend = Callable[[Tensor, Tensor, Tensor], Partial]


def turned(x: Tensor) -> Tensor:
    """The same numbers, laid out along the slots."""
    return x.transpose(1, 2).contiguous().transpose(1, 2)


def over_all(q: Tensor, k: Tensor, v: Tensor) -> Partial:
    return full(q, k, v, scale=0.3)


def over_past(q: Tensor, k: Tensor, v: Tensor) -> Partial:
    return causal(q, k[:, : q.shape[2]], v[:, : q.shape[2]], scale=0.3)


def over_some(q: Tensor, k: Tensor, v: Tensor) -> Partial:
    seen = torch.ones(q.shape[2], k.shape[1], dtype=torch.bool).tril(3)
    return masked(q, k, v, seen, scale=0.3)


@pytest.mark.parametrize("attend", [over_all, over_past, over_some])
@pytest.mark.parametrize("side", [0, 1, 2])
def test_keys_values_and_queries_may_lie_in_any_layout(attend: Attend, side: int) -> None:
    generator = torch.Generator().manual_seed(3)
    q = torch.randn(2, 1, 5, 16, generator=generator)
    k, v = (torch.randn(2, 24, 16, generator=generator) for _ in range(2))
    wanted = attend(q, k, v)
    laid = [q, k, v]
    laid[side] = turned(q.squeeze(1)).unsqueeze(1) if side == 0 else turned(laid[side])
    assert laid[side].stride(-1) != 1
    found = attend(*laid)
    assert torch.allclose(found.out, wanted.out, atol=1e-6)
    assert torch.allclose(found.lse, wanted.lse, atol=1e-5)


@pytest.mark.parametrize("blocks", [1, 2, 3])
@pytest.mark.parametrize("beyond", [8, 16])
def test_a_block_of_one_group_is_read_as_it_was_coded(
    monkeypatch: pytest.MonkeyPatch, blocks: int, beyond: int
) -> None:
    """Its only group of keys is a view laid out along the tokens: 2,080 slots at 32 a group."""
    monkeypatch.setattr(coded_store, "BLOCK_SLOTS", 32)
    generator = torch.Generator().manual_seed(blocks)
    slots = 32 * blocks + beyond
    k, v = (torch.randn(2, slots + 8, 16, generator=generator) for _ in range(2))
    method = parse("kivi[bits=4,group=8,residual_tokens=8]")
    assert method.codec is not None
    (store,) = method.codec.encode(Slots.even(k, v)).stores
    assert isinstance(store, coded_store.CodedStore)
    assert len(store.positions(0)) == slots
    keys, values = store.coders.block(store.keys, store.values, 0, slots, torch.float32)
    q = torch.randn(2, 3, 1, 16, generator=generator)
    wanted = full(q, keys, values, scale=0.3)
    found = store.attend(q, scale=0.3).partial
    assert torch.allclose(found.out, wanted.out, atol=1e-5)
    assert torch.allclose(found.lse, wanted.lse, atol=1e-5)
