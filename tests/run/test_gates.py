"""The search for gates goes downhill, finds the head that was made to retrieve, and writes what
duo-attention reads.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
import torch

from scbench.engines.local import LocalEngine
from scbench.engines.tiny import tiny
from scbench.errors import BadConfig, Mismatch
from scbench.exam.laws import context
from scbench.methods import parse
from scbench.play.blending import read_context
from scbench.search import gate_training as gate_search
from scbench.search.gate_training import GateSample
from scbench.search.gates import passkeys, window

HEAD_DIM = 32


def texts(tokens: int = 96, count: int = 3) -> list[GateSample]:
    draw = torch.Generator().manual_seed(1)
    return [
        GateSample(
            torch.randint(512, (tokens,), generator=draw).tolist(), range(tokens - 12, tokens)
        )
        for _ in range(count)
    ]


def planted() -> LocalEngine:
    """KV head 0 of every layer looks at its own neighbourhood whatever stands there; head 1 looks
    for content.
    """
    engine = tiny("qwen2", check=False)
    with torch.no_grad():
        for layer in engine.model.model.layers:
            for projection, rows in (
                (layer.self_attn.q_proj, 2 * HEAD_DIM),
                (layer.self_attn.k_proj, HEAD_DIM),
            ):
                projection.weight[:rows] = 0
                bias = torch.zeros(rows)
                bias.view(-1, HEAD_DIM)[:, :8] = (
                    6.0  # the quick angles of RoPE: alike only where positions are near
                )
                projection.bias[:rows] = bias
    return engine


@cache
def found() -> gate_search.FoundGates:
    return gate_search.search_gates(planted(), texts(), sinks=2, recent=12, steps=40, rate=0.06)


def test_the_objective_goes_down() -> None:
    before, after = found().objective
    assert before == pytest.approx(gate_search.L1_WEIGHT)  # all gates at 1: no distance
    assert after < 0.8 * before
    assert found().distance[1] < 0.02


def test_a_head_that_retrieves_is_told_from_one_that_looks_around() -> None:
    assert all(local < 0.1 and far > 0.6 for local, far in found().gates)


@pytest.mark.parametrize("heads", ["mha", "gqa", "mqa"])
def test_gates_between_none_and_all_of_a_head_mix_two_attentions(heads: str) -> None:
    local = tiny(heads, check=False)
    order = {layer: layer for layer in range(3)}
    kv_heads = local.facts.shape.kv_heads
    sample = texts(count=1)[0]
    with torch.no_grad():
        dense, ones, half = (
            gate_search._hidden(local, sample, gate_search.GatePass(order, gates, 2, 12))
            for gates in (None, torch.ones(3, kv_heads), torch.full((3, kv_heads), 0.5))
        )
    torch.testing.assert_close(ones, dense)
    assert float((half - dense).abs().max()) > 1e-2


def test_the_model_is_left_as_it_was() -> None:
    engine = tiny("mqa", check=False)
    before, digest = engine.read(context(60)).logits_V, engine.facts.shape.model_digest
    gate_search.search_gates(engine, texts(count=1), sinks=2, recent=12, steps=2, rate=0.1)
    torch.testing.assert_close(engine.read(context(60)).logits_V, before)
    assert digest == tiny("mqa", check=False).facts.shape.model_digest
    assert all(weight.requires_grad and weight.grad is None for weight in engine.model.parameters())


def test_the_rows_that_count_are_those_that_predict_an_answer() -> None:
    engine = tiny("gqa", check=False)
    sample = passkeys(engine, length_tokens=400, seed="gates:0")
    pieces = engine.tokenizer.decode([sample.ids[row + 1] for row in sample.rows]).split()
    assert len(pieces) == 4  # of five questions, all but the last one's answer stand in the text
    whole = engine.tokenizer.decode(sample.ids)
    asked = whole[: len(engine.tokenizer.decode(sample.ids[: sample.rows[0]]))]
    assert all(piece in asked for piece in pieces)
    assert passkeys(engine, length_tokens=400, seed="gates:0") == sample
    assert passkeys(engine, length_tokens=400, seed="gates:1") != sample


def test_windows_are_the_papers_where_there_is_room() -> None:
    assert window(32768) == (128, 256)
    assert window(2048) == (64, 128)


def test_what_cannot_be_searched_is_refused() -> None:
    with pytest.raises(Mismatch, match="lose nothing"):
        gate_search.search_gates(
            tiny("mqa", check=False), texts(), sinks=64, recent=64, steps=1, rate=0.1
        )
    with pytest.raises(BadConfig, match="at least 1 step"):
        gate_search.search_gates(
            tiny("mqa", check=False), texts(), sinks=2, recent=8, steps=0, rate=0.1
        )
    short = tiny("mqa", check=False)
    short.sliding_tokens = 50
    with pytest.raises(Mismatch, match="sliding-window layers of 50 tokens"):
        gate_search.search_gates(short, texts(), sinks=2, recent=8, steps=1, rate=0.1)
    with pytest.raises(Mismatch, match="no attention layers"):
        gate_search.search_gates(
            tiny("mamba2", check=False), texts(), sinks=2, recent=8, steps=1, rate=0.1
        )


def test_the_command_writes_gates_that_the_model_can_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from scbench import cli, commands  # noqa: F401  (commands register themselves)
    from scbench.engines import load

    monkeypatch.setattr(load, "load", lambda name, **_: tiny("gqa", check=False))
    file = tmp_path / "gates.json"
    words = [
        "search-gates",
        "tiny",
        "--out",
        str(file),
        "--length",
        "400",
        "--steps",
        "2",
        "--sessions",
        "1",
        "--lr",
        "0.1",
    ]
    done = CliRunner().invoke(cli.app, words)
    assert done.exit_code == 0, done.output
    assert "heads have a gate" in done.output
    said = json.loads(file.read_text())
    assert [len(row) for row in said["gates"]] == [2, 2, 2]
    assert said["made"]["steps"] == 2
    engine = tiny("gqa")
    method = parse(
        f"duo-attention[full_share=1/2,sink_tokens=4,recent_tokens=20,gates={file},prefill=streaming]"
    )
    method.check(shape=engine.facts.shape, tokens=230)
    assert read_context(engine, method, context()).logical_tokens == 230
