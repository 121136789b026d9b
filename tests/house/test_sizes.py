"""Size is a thermometer: the long tail of files and functions is looked at, not grown."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src" / "scbench"
FILES = sorted(path for path in SRC.rglob("*.py"))
MOST_LINES = 430
MOST_BODY_LINES = 60  # a signature is not counted: one parameter a line is how it reads best


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SRC)))
def test_a_file_is_one_noun_long(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SRC)))
def test_a_function_can_be_seen_whole(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    bodies = {node.name: (node.end_lineno or 0) - node.body[0].lineno + 1 for node in functions}
    assert {name: lines for name, lines in bodies.items() if lines > MOST_BODY_LINES} == {}
