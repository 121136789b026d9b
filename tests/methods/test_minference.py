"""MInference: estimates, budgets, tables of patterns per head, and the two mask modes."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from scbench.engines.tiny import tiny
from scbench.errors import BadConfig, Mismatch
from scbench.exam.laws import examine
from scbench.kernels import reference, sparse
from scbench.kv import CacheShape
from scbench.methods import parse
from scbench.methods.generation.minference import MInference, best_blocks, vertical_slash_scores
from scbench.methods.generation.minference_patterns import (
    BLOCKS,
    STREAM,
    VERTICAL_SLASH,
    HeadPattern,
    read,
    written,
)

SHAPE = CacheShape.even(
    layers=3, attention_layers=(0, 1, 2), query_heads=4, kv_heads=2, head_dim=32, dtype_bytes=4
)
SCALE = 0.5


def made(tokens: int, seed: int = 0, group: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    q = torch.randn(2, group, tokens, 16, generator=generator)
    return (
        q,
        torch.randn(2, tokens, 16, generator=generator),
        torch.randn(2, tokens, 16, generator=generator),
    )


def dense_weights(q: Tensor, k: Tensor) -> Tensor:
    hidden = ~reference.causal_mask(len(q), len(q))
    return torch.softmax((q @ k.T * SCALE).masked_fill(hidden, float("-inf")), dim=-1)


def mask_of(method: MInference, q: Tensor, k: Tensor, pattern: HeadPattern) -> Tensor:
    columns, offsets = method.marks(q, k, pattern, SCALE)
    tiles = method.mask == "tile64" and pattern.kind == VERTICAL_SLASH
    return sparse.vertical_slash_mask(columns, offsets, whole_tiles=tiles)


@settings(deadline=None, max_examples=25)
@given(tokens=st.integers(1, 200), seed=st.integers(0, 9))
def test_estimates_are_sums_of_the_last_rows_attention_per_key_and_per_offset(
    tokens: int, seed: int
) -> None:
    q, k, _ = made(tokens, seed)
    weights = dense_weights(q[0, 0], k[0])[-64:]
    by_offset = torch.zeros(tokens)
    for row, line in enumerate(weights, start=max(0, tokens - 64)):
        by_offset[: row + 1] += line[: row + 1].flip(0)
    columns, offsets = vertical_slash_scores(q[0, 0], k[0], SCALE)
    torch.testing.assert_close(columns, weights.sum(dim=0), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(offsets, by_offset, atol=1e-5, rtol=1e-5)


@settings(deadline=None, max_examples=25)
@given(
    tokens=st.integers(2, 330),
    budget=st.integers(20, 200),
    mask=st.sampled_from(["exact", "tile64"]),
    seed=st.integers(0, 9),
)
def test_it_equals_attention_under_its_mask(tokens: int, budget: int, mask: str, seed: int) -> None:
    method = MInference(budget_tokens=budget, mask=mask)  # type: ignore[arg-type]
    q, k, v = made(tokens, seed)
    ours = method.attend(q, k, v, layer=0, scale=SCALE, total_tokens=tokens)
    for head in range(2):
        for member in range(2):
            visible = mask_of(method, q[head, member], k[head], method.pattern(0, 0, tokens))
            wanted = reference.attend(
                q[head : head + 1, member : member + 1],
                k[head : head + 1],
                v[head : head + 1],
                scale=SCALE,
                mask_TS=visible,
            )
            for own, other in zip(ours, wanted, strict=True):
                torch.testing.assert_close(own[head, member], other[0, 0], atol=1e-5, rtol=1e-5)


@settings(deadline=None, max_examples=30)
@given(
    tokens=st.integers(2, 330),
    vertical=st.integers(0, 60),
    slash=st.integers(1, 60),
    seed=st.integers(0, 9),
)
def test_masks_are_nested_never_empty_and_larger_sizes_keep_more_of_the_last_rows(
    tokens: int, vertical: int, slash: int, seed: int
) -> None:
    q, k, _ = made(tokens, seed)
    method, tiled = MInference(tau=Fraction(1, 4)), MInference(tau=Fraction(1, 4), mask="tile64")
    pattern = HeadPattern(VERTICAL_SLASH, vertical, slash)
    exact, tiles = (mask_of(one, q[0, 0], k[0], pattern) for one in (method, tiled))
    assert bool((exact <= tiles).all())
    assert bool(exact.diagonal().all())
    weights = dense_weights(q[0, 0], k[0])
    kept = float((weights * exact)[-64:].sum())
    for larger in (
        HeadPattern(VERTICAL_SLASH, vertical + 9, slash),
        HeadPattern(VERTICAL_SLASH, vertical, slash + 9),
    ):
        assert float((weights * mask_of(method, q[0, 0], k[0], larger))[-64:].sum()) >= kept - 1e-5


@pytest.mark.parametrize("sizes", [(500, 1), (0, 500)])
def test_as_many_columns_or_offsets_as_tokens_is_dense(sizes: tuple[int, int]) -> None:
    q, k, v = made(150)
    method = MInference(vertical_tokens=sizes[0], slash_tokens=sizes[1])
    wanted = reference.attend(q, k, v, scale=SCALE, mask_TS=reference.causal_mask(150, 150))
    torch.testing.assert_close(
        method.attend(q, k, v, layer=0, scale=SCALE, total_tokens=150), wanted, atol=1e-5, rtol=1e-5
    )


def test_a_heavy_column_and_a_heavy_offset_are_found() -> None:
    q, k, _ = made(300)
    k[0, 120] = 4.0
    q[0, 0] += 1.0  # every query likes key 120
    columns, _ = MInference(vertical_tokens=31, slash_tokens=101).marks(
        q[0, 0], k[0], HeadPattern(VERTICAL_SLASH, 31, 101), SCALE
    )
    assert columns.nonzero().flatten().tolist() == [*range(30), 120]
    q[1, 0, 150:] = 9 * k[1, :150]  # every query likes the key 150 before it
    _, offsets = MInference(vertical_tokens=31, slash_tokens=101).marks(
        q[1, 0], k[1], HeadPattern(VERTICAL_SLASH, 31, 101), SCALE
    )
    assert offsets.nonzero().flatten().tolist() == [*range(100), 150]


@pytest.mark.parametrize(
    ("tokens", "tau", "sizes", "forced"),
    [
        (131_072, "1/32", (819, 3_277), (30, 100)),
        (4_096, "1/32", (26, 102), (7, 26)),
        (2_048, "1/32", (13, 51), (4, 13)),
        (1_024, "1/8", (26, 102), (7, 26)),
    ],
)
def test_a_share_maps_to_the_published_sizes(
    tokens: int, tau: str, sizes: tuple[int, int], forced: tuple[int, int]
) -> None:
    method = MInference(tau=Fraction(tau))
    pattern = method.pattern(0, 0, tokens)
    assert (pattern.first, pattern.second) == sizes
    assert method.forced(pattern, tokens) == forced


def test_too_small_a_share_is_refused_with_the_smallest_that_works() -> None:
    with pytest.raises(Mismatch, match="tau=39/2000"):
        parse("minference[tau=1/64]").check(shape=SHAPE, tokens=1_000)
    parse("minference[tau=39/2000]").check(shape=SHAPE, tokens=1_000)
    with pytest.raises(Mismatch, match="mask=tile64 at least 128"):
        parse("minference[tau=1/16,mask=tile64]").check(shape=SHAPE, tokens=1_000)


@pytest.mark.parametrize(
    "text",
    [
        "minference[vertical_tokens=9]",
        "minference[vertical_tokens=9,slash_tokens=9,tau=1/2]",
        "minference[vertical_tokens=0,slash_tokens=0]",
    ],
)
def test_sizes_that_contradict_each_other_are_refused(text: str) -> None:
    with pytest.raises(Mismatch):
        parse(text)


def table_file(tmp_path: Path, layers: int = 3) -> Path:
    head = {
        "0": [VERTICAL_SLASH, 40, 60, 0.9],
        "1": [STREAM, 10, 30, 0.8],
        "2": [BLOCKS, 2, 0, 0.7],
    }
    file = tmp_path / "patterns.json"
    file.write_text(json.dumps([head] * layers))
    return file


def test_a_table_gives_every_listed_head_its_own_pattern(tmp_path: Path) -> None:
    method = MInference(table=str(table_file(tmp_path)))
    q, k, v = made(260)
    ours = method.attend(q, k, v, layer=1, scale=SCALE, total_tokens=260).out
    seen = best_blocks(q[1, 0], k[1], 2)
    rows, keys = torch.arange(260).unsqueeze(1), torch.arange(260)
    masks = {
        (0, 0): mask_of(method, q[0, 0], k[0], HeadPattern(VERTICAL_SLASH, 40, 60)),
        (0, 1): (keys <= rows) & ((keys < 10) | (rows - keys < 30)),
        (1, 0): sparse.block_mask(seen[None, None], 64, 260)[0, 0],
        (1, 1): reference.causal_mask(260, 260),  # not listed: 1,000 columns of 260
    }
    for (head, member), visible in masks.items():
        wanted, _ = reference.attend(
            q[head : head + 1, member : member + 1],
            k[head : head + 1],
            v[head : head + 1],
            scale=SCALE,
            mask_TS=visible,
        )
        torch.testing.assert_close(ours[head, member], wanted[0, 0], atol=1e-5, rtol=1e-5)


def test_a_block_head_always_sees_its_own_block() -> None:
    q, k, _ = made(300)
    k[0, 256:] = -9 * q[0, 0, 256:]  # the last block is the worst for its own queries
    assert bool(best_blocks(q[0, 0], k[0], 1).equal(torch.eye(5, dtype=torch.bool)))


def test_a_table_is_scaled_to_the_mean_budget(tmp_path: Path) -> None:
    method = MInference(table=str(table_file(tmp_path)), tau=Fraction(1, 4))
    found = [
        method.pattern(0, head, 1_072) for head in range(3)
    ]  # K = 268, mean of the table is 268 / 3
    assert [(p.first, p.second) for p in found] == [(120, 180), (30, 90), (6, 0)]
    assert method.notes(shape=SHAPE, tokens=1_072) == ("keys_per_row=268",)


def test_laws_hold_for_a_table_of_all_three_kinds(tmp_path: Path) -> None:
    found = examine(tiny("gqa"), parse(f"minference[table={table_file(tmp_path)}]"))
    assert not [verdict for verdict in found.values() if verdict.startswith("broken")]


def test_another_table_under_the_same_path_is_another_method(tmp_path: Path) -> None:
    file = table_file(tmp_path)
    before = parse(f"minference[table={file}]").source_digest
    file.write_text(file.read_text().replace("40", "41"))
    assert parse(f"minference[table={file}]").source_digest != before


def test_a_table_of_another_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Mismatch, match="2 layers"):
        parse(f"minference[table={table_file(tmp_path, layers=2)}]").check(shape=SHAPE, tokens=500)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "{}",
        '[{"0": ["vertical", 1, 2, 0.5]}]',
        '[{"x": ["stream_llm", 1, 2, 0.5]}]',
        '[{"0": ["block_sparse", 0, 0]}]',
        '[{"0": ["flex_vertical_and_slash", [0.9, 4096], [0.9, 4096], 0.0]}]',
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "patterns.json"
    file.write_text(text)
    with pytest.raises(BadConfig, match="pattern file"):
        parse(f"minference[table={file}]")


def test_a_table_written_and_read_is_the_same(tmp_path: Path) -> None:
    table = read(str(table_file(tmp_path)))
    again = tmp_path / "again.json"
    again.write_text(written(table))
    assert read(str(again)) == table
