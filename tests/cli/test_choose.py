"""`scbench choose` names methods of a run by what is sure of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from quick import quick
from typer.testing import CliRunner

from scbench import commands  # noqa: F401  (registers)
from scbench.cli import app
from scbench.errors import BadConfig


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("choose") / "run"
    quick(
        out,
        model="toy",
        tasks="kv",
        length="512",
        sessions=6,
        turns=2,
        methods="dense,knorm[tau=1/8|3/4],prefix",
    )
    return out


@pytest.mark.slow
def test_it_names_who_keeps_and_who_breaks_and_what_would_tell(folder: Path) -> None:
    assert "surely keep it" in told(folder, "40")["prefix"]
    tight = told(folder, "20")
    assert "same answers so far" in tight["prefix"]  # a loss of 29 points is not excluded yet
    assert "more" in tight["prefix"]
    assert "surely do not" in tight["knorm[tau=1/8]"]


def told(folder: Path, max_loss: str) -> dict[str, str]:
    """The row of every method under a bound."""
    found = CliRunner().invoke(app, ["choose", str(folder), "--max-loss", max_loss])
    assert found.exit_code == 0, found.output
    rows = [line for line in found.output.splitlines() if line.startswith("│")]
    return {line.strip("│").split()[0]: line for line in rows}


def test_bytes_can_be_bounded(folder: Path) -> None:
    found = CliRunner().invoke(app, ["choose", str(folder), "--max-bytes", "1/4"])
    assert "use more bytes" in found.output
    assert "holds 100.0 % of dense" in " ".join(found.output.split())


@pytest.mark.parametrize(
    "words", [["--max-loss", "0"], ["--max-bytes", "x"], ["--mode", "both"], ["--max-loaded", "-1"]]
)
def test_a_bound_that_means_nothing_is_refused(folder: Path, words: list[str]) -> None:
    found = CliRunner().invoke(app, ["choose", str(folder), *words])
    assert isinstance(found.exception, BadConfig)
