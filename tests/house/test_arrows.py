"""The arrows between rooms (docs/map.md draws them); a new arrow fails here first."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src" / "scbench"
MAY_IMPORT: dict[str, set[str]] = {
    "task_cards": set(),
    "scoring": set(),
    "prompts": set(),
    "stats": set(),
    "report": {"stats"},
    "kernels": set(),
    "tasks": {"scoring"},
    "kv": {"kernels"},
    "methods": {"kv", "kernels"},
    "engines": {"kv", "kernels", "prompts"},
    "play": {"prompts", "kv", "methods", "engines", "scoring"},
    "grid": {"tasks", "prompts", "kv", "methods", "engines", "scoring", "play"},
    "lab": {"tasks", "prompts", "engines"},
}
EVERYONE = {"types", "errors", "files", "reading", "code", "console", "task_cards"}
NO_TORCH = ["scoring", "prompts", "stats", "report", "tasks"]


def rooms() -> list[str]:
    return sorted(p.name for p in SRC.iterdir() if p.is_dir() and (p / "__init__.py").exists())


def imported_rooms(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = (
                [node.module]
                if node.module != "scbench"
                else [f"scbench.{alias.name}" for alias in node.names]
            )
        found |= {name.split(".")[1] for name in names if name.startswith("scbench.")}
    return found


def test_every_room_is_on_the_map() -> None:
    assert set(rooms()) <= set(MAY_IMPORT)


@pytest.mark.parametrize("room", rooms())
def test_a_room_reaches_only_where_it_may(room: str) -> None:
    reached = set[str]().union(*(imported_rooms(path) for path in (SRC / room).rglob("*.py")))
    assert reached - {room} - EVERYONE <= MAY_IMPORT[room]


@pytest.mark.parametrize("module", ["scbench", *(f"scbench.{room}" for room in NO_TORCH)])
def test_torch_is_not_imported_by(module: str) -> None:
    if module != "scbench" and not (SRC / module.split(".")[1]).exists():
        pytest.fail(f"{module} is on the map but not in the house")
    code = (
        f"import sys, {module}; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


STAGES = {"Stage", "Generation", "Compression", "Eviction", "Codec", "Retrieval", "Loading"}
STAGES |= {"Dense", "OwnSession", "LoadAll", "Chunked", "Budgeted"}


def asks_for_a_stage(tree: ast.AST) -> list[int]:
    """Lines with isinstance or issubclass of a stage."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("isinstance", "issubclass")
        and STAGES & {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
    ]


def test_nobody_outside_methods_asks_what_kind_a_stage_is() -> None:
    """What must be known of a stage it says itself (`Traits`)."""
    found = {
        str(path.relative_to(SRC)): lines
        for path in SRC.rglob("*.py")
        if "methods" not in path.relative_to(SRC).parts
        and (lines := asks_for_a_stage(ast.parse(path.read_text(encoding="utf-8"))))
    }
    assert found == {}
    assert asks_for_a_stage(ast.parse("if isinstance(stage, (int, Dense)): pass")) == [1]
