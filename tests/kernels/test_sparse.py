"""Sparse patterns: the gathered forms against plain attention under the same mask, and masks that
are nested as they say.
"""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scbench.kernels import reference, sparse

SCALE = 0.3
lengths = st.integers(1, 300)


def made(
    heads: int, group: int, tokens: int, seed: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Generator]:
    generator = torch.Generator().manual_seed(seed)
    q = torch.randn(heads, group, tokens, 16, generator=generator)
    return q, *(torch.randn(heads, tokens, 16, generator=generator) for _ in "kv"), generator


def marks(tokens: int, density: float, generator: torch.Generator) -> torch.Tensor:
    return torch.rand(tokens, generator=generator) < density


@settings(deadline=None, max_examples=40)
@given(
    tokens=lengths,
    block=st.sampled_from([1, 16, 64]),
    density=st.floats(0, 1),
    heads=st.sampled_from([(1, 1), (2, 3)]),
    seed=st.integers(0, 99),
)
def test_gathered_blocks_equal_attention_under_the_block_mask(
    tokens: int, block: int, density: float, heads: tuple[int, int], seed: int
) -> None:
    q, k, v, generator = made(*heads, tokens, seed)
    rows = -(-tokens // block)
    seen = torch.rand(*heads, rows, rows, generator=generator) < density
    wanted = reference.attend(q, k, v, scale=SCALE, mask_TS=sparse.block_mask(seen, block, tokens))
    torch.testing.assert_close(
        sparse.blocks(q, k, v, seen, block, scale=SCALE), wanted, atol=1e-5, rtol=1e-5
    )


@settings(deadline=None, max_examples=40)
@given(
    tokens=lengths,
    columns=st.floats(0, 1),
    offsets=st.floats(0, 0.3),
    whole_tiles=st.booleans(),
    seed=st.integers(0, 99),
)
def test_gathered_vertical_slash_equals_attention_under_its_mask(
    tokens: int, columns: float, offsets: float, whole_tiles: bool, seed: int
) -> None:
    q, k, v, generator = made(1, 1, tokens, seed)
    column, offset = marks(tokens, columns, generator), marks(tokens, offsets, generator)
    offset[0] = True
    wanted = reference.attend(
        q,
        k,
        v,
        scale=SCALE,
        mask_TS=sparse.vertical_slash_mask(column, offset, whole_tiles=whole_tiles),
    )
    ours = sparse.vertical_slash(
        q[0, 0], k[0], v[0], column, offset, scale=SCALE, whole_tiles=whole_tiles
    )
    torch.testing.assert_close(ours, tuple(x[0, 0] for x in wanted), atol=1e-5, rtol=1e-5)


@settings(deadline=None, max_examples=60)
@given(tokens=lengths, columns=st.floats(0, 1), offsets=st.floats(0, 0.3), seed=st.integers(0, 99))
def test_the_exact_mask_lies_within_the_tile_mask_within_causal_and_no_row_is_empty(
    tokens: int, columns: float, offsets: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    column, offset = marks(tokens, columns, generator), marks(tokens, offsets, generator)
    offset[0] = True
    exact = sparse.vertical_slash_mask(column, offset, whole_tiles=False)
    tiles = sparse.vertical_slash_mask(column, offset, whole_tiles=True)
    assert bool((exact <= tiles).all())
    assert bool((tiles <= reference.causal_mask(tokens, tokens)).all())
    assert bool(exact.any(dim=1).all())


@settings(deadline=None, max_examples=40)
@given(tokens=lengths, seed=st.integers(0, 99))
def test_more_columns_or_offsets_never_hide_a_key(tokens: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    column, offset, more = (marks(tokens, share, generator) for share in (0.1, 0.1, 0.2))
    for whole_tiles in (False, True):
        small = sparse.vertical_slash_mask(column, offset, whole_tiles=whole_tiles)
        assert bool(
            (
                small <= sparse.vertical_slash_mask(column | more, offset, whole_tiles=whole_tiles)
            ).all()
        )
        assert bool(
            (
                small <= sparse.vertical_slash_mask(column, offset | more, whole_tiles=whole_tiles)
            ).all()
        )


def test_an_offset_reaches_a_tile_exactly_if_one_of_its_rows_has_that_key() -> None:
    offsets = torch.zeros(300, dtype=torch.bool)
    offsets[100] = True
    assert sparse.reach(offsets).nonzero().flatten().tolist() == list(
        range(37, 101)
    )  # rows 0..63 of a tile that starts u after the key


def test_a_block_mask_shows_whole_past_blocks_and_the_own_block_up_to_the_row() -> None:
    seen = torch.zeros(1, 1, 3, 3, dtype=torch.bool)
    seen[0, 0, 2, 0] = seen[0, 0, 0, 2] = True  # the second lies in the future and stays hidden
    mask = sparse.block_mask(seen, 2, 5)[0, 0]
    assert [row.nonzero().flatten().tolist() for row in mask] == [
        [0],
        [0, 1],
        [2],
        [2, 3],
        [0, 1, 4],
    ]


def test_half_precision_stays_near_the_plain_form() -> None:
    q, k, v, generator = made(1, 1, 200, 0)
    half = [x.to(torch.bfloat16) for x in (q, k, v)]
    column, offset = marks(200, 0.1, generator), marks(200, 0.1, generator)
    offset[0] = True
    wanted = reference.attend(
        *half, scale=SCALE, mask_TS=sparse.vertical_slash_mask(column, offset, whole_tiles=False)
    )
    ours = sparse.vertical_slash(
        half[0][0, 0], half[1][0], half[2][0], column, offset, scale=SCALE, whole_tiles=False
    )
    torch.testing.assert_close(ours, tuple(x[0, 0] for x in wanted), atol=2e-2, rtol=2e-2)
    seen = torch.rand(1, 1, 4, 4, generator=generator) < 0.5
    wanted = reference.attend(*half, scale=SCALE, mask_TS=sparse.block_mask(seen, 64, 200))
    torch.testing.assert_close(
        sparse.blocks(*half, seen, 64, scale=SCALE), wanted, atol=2e-2, rtol=2e-2
    )
