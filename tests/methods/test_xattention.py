"""XAttention: what its estimate is, which blocks it keeps, and its budget."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from scbench.errors import Mismatch
from scbench.kernels import reference, sparse
from scbench.kv import CacheShape
from scbench.methods import parse
from scbench.methods.generation.block_masks import best, fewest, past
from scbench.methods.generation.xattention import XAttention, block_masses

SHAPE = CacheShape.even(
    layers=2, attention_layers=(0, 1), query_heads=4, kv_heads=2, head_dim=16, dtype_bytes=4
)
SCALE = 0.5


def made(tokens: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    q = torch.randn(2, 2, tokens, 16, generator=generator)
    return (
        q,
        torch.randn(2, tokens, 16, generator=generator),
        torch.randn(2, tokens, 16, generator=generator),
    )


@settings(deadline=None, max_examples=20)
@given(tokens=st.integers(1, 200), block=st.sampled_from([1, 16, 64]), seed=st.integers(0, 9))
def test_stride_one_gives_the_exact_mass_of_every_block(tokens: int, block: int, seed: int) -> None:
    q, k, _ = made(tokens, seed)
    hidden = ~reference.causal_mask(tokens, tokens)
    weights = torch.softmax((q[0, 0] @ k[0].T * SCALE).masked_fill(hidden, float("-inf")), dim=-1)
    rows = -(-tokens // block)
    padded = torch.zeros(rows * block, rows * block)
    padded[:tokens, :tokens] = weights
    wanted = padded.view(rows, block, rows, block).sum(dim=(1, 3))
    torch.testing.assert_close(
        block_masses(q[0, 0], k[0], block, 1, SCALE), wanted, atol=1e-4, rtol=1e-4
    )


def test_an_estimate_is_the_antidiagonal_of_its_tile() -> None:
    q, k, _ = made(32)
    tile = q[0, 0, 16:24] @ k[0, 8:16].T
    antidiagonal = sum(float(tile[7 - r, r]) for r in range(8))
    estimates = torch.full((4, 4), float("-inf"))
    for row in range(4):
        for column in range(row + 1):
            piece = q[0, 0, 8 * row : 8 * row + 8].flip(0) * k[0, 8 * column : 8 * column + 8]
            estimates[row, column] = float(piece.sum()) * SCALE / 8
    assert estimates[2, 1].item() == pytest.approx(antidiagonal * SCALE / 8, abs=1e-4)
    torch.testing.assert_close(
        block_masses(q[0, 0], k[0], 8, 8, SCALE),
        torch.softmax(estimates, dim=-1),
        atol=1e-5,
        rtol=1e-5,
    )


@settings(deadline=None, max_examples=20)
@given(tokens=st.integers(48, 400), budget=st.integers(48, 200), seed=st.integers(0, 9))
def test_a_budget_keeps_exactly_its_blocks_and_never_the_future(
    tokens: int, budget: int, seed: int
) -> None:
    q, k, v = made(tokens, seed)
    method = XAttention(budget_tokens=budget)
    block, stride, count = method.sizes(tokens)
    assert count is not None
    seen = torch.stack(
        [
            torch.stack([method.seen(q[h, g], k[h], block, stride, count, SCALE) for g in range(2)])
            for h in range(2)
        ]
    )
    rows = seen.shape[2]
    assert bool((seen.sum(dim=-1) == torch.arange(1, rows + 1).clamp(max=count)).all())
    assert bool(seen[..., 0].all())
    assert bool(seen.diagonal(dim1=2, dim2=3).all())
    assert bool((seen <= past(rows, seen.device)).all())
    wanted = reference.attend(q, k, v, scale=SCALE, mask_TS=sparse.block_mask(seen, block, tokens))
    torch.testing.assert_close(
        method.attend(q, k, v, layer=0, scale=SCALE, total_tokens=tokens),
        wanted,
        atol=1e-5,
        rtol=1e-5,
    )


@settings(deadline=None, max_examples=30)
@given(rows=st.integers(1, 12), share=st.floats(0.05, 0.99), seed=st.integers(0, 99))
def test_the_fewest_blocks_reach_the_threshold_and_one_less_does_not(
    rows: int, share: float, seed: int
) -> None:
    mass = torch.rand(rows, rows, generator=torch.Generator().manual_seed(seed)).tril()
    forced = torch.eye(rows, dtype=torch.bool)
    forced[:, 0] = True
    kept = fewest(mass, share, forced)
    for row in range(rows):
        total = float(mass[row].sum())
        chosen = [float(x) for x in mass[row][kept[row] & ~forced[row]]]
        held = sum(chosen) + float(mass[row][forced[row]].sum())
        assert held >= share * total - 1e-5
        if chosen:
            assert held - min(chosen) < share * total + 1e-5


def test_a_higher_threshold_sees_more_and_one_sees_all() -> None:
    q, k, v = made(300)
    seen = [
        XAttention(threshold=x, block_tokens=16, stride=4).seen(q[0, 0], k[0], 16, 4, None, SCALE)
        for x in (0.3, 0.6, 0.9)
    ]
    assert bool((seen[0] <= seen[1]).all() and (seen[1] <= seen[2]).all())
    assert int(seen[0].sum()) < int(seen[2].sum())
    wanted = reference.attend(q, k, v, scale=SCALE, mask_TS=reference.causal_mask(300, 300))
    ours = XAttention(threshold=1.0, block_tokens=16, stride=4).attend(
        q, k, v, layer=0, scale=SCALE, total_tokens=300
    )
    torch.testing.assert_close(ours, wanted, atol=1e-5, rtol=1e-5)


def test_equal_scores_go_to_the_earlier_block() -> None:
    kept = best(torch.zeros(5, 5), 3, torch.eye(5, dtype=torch.bool))
    assert kept[4].nonzero().flatten().tolist() == [0, 1, 4]


@pytest.mark.parametrize(
    ("tokens", "tau", "sizes"),
    [
        (131_072, "1/32", (128, 8, 32)),
        (4_096, "1/32", (8, 2, 16)),
        (2_048, "1/32", (4, 2, 16)),
        (1_024, "1/8", (8, 2, 16)),
    ],
)
def test_a_share_maps_to_the_published_sizes(
    tokens: int, tau: str, sizes: tuple[int, int, int]
) -> None:
    assert XAttention(tau=Fraction(tau)).sizes(tokens) == sizes


@pytest.mark.parametrize(
    "text",
    [
        "xattention[threshold=0.9,tau=1/4]",
        "xattention[threshold=0]",
        "xattention[threshold=0.9,block_tokens=20,stride=8]",
        "xattention[budget_tokens=47]",
    ],
)
def test_settings_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(Mismatch):
        parse(text)


def test_too_small_a_share_is_refused_with_the_smallest_that_works() -> None:
    with pytest.raises(Mismatch, match="tau=19/400"):
        parse("xattention[tau=1/32]").check(shape=SHAPE, tokens=1_000)
    parse("xattention[tau=19/400]").check(shape=SHAPE, tokens=1_000)


def test_estimating_in_pieces_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, _ = made(300)
    whole = block_masses(q[0, 0], k[0], 32, 4, SCALE)
    monkeypatch.setattr("scbench.methods.generation.xattention.ESTIMATE_BYTES", 1)
    torch.testing.assert_close(block_masses(q[0, 0], k[0], 32, 4, SCALE), whole)
