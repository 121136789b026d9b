"""What the methods are, read from their source without importing it: `scbench list` and `scbench report` need no torch.

A stage's name, category, paper and parameters are literals in its class body, so the syntax tree has them all.
"""

from __future__ import annotations

import ast
import importlib.util
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from scbench.errors import Unknown
from scbench.methods.registry import GROUP, PLACES, names

CONTRACT = ("scbench.methods.stage", "scbench.methods.contract")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One stage as its source describes it."""

    name: str
    stage: str  # generation, compression, retrieval, loading; none for the reference
    category: str
    paper: str
    parameters: dict[str, str]  # with their defaults, as written
    presets: tuple[str, ...]


def entries() -> list[Entry]:
    """Every registered method, ours first."""
    return [entry(name) for name in names()]


def entry(name: str) -> Entry:
    """The method of that name, or of `path/to/file.py:ClassName`. Raises Unknown."""
    path, class_name = _where(name)
    found = _described(path, class_name)
    category = str(found.get("category", ""))
    return Entry(
        name=str(found.get("name") or name),
        stage="none" if category == "reference" else str(found.get("stage", "")),
        category=category,
        paper=str(found.get("paper", "")),
        parameters=found["parameters"],
        presets=tuple(found.get("presets", {})),
    )


def _where(name: str) -> tuple[Path, str]:
    if ".py:" in name:
        file, _, class_name = name.rpartition(":")
        return Path(file).expanduser(), class_name
    places = {**{point.name: point.value for point in entry_points(group=GROUP)}, **PLACES}
    if name not in places:
        raise Unknown(f"no method is called {name!r}; `scbench list methods` shows them all")
    module, _, class_name = places[name].partition(":")
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise Unknown(f"the method {name!r} is registered at {module}, which is not installed")
    return Path(spec.origin), class_name


def _described(path: Path, class_name: str) -> dict[str, Any]:
    """Class constants and parameters, those of base classes first (in the contract, in another file of ours, or in the same file)."""
    classes = {name: node for place in (*_contract(), *_imported(path), path) for name, node in _classes(place).items()}
    if class_name not in classes:
        raise Unknown(f"{path} has no class {class_name!r}")
    found: dict[str, Any] = {"parameters": {}}
    for node in _lineage(classes[class_name], classes):
        for line in node.body:
            if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.value is not None:
                word = line.target.id
                if "ClassVar" in ast.unparse(line.annotation):
                    found[word] = _literal(line.value)
                elif "init=False" not in ast.unparse(line.value):
                    found["parameters"][word] = ast.unparse(line.value).strip("'\"").replace("None", "none")
    return found


def _lineage(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> list[ast.ClassDef]:
    bases = [classes[base.id] for base in node.bases if isinstance(base, ast.Name) and base.id in classes]
    return [ancestor for base in bases for ancestor in _lineage(base, classes)] + [node]


@cache
def _classes(path: Path) -> dict[str, ast.ClassDef]:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except OSError as err:
        raise Unknown(f"there is no file {str(path)!r}") from err
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def _imported(path: Path) -> list[Path]:
    """Our own stages' files that a file names in its imports: a base class may be there."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    ours = [module for module in modules if module.startswith("scbench.methods.") and module.count(".") == 3]
    return [Path(spec.origin) for spec in map(importlib.util.find_spec, ours) if spec is not None and spec.origin is not None]


def _contract() -> list[Path]:
    return [Path(spec.origin) for spec in map(importlib.util.find_spec, CONTRACT) if spec is not None and spec.origin is not None]


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ""
