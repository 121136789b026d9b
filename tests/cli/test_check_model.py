"""`scbench check-model`: laws of a tokenizer and its template, printed for a user's model."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gates.bench import tokenizer
from scbench.cli import app
from scbench.exam.gate_laws import LAWS


def folder(tmp_path: Path, kind: str, template: str) -> Path:
    tokenizer(kind, template).raw.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("template", ["ChatML", "opens a thought"])
def test_every_law_has_a_line_and_a_sound_model_passes(tmp_path: Path, template: str) -> None:
    found = CliRunner().invoke(app, ["check-model", str(folder(tmp_path, "byte-level", template))])
    assert found.exit_code == 0, found.output
    assert found.output.count("│ holds") == len(LAWS)
    assert "<|im_end|>" in found.output


def test_a_model_that_a_run_would_refuse_ends_with_one(tmp_path: Path) -> None:
    path = folder(tmp_path, "byte-level", "header left out")
    found = CliRunner().invoke(app, ["check-model", str(path)])
    assert found.exit_code == 1
    assert "refused" in found.output
    assert CliRunner().invoke(app, ["check-model", str(path), "--plain"]).exit_code == 0
