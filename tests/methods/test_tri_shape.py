"""Tri-shape: its rows, its budget, and what it shares with A-shape."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scbench.errors import Mismatch
from scbench.kernels import reference, rows_joined
from scbench.kv import CacheShape
from scbench.methods.generation.a_shape import AShape
from scbench.methods.generation.tri_shape import TriShape

SHAPE = CacheShape.even(
    layers=2, attention_layers=(0, 1), query_heads=4, kv_heads=2, head_dim=16, dtype_bytes=4
)


def made(tokens: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    q = torch.randn(2, 2, tokens, 16, generator=generator)
    return (
        q,
        torch.randn(2, tokens, 16, generator=generator),
        torch.randn(2, tokens, 16, generator=generator),
    )


def mask(init: int, local: int, last: int, tokens: int) -> torch.Tensor:
    rows, keys = torch.arange(tokens).unsqueeze(1), torch.arange(tokens)
    return (keys <= rows) & ((keys < init) | (rows - keys < local) | (rows >= tokens - last))


@settings(deadline=None, max_examples=30)
@given(
    tokens=st.integers(2, 600),
    init=st.integers(0, 40),
    local=st.integers(1, 300),
    last=st.integers(0, 300),
    seed=st.integers(0, 9),
)
def test_it_equals_attention_under_its_mask_read_whole_or_in_chunks(
    tokens: int, init: int, local: int, last: int, seed: int
) -> None:
    method = TriShape(init_tokens=init, local_tokens=local, last_tokens=last)
    q, k, v = made(tokens, seed)
    wanted = reference.attend(
        q, k, v, scale=0.3, mask_TS=mask(init, local, method.sizes(tokens)[2], tokens)
    )
    for chunk in (tokens, 37):
        pieces = [
            method.attend(
                q[:, :, at : at + chunk],
                k[:, : at + chunk],
                v[:, : at + chunk],
                layer=0,
                scale=0.3,
                total_tokens=tokens,
            )
            for at in range(0, tokens, chunk)
        ]
        torch.testing.assert_close(rows_joined(pieces), wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("last", [1, 40, 300])
def test_rows_above_the_last_are_those_of_a_shape_bit_for_bit(last: int) -> None:
    q, k, v = made(600)
    ours = TriShape(init_tokens=4, local_tokens=50, last_tokens=last).attend(
        q, k, v, layer=0, scale=0.3, total_tokens=600
    )
    theirs = AShape(init_tokens=4, local_tokens=50).attend(
        q, k, v, layer=0, scale=0.3, total_tokens=600
    )
    for own, other in zip(ours, theirs, strict=True):
        assert torch.equal(own[:, :, : 600 - last], other[:, :, : 600 - last])
        assert not torch.allclose(own[:, :, 600 - last :], other[:, :, 600 - last :], atol=1e-3)


def test_all_rows_but_the_first_dense_is_dense() -> None:
    q, k, v = made(90)
    ours = TriShape(init_tokens=0, local_tokens=1, last_tokens=500).attend(
        q, k, v, layer=0, scale=0.3, total_tokens=90
    )
    wanted = reference.attend(q, k, v, scale=0.3, mask_TS=reference.causal_mask(90, 90))
    torch.testing.assert_close(ours, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("tokens", "tau", "sizes"),
    [
        (131_072, "1/32", (128, 3_968, 128)),
        (4_096, "1/32", (4, 124, 32)),
        (2_048, "1/32", (4, 60, 32)),
        (1_024, "1/8", (4, 124, 32)),
    ],
)
def test_a_share_maps_to_the_published_sizes(
    tokens: int, tau: str, sizes: tuple[int, int, int]
) -> None:
    assert TriShape(tau=Fraction(tau)).sizes(tokens) == sizes


def test_the_computed_share_counts_the_mask() -> None:
    method = TriShape(init_tokens=5, local_tokens=20, last_tokens=30)
    counted = int(mask(5, 20, 30, 200).sum()) / (200 * 201 / 2)
    assert method.computed_share(200) == pytest.approx(counted)


def test_too_small_a_share_is_refused_with_the_smallest_that_works() -> None:
    with pytest.raises(Mismatch, match=r"tri-shape\[tau=1/64\].*tau=15/512"):
        TriShape(tau=Fraction(1, 64)).check(shape=SHAPE, tokens=256)
    TriShape(tau=Fraction(15, 512)).check(shape=SHAPE, tokens=256)


def test_a_share_and_a_budget_together_are_refused_under_its_own_name() -> None:
    with pytest.raises(Mismatch, match="tri-shape was given"):
        TriShape(tau=Fraction(1, 4), budget_tokens=9)
