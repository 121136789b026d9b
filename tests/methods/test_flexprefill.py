"""FlexPrefill: which pattern a head gets, what its sizes cover, and its budget."""

from __future__ import annotations

import math
from dataclasses import replace
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
from scbench.methods.generation.block_masks import past
from scbench.methods.generation.flexprefill import (
    FlexPrefill,
    caught,
    divergence,
    vertical_slash_blocks,
)
from scbench.methods.generation.minference import vertical_slash_scores

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


def dense_weights(q: Tensor, k: Tensor) -> Tensor:
    hidden = ~reference.causal_mask(len(q), len(q))
    return torch.softmax((q @ k.T * SCALE).masked_fill(hidden, float("-inf")), dim=-1)


@settings(deadline=None, max_examples=20)
@given(
    tokens=st.integers(20, 300),
    gamma=st.floats(0.2, 0.95),
    tau_js=st.sampled_from([0.0, 0.3, 2.0]),
    cover=st.sampled_from(["blocks", "tokens"]),
    block=st.sampled_from([2, 4, 16]),
    seed=st.integers(0, 9),
)
def test_it_equals_attention_under_its_blocks(
    tokens: int, gamma: float, tau_js: float, cover: str, block: int, seed: int
) -> None:
    method = FlexPrefill(gamma=gamma, tau_js=tau_js, cover=cover, block_tokens=block)  # type: ignore[arg-type]
    q, k, v = made(tokens, seed)
    seen = torch.stack(
        [torch.stack([method.seen(q[h, g], k[h], SCALE) for g in range(2)]) for h in range(2)]
    )
    assert bool(seen.diagonal(dim1=2, dim2=3).all())
    assert bool(seen[..., 0].all())
    assert bool((seen <= past(seen.shape[2], seen.device)).all())
    mask = (
        reference.causal_mask(tokens, tokens)
        if tokens <= 2 * block
        else sparse.block_mask(seen, block, tokens)
    )
    wanted = reference.attend(q, k, v, scale=SCALE, mask_TS=mask)
    torch.testing.assert_close(
        method.attend(q, k, v, layer=0, scale=SCALE, total_tokens=tokens),
        wanted,
        atol=1e-5,
        rtol=1e-5,
    )


@settings(deadline=None, max_examples=30)
@given(tokens=st.integers(40, 300), gamma=st.floats(0.2, 0.95), seed=st.integers(0, 99))
def test_covering_in_blocks_keeps_gamma_of_the_last_rows(
    tokens: int, gamma: float, seed: int
) -> None:
    q, k, _ = made(tokens, seed)
    seen = FlexPrefill(gamma=gamma, tau_js=0.0, block_tokens=16).seen(q[0, 0], k[0], SCALE)
    mask = sparse.block_mask(seen[None, None], 16, tokens)[0, 0]
    kept = (dense_weights(q[0, 0], k[0]) * mask)[-16:].sum() / 16
    assert float(kept) >= gamma - 1e-4


def test_covering_in_tokens_can_keep_less_than_gamma() -> None:
    """The published rule turns a count of scattered keys into as many keys side by side (why
    `cover` exists).
    """
    q, k, _ = made(256)
    k[0, 15::16] += 3.0  # one heavy key in every block of 16
    q[0, 0] += 1.0
    kept = {}
    for cover in ("tokens", "blocks"):
        seen = FlexPrefill(gamma=0.9, tau_js=0.0, cover=cover, block_tokens=16).seen(
            q[0, 0], k[0], SCALE
        )  # type: ignore[arg-type]
        mask = sparse.block_mask(seen[None, None], 16, 256)[0, 0]
        kept[cover] = float((dense_weights(q[0, 0], k[0]) * mask)[-16:].sum() / 16)
    assert kept["tokens"] < 0.9 <= kept["blocks"]


def test_gamma_one_without_limits_is_dense() -> None:
    q, k, v = made(200)
    wanted = reference.attend(q, k, v, scale=SCALE, mask_TS=reference.causal_mask(200, 200))
    ours = FlexPrefill(gamma=1.0, block_tokens=16).attend(
        q, k, v, layer=0, scale=SCALE, total_tokens=200
    )
    torch.testing.assert_close(ours, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("tau_js", [0.0, 2.0])
def test_gamma_one_makes_the_caps_the_sizes(tau_js: float) -> None:
    q, k, _ = made(400)
    method = FlexPrefill(
        gamma=1.0, tau_js=tau_js, budget_tokens=64
    )  # blocks of 4: 8 columns, 8 diagonals, rows of 16
    seen = method.seen(q[0, 0], k[0], SCALE)
    counts = seen.sum(dim=1)
    if tau_js:
        assert counts.tolist() == [min(row + 1, 16) for row in range(100)]
    else:
        assert int(counts.max()) <= 16
        assert seen[-1].sum() >= 12


def test_a_budget_is_never_exceeded() -> None:
    q, k, _ = made(400)
    for gamma in (0.5, 0.9, 1.0):
        for tau_js in (0.0, 2.0):
            seen = FlexPrefill(gamma=gamma, tau_js=tau_js, budget_tokens=64).seen(
                q[0, 0], k[0], SCALE
            )
            assert int(seen.sum(dim=1).max()) * 4 <= 64


def test_a_head_whose_attention_is_block_wise_is_told_from_one_with_single_heavy_keys() -> None:
    generator = torch.Generator().manual_seed(1)
    q, k = torch.ones(256, 16), torch.zeros(256, 16)
    k[:] = torch.randn(16, 16, generator=generator).repeat_interleave(
        16, dim=0
    )  # all keys of a block alike: pooling loses nothing
    smooth = divergence(q, k, vertical_slash_scores(q, k, SCALE, rows=16)[0], 16, SCALE)
    k[37] += 3.0
    spiky = divergence(q, k, vertical_slash_scores(q, k, SCALE, rows=16)[0], 16, SCALE)
    assert smooth < 0.1 < spiky


def test_the_divergence_lies_between_zero_and_that_of_disjoint_distributions() -> None:
    q, k, _ = made(128)
    assert (
        0
        <= divergence(
            q[0, 0], k[0], vertical_slash_scores(q[0, 0], k[0], SCALE, rows=16)[0], 16, SCALE
        )
        <= math.sqrt(math.log(2))
    )


def test_columns_and_diagonals_of_blocks_are_where_the_mass_is() -> None:
    columns, offsets = torch.zeros(80), torch.zeros(80)
    columns[35], offsets[50] = 1.0, 1.0  # column block 2, diagonal 3
    seen = vertical_slash_blocks(columns, offsets, 16, 2, 2)
    assert [row.nonzero().flatten().tolist() for row in seen] == [
        [0],
        [0, 1],
        [0, 2],
        [0, 2, 3],
        [0, 1, 2, 4],
    ]


@pytest.mark.parametrize(
    ("tokens", "tau", "sizes"),
    [
        (131_072, "1/32", (128, 1, 16, 32)),
        (4_096, "1/32", (8, 1, 8, 16)),
        (2_048, "1/32", (4, 1, 8, 16)),
        (1_024, "1/8", (8, 1, 8, 16)),
    ],
)
def test_a_share_maps_to_blocks_and_caps(tokens: int, tau: str, sizes: tuple[int, ...]) -> None:
    assert FlexPrefill(tau=Fraction(tau)).sizes(tokens) == sizes


@pytest.mark.parametrize(
    "text",
    [
        "flexprefill[gamma=0]",
        "flexprefill[gamma=1.5]",
        "flexprefill[tau_js=-1]",
        "flexprefill[max_tokens=64,block_tokens=16,tau=1/2]",
        "flexprefill[max_tokens=64]",
        "flexprefill[budget_tokens=63]",
        "flexprefill[block_tokens=0]",
    ],
)
def test_settings_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(Mismatch):
        parse(text)


def test_too_small_a_share_is_refused_with_the_smallest_that_works() -> None:
    with pytest.raises(Mismatch, match="tau=127/2000"):
        parse("flexprefill[tau=1/32]").check(shape=SHAPE, tokens=1_000)
    parse("flexprefill[tau=127/2000]").check(shape=SHAPE, tokens=1_000)


def test_the_named_presets_have_the_published_sizes() -> None:
    code = "flexprefill[cover=tokens,slashes=blocks,block_tokens=128"
    assert parse("flexprefill[preset=code]").resolved == f"{code}]"
    assert parse("flexprefill[preset=paper]").resolved == f"{code},min_tokens=1024]"


@pytest.mark.parametrize("offset", [1, 3, 5, 6])
def test_a_slash_that_crosses_the_borders_of_blocks_is_seen_by_every_row(offset: int) -> None:
    """The published rule loses the key of every row whose offset reaches across a border."""
    q, k = torch.zeros(64, 64), 9.0 * torch.eye(64)
    q[offset:] = k[: 64 - offset]  # row i looks at key i - offset
    missed = {}
    for slashes in ("tokens", "blocks"):
        method = parse(f"flexprefill[tau_js=0,slashes={slashes},block_tokens=4]").generation
        assert isinstance(method, FlexPrefill)
        seen = method.seen(q, k, SCALE)
        mask = sparse.block_mask(seen[None, None], 4, 64)[0, 0]
        rows = torch.arange(32, 60)  # those that no estimate has looked at
        missed[slashes] = int((~mask[rows, rows - offset]).sum())
    assert missed["tokens"] == 0 < missed["blocks"]


@given(offset=st.integers(0, 63), block=st.sampled_from([2, 4, 16]))
def test_what_diagonals_catch_of_an_offset_is_what_their_pairs_say(offset: int, block: int) -> None:
    score = torch.zeros(64)
    score[offset] = 1.0
    diagonals = caught(score, block).view(-1, block).sum(dim=1)
    rows = torch.arange(64, 64 + block)  # one whole block of rows, far enough from the start
    apart = rows // block - (rows - offset) // block
    for diagonal in range(64 // block - 1):
        expected = float((apart == diagonal).float().mean())
        assert float(diagonals[diagonal]) == pytest.approx(expected)


def test_the_key_before_a_block_is_always_among_those_its_rows_see() -> None:
    q, k, _ = made(256, seed=3)
    for method in (FlexPrefill(budget_tokens=64), FlexPrefill(block_tokens=16, gamma=0.2)):
        for tau_js in (0.0, 2.0):
            seen = replace(method, tau_js=tau_js).seen(q[0, 0], k[0], SCALE)
            assert bool(seen.diagonal(-1).all())
