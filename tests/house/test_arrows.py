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
    "ledger": {"tasks"},
    "grid": {"tasks", "prompts", "kv", "methods", "engines", "scoring", "play", "ledger"},
    "exam": {
        "tasks",
        "prompts",
        "kernels",
        "kv",
        "methods",
        "engines",
        "scoring",
        "play",
        "ledger",
        "grid",
    },
    "search": {"tasks", "prompts", "methods", "engines", "grid"},
    "attention": {"prompts", "kernels", "kv", "methods", "engines", "play", "grid"},
    "lab": {"tasks", "prompts", "engines"},
    "front": {"prompts", "kv", "methods", "engines", "play"},
    "against": {"stats", "ledger"},
    "export": {"stats"},
    "view": set(),
}
ABOVE = {"commands"}  # beside `cli`, `api`, `result` and the words of a run: may reach everything
EVERYONE = {
    "types",
    "modes",
    "answering",
    "errors",
    "files",
    "reading",
    "code",
    "console",
    "extras",
    "system",
    "tensors",
    "task_cards",
}
NO_TORCH = [
    "scoring",
    "prompts",
    "stats",
    "report",
    "tasks",
    "ledger",
    "against",
    "export",
    "view",
    "commands",
    "cli",
]


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
    assert set(rooms()) == set(MAY_IMPORT) | ABOVE


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_reaches_only_where_it_may(room: str) -> None:
    reached = set[str]().union(*(imported_rooms(path) for path in (SRC / room).rglob("*.py")))
    assert reached - {room} - EVERYONE <= MAY_IMPORT[room]


@pytest.mark.parametrize("module", ["scbench", *(f"scbench.{room}" for room in NO_TORCH)])
def test_torch_is_not_imported_by(module: str) -> None:
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


def imported_modules(path: Path) -> set[str]:
    """Modules of ours that a file imports wherever it stands, but for the eyes of a type
    checker.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    unseen = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in unseen:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def module_of(path: Path) -> str:
    parts = ("scbench", *path.relative_to(SRC).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def circles(arrows: dict[str, set[str]]) -> list[set[str]]:
    """Modules that reach each other. A module goes when all that it imports has gone."""
    left = {name: targets - {name} for name, targets in arrows.items()}
    while ends := [name for name, targets in left.items() if not targets & left.keys()]:
        for name in ends:
            del left[name]
    starts = dict(left)
    while ends := [name for name in starts if not any(name in t for t in starts.values())]:
        for name in ends:
            del starts[name]
    return [set(starts)] if starts else []


def test_no_module_reaches_itself() -> None:
    """A package's own file gathers what stands in it, and is no part of a circle."""
    files = [path for path in SRC.rglob("*.py") if path.name != "__init__.py"]
    arrows = {module_of(path): imported_modules(path) for path in files}
    assert circles(arrows) == []
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [{"b", "c"}]
