"""DuoAttention: sizes of section 6, the same heads for every prompt, and streaming heads that
forget the middle.
"""

from __future__ import annotations

import json
from fractions import Fraction
from functools import cache
from pathlib import Path

import pytest
import torch

from scbench.engines.tiny import tiny
from scbench.errors import BadConfig, Mismatch
from scbench.exam.laws import context
from scbench.kv import CacheShape, Stream
from scbench.methods import parse
from scbench.methods.cards import card
from scbench.methods.compression.duo_attention import DuoAttention
from scbench.methods.fork import fork

engine = cache(tiny)
SHAPE = CacheShape.even(
    layers=32,
    attention_layers=tuple(range(32)),
    query_heads=32,
    kv_heads=8,
    head_dim=128,
    dtype_bytes=2,
)
COLUMNS = [(131072, 32), (4096, 32), (2048, 32), (1024, 8)]  # tokens, 1 / tau of section 6.3
GATES = [[0.1, 0.9], [0.8, 0.2], [0.3, 0.85]]


def lengths(stream: Stream) -> list[list[int]]:
    return [[len(stream.positions(layer, head)) for head in range(2)] for layer in stream.layers]


@pytest.fixture
def gates_file(tmp_path: Path) -> Path:
    path = tmp_path / "gates.json"
    path.write_text(json.dumps(GATES), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("column", "want"),
    list(zip(COLUMNS, [(7, 64, 256), (7, 4, 12), (7, 4, 4), (28, 4, 12)], strict=True)),
)
def test_sizes_are_those_of_the_table(column: tuple[int, int], want: tuple[int, int, int]) -> None:
    tokens, share = column
    assert DuoAttention(tau=Fraction(1, share)).sizes(heads=256, tokens=tokens) == want


@pytest.mark.parametrize("share", [2, 4, 8, 16, 32])
@pytest.mark.parametrize("tokens", [1024, 1333, 4096, 131072])
def test_the_realised_share_is_never_above_the_asked_one(share: int, tokens: int) -> None:
    method = parse(f"duo-attention[tau=1/{share}]")
    budget = int(Fraction(tokens, share) + Fraction(1, 2))
    held = method.held_bytes(shape=SHAPE, tokens=tokens) - 32 * 8 * 9
    assert SHAPE.token_bytes * budget - 2 * tokens * 128 * 2 < held <= SHAPE.token_bytes * budget


def test_the_heads_with_the_largest_gates_are_full(gates_file: Path) -> None:
    method = parse(
        f"duo-attention[full_share=1/2,sink_tokens=3,recent_tokens=10,gates={gates_file}]"
    )
    stream = fork(engine("gqa").read(context()), method)
    assert lengths(stream) == [[13, 230], [230, 13], [13, 230]]
    assert stream.positions(0, 0).tolist() == [0, 1, 2, *range(220, 230)]
    assert stream.held_bytes() == method.held_bytes(shape=engine("gqa").facts.shape, tokens=230)


def test_the_same_heads_are_full_for_every_prompt() -> None:
    local, method = engine("gqa"), parse("duo-attention[tau=1/2]")
    one = lengths(fork(local.read(context(), needs=method.needs), method))
    two = lengths(fork(local.read(context()[::-1], needs=method.needs), method))
    assert one == two
    assert {230} < {length for row in one for length in row}


def test_the_proxy_is_the_models_alone_and_tells_heads_apart() -> None:
    one, two = (
        tiny("gqa", check=False).read(context(tokens), needs=["head-gates"]) for tokens in (40, 90)
    )
    gates = torch.stack(
        [seen.head_gates_H for seen in one.observed.values() if seen.head_gates_H is not None]
    )
    assert gates.shape == (3, 2)
    assert ((gates >= 0) & (gates <= 1)).all()
    assert gates.unique().numel() == 6
    for layer, seen in two.observed.items():
        assert torch.equal(seen.head_gates_H, one.observed[layer].head_gates_H)  # type: ignore[arg-type]


def test_a_model_without_positions_has_gates_of_one_half() -> None:
    seen = next(iter(engine("jamba").read(context(40), needs=["head-gates"]).observed.values()))
    assert seen.head_gates_H is not None
    assert seen.head_gates_H.tolist() == pytest.approx([0.5, 0.5], abs=1e-3)


def test_all_heads_full_is_dense() -> None:
    method = parse("duo-attention[full_share=1]")
    stream = fork(engine("gqa").read(context(), needs=method.needs), method)
    assert stream.notes == ("budget_not_binding",)
    assert stream.held_bytes() == engine("gqa").facts.shape.dense_bytes(230)


def test_gates_are_part_of_its_identity(gates_file: Path) -> None:
    method = parse(f"duo-attention[gates={gates_file}]")
    before = method.source_digest
    gates_file.write_text(json.dumps([row[::-1] for row in GATES]), encoding="utf-8")
    assert method.source_digest != before


def test_gates_of_another_model_are_refused(gates_file: Path) -> None:
    with pytest.raises(Mismatch, match="32 lists of 8 gates"):
        parse(f"duo-attention[gates={gates_file}]").check(shape=SHAPE, tokens=4096)


@pytest.mark.parametrize("text", ["no json", '{"a": 1}', "[[1, null]]"])
def test_a_gates_file_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "gates.json"
    with pytest.raises(BadConfig, match="gates file is JSON"):
        parse(f"duo-attention[gates={path}]")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadConfig, match="gates file is JSON"):
        parse(f"duo-attention[gates={path}]")


def test_a_budget_below_one_full_head_is_refused_with_the_smallest_that_has_one() -> None:
    small = CacheShape.even(
        layers=3, attention_layers=(0, 1, 2), query_heads=4, kv_heads=2, head_dim=32, dtype_bytes=4
    )
    with pytest.raises(Mismatch, match="smallest share is tau=") as refused:
        parse("duo-attention[tau=1/10]").check(shape=small, tokens=230)
    least = Fraction(str(refused.value).split("tau=")[-1].split(" ")[0])
    parse(f"duo-attention[tau={least}]").check(shape=small, tokens=230)
    with pytest.raises(Mismatch):
        parse(f"duo-attention[tau={least - Fraction(1, 1000)}]").check(shape=small, tokens=230)


@pytest.mark.parametrize("preset", ["paper", "code", "mha"])
def test_presets_can_be_named_and_are_listed(preset: str) -> None:
    assert preset in card("duo-attention").presets
    method = parse(f"duo-attention[preset={preset}]")
    assert parse(str(method)) == method
    full = {"paper": 128, "code": 128, "mha": 64}[preset]
    window = 384 if preset == "code" else 320
    held = method.held_bytes(shape=SHAPE, tokens=8192) - 32 * 8 * 9
    assert held == (full * 8192 + (256 - full) * window) * 2 * 128 * 2
