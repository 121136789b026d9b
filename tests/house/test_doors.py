"""Materials of generated tasks are reached by their doors: nobody imports what is behind."""

from __future__ import annotations

import ast
from pathlib import Path

SRC = Path(__file__).parents[2] / "src" / "scbench"
ROOM = "scbench.tasks.materials"
INSIDE = SRC / "tasks" / "materials"
FOLDERS = {path.parent.name for path in INSIDE.glob("*/__init__.py")}


def past_the_door(tree: ast.AST) -> list[str]:
    """Names that are imported from behind a door; from the room itself only doors are."""
    found: list[str] = []
    for node in ast.walk(tree):
        names = [alias.name for alias in getattr(node, "names", []) if isinstance(alias, ast.alias)]
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if module.removeprefix(f"{ROOM}.") in FOLDERS:
                found += [f"{module}.{name}" for name in names if name not in exported(module)]
            names = [module]
        if isinstance(node, ast.Import | ast.ImportFrom):
            deep = [name for name in names if name.startswith(f"{ROOM}.")]
            found += [name for name in deep if name.count(".") > ROOM.count(".") + 1]
    return found


def exported(door: str) -> list[str]:
    """What `__all__` of a door says."""
    path = INSIDE / door.rpartition(".")[2] / "__init__.py"
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return []


def test_tasks_take_materials_by_their_doors() -> None:
    found = {
        str(path.relative_to(SRC)): names
        for path in SRC.rglob("*.py")
        if INSIDE not in path.parents
        and (names := past_the_door(ast.parse(path.read_text(encoding="utf-8"))))
    }
    assert found == {}


def test_one_material_takes_another_by_its_door_too() -> None:
    found: dict[str, list[str]] = {}
    for folder in FOLDERS:
        for path in (INSIDE / folder).rglob("*.py"):
            names = past_the_door(ast.parse(path.read_text(encoding="utf-8")))
            own = f"{ROOM}.{folder}."
            if strays := [name for name in names if not name.startswith(own)]:
                found[str(path.relative_to(SRC))] = strays
    assert found == {}


def test_no_material_imports_a_task() -> None:
    tasks = {f"scbench.tasks.{path.stem}" for path in (SRC / "task_cards").glob("*.py")}
    for path in INSIDE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert modules & tasks == set(), path


def test_a_way_around_a_door_is_seen() -> None:
    assert len(FOLDERS) == 4
    around = {
        f"from {ROOM}.story.english import ENGLISH": f"{ROOM}.story.english",
        f"import {ROOM}.story.world": f"{ROOM}.story.world",
        f"from {ROOM}.story import casting": f"{ROOM}.story.casting",
    }
    for line, name in around.items():
        assert past_the_door(ast.parse(line)) == [name]
    allowed = (f"from {ROOM}.story import ENGLISH", f"from {ROOM}.words import WORDS", "import ast")
    for line in allowed:
        assert past_the_door(ast.parse(line)) == []
