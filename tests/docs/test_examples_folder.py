"""The scripts and notebooks of examples/ run as they stand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from docs.trees import environment

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


def code_of(notebook: Path) -> str:
    """Its cells as one program; the last line of each is printed, as a notebook shows it."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(one["source"]) for one in cells if one["cell_type"] == "code")


def played(words: list[str], folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment(ROOT, folder / "programs"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_runs_and_says_something(script: Path, tmp_path: Path) -> None:
    assert len(played([str(script)], tmp_path).splitlines()) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs_from_top_to_bottom(notebook: Path, tmp_path: Path) -> None:
    code = code_of(notebook)
    assert len(code.splitlines()) >= 10
    program = tmp_path / "cells.py"
    program.write_text(code, encoding="utf-8")
    played([str(program)], tmp_path)


def test_there_are_five_scripts_and_two_notebooks_and_the_page_names_them() -> None:
    told = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert len(SCRIPTS) >= 5
    assert len(NOTEBOOKS) >= 2
    assert [path.name for path in (*SCRIPTS, *NOTEBOOKS) if f"({path.name})" not in told] == []
