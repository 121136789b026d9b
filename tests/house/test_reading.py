"""One door for JSON: no other file of ours decodes what comes from outside."""

from __future__ import annotations

import ast
from pathlib import Path

SRC = Path(__file__).parents[2] / "src" / "scbench"
DECODES = {"json.load", "json.loads", "msgspec.json.decode", "msgspec.json.Decoder"}
# The door itself; texts of our own making; and typed decoding right behind `reading.check`.
MAY_DECODE = {
    "reading.py",
    "lab/train.py",
    "report/drawing.py",
    "ledger/facts.py",
    "ledger/lines.py",
    "ledger/manifest.py",
    "ledger/store.py",
    "tasks/published.py",
}
BEHIND_CHECK = {"ledger/lines.py", "ledger/store.py", "tasks/published.py"}


def calls(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def test_nothing_else_decodes_json() -> None:
    found = {str(path.relative_to(SRC)) for path in SRC.rglob("*.py") if calls(path) & DECODES}
    assert found - MAY_DECODE == set()


def test_typed_decoding_stands_behind_the_limits() -> None:
    assert {name for name in BEHIND_CHECK if not calls(SRC / name) & {"check", "limits"}} == set()
