"""The search for patterns finds what was planted, and writes what MInference reads."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from scbench.engines.tiny import tiny
from scbench.errors import Mismatch
from scbench.exam.laws import context
from scbench.methods import parse
from scbench.methods.generation.minference_patterns import BLOCKS, STREAM, VERTICAL_SLASH, written
from scbench.methods.generation.minference_search import best_pattern, candidates
from scbench.search.patterns import search_patterns

TOKENS = 512


def planted(kind: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Queries and keys of a head whose attention has one form."""
    generator = torch.Generator().manual_seed(3)
    q, k = (0.1 * torch.randn(TOKENS, 64, generator=generator) for _ in "qk")
    if kind == "columns":
        k[100:140, 0], q[:, 0] = 9.0, 9.0
    if kind == "blocks":  # blocks of 64 talk to the block three before, in any order inside
        for block in range(3, 8):
            (
                q[block * 64 : block * 64 + 64, block],
                k[(block - 3) * 64 : (block - 2) * 64, block],
            ) = 9.0, 9.0
    return q, k


@pytest.mark.parametrize(("form", "kind"), [("columns", VERTICAL_SLASH), ("blocks", BLOCKS)])
def test_a_planted_form_is_found(form: str, kind: str) -> None:
    found = best_pattern(*planted(form), candidates(128), scale=1.0)
    assert found.kind == kind
    assert found.score > 0.9


def test_columns_are_bought_where_columns_count() -> None:
    found = best_pattern(*planted("columns"), candidates(128), scale=1.0)
    assert found.first >= 40


def test_a_head_that_looks_at_its_neighbours_needs_no_more_than_sinks_and_a_band() -> None:
    q = k = torch.eye(TOKENS)  # every row looks at itself
    assert best_pattern(9 * q, 9 * k, candidates(128), scale=1.0).kind == STREAM


@pytest.mark.parametrize("budget", [64, 100, 850, 4096])
def test_all_candidates_see_as_many_keys(budget: int) -> None:
    for pattern in candidates(budget):
        assert pattern.keys == (budget // 64 * 64 if pattern.kind == BLOCKS else budget)
        assert pattern.kind == BLOCKS or pattern.second >= 16


def test_a_table_of_a_model_can_be_used_on_it(tmp_path: Path) -> None:
    engine = tiny("gqa")
    table = search_patterns(engine, context(300))
    assert [sorted(layer) for layer in table] == [[0, 1, 2, 3]] * 3
    assert all(0 < pattern.score <= 1 for layer in table for pattern in layer.values())
    file = tmp_path / "found.json"
    file.write_text(written(table))
    method = parse(f"minference[table={file}]")
    method.check(shape=engine.facts.shape, tokens=300)
    assert engine.read(context(300), pattern=method.generation).logical_tokens == 300


def test_the_search_itself_reads_densely() -> None:
    engine = tiny("gqa")
    before = engine.read(context(200)).logits_V
    search_patterns(engine, context(200))
    torch.testing.assert_close(engine.read(context(200)).logits_V, before)


def test_a_text_too_short_to_tell_patterns_apart_is_refused() -> None:
    with pytest.raises(Mismatch, match="128 tokens or more"):
        search_patterns(tiny("gqa"), context(100))


def test_the_command_writes_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    from typer.testing import CliRunner

    from scbench import cli, commands  # noqa: F401  (commands register themselves)
    from scbench.engines import load

    monkeypatch.setattr(load, "load", lambda name, **_: tiny("gqa"))
    file = tmp_path / "table.json"
    done = CliRunner().invoke(
        cli.app, ["search-patterns", "tiny", "--out", str(file), "--length", "2k"]
    )
    assert done.exit_code == 0, done.output
    assert "12 heads" in done.output
    assert [sorted(layer) for layer in json.loads(file.read_text())] == [["0", "1", "2", "3"]] * 3
