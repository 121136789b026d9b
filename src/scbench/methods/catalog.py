"""What the methods are, read from their source without importing it: `scbench list` and `scbench report` need no torch.

A stage's name, category, paper and parameters are literals in its class body, so the syntax tree has them all.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from scbench.errors import Unknown
from scbench.methods.registry import GROUP, PLACES, names
from scbench.methods.spelling import PRESET

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
    bytes_formula: str = ""  # per attention layer
    needs: tuple[str, ...] = ()  # in words
    difference: str = ""  # ours from the paper's


COLUMNS = (
    "method",
    "stage",
    "category",
    "paper",
    "bytes held",
    "needs",
    "difference from the paper",
    "parameters and defaults",
    "presets",
)
OBSERVED = {  # what a read notes down, in words
    "window": "last queries",
    "column-sums": "column sums of attention",
    "query-moments": "moments of the queries",
    "repeat-scores": "scores of a repeat",
    "head-gates": "head gates",
}


def entries() -> list[Entry]:
    """Every registered method, ours first."""
    return [entry(name) for name in names()]


def entry(name: str) -> Entry:
    """The method of that name, or of `path/to/file.py:ClassName`. Raises Unknown.

    A report asks for names that stand in somebody's journal: whatever lies there must not end it.
    """
    try:
        return _entry(name)
    except (SyntaxError, ValueError, TypeError, RuntimeError, ImportError) as err:
        raise Unknown(f"{name!r} cannot be described: {type(err).__name__}: {err}") from err


def _entry(name: str) -> Entry:
    path, class_name = _where(name)
    found = _described(path, class_name)
    category = str(found.get("category", ""))
    return Entry(
        name=str(found.get("name") or name) if ".py:" in name else name,
        stage="none" if category == "reference" else str(found.get("stage", "")),
        category=category,
        paper=str(found.get("paper", "")),
        parameters=found["parameters"],
        presets=tuple(found.get("presets", {})),
        bytes_formula=str(found.get("bytes_formula", "")),
        needs=_needs(found),
        difference=str(found.get("difference", "")),
    )


def _needs(found: dict[str, Any]) -> tuple[str, ...]:
    """What a method asks for beyond K and V: of the read, of the number of passes, of the machine."""
    passes = found.get("extra_passes", 0)
    return (
        *(OBSERVED.get(word, word) for word in found.get("needs", ())),
        *(["the whole prefix at once"] if found.get("one_shot") else []),
        *([f"{passes} more pass{'es' * (passes > 1)}"] if passes else []),
        *filter(None, [found.get("needs_also", "")]),
    )


def markdown() -> str:
    """The table of docs/methods.md."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    for one in entries():
        parameters = ", ".join(f"`{key}={value}`" for key, value in one.parameters.items())
        words = (
            one.stage,
            one.category,
            one.paper,
            one.bytes_formula,
            "; ".join(one.needs),
            one.difference,
            parameters,
        )
        lines.append(f"| `{one.name}` | {' | '.join(words)} | {', '.join(one.presets)} |")
    return "\n".join(lines) + "\n"


def _where(name: str) -> tuple[Path, str]:
    if ".py:" in name:
        file, _, class_name = name.rpartition(":")
        path = Path(file).expanduser()
        if not path.is_file():  # a pipe of that name would be waited for
            raise Unknown(f"there is no file {file!r}")
        return path, class_name
    places = {**{point.name: point.value for point in entry_points(group=GROUP)}, **PLACES}
    if name not in places:
        raise Unknown(f"no method is called {name!r}; `scbench list methods` shows them all")
    module, _, class_name = places[name].partition(":")
    return _file(module), class_name


def _described(path: Path, class_name: str) -> dict[str, Any]:
    """Class constants and parameters, those of base classes first, wherever in the room these are written."""
    classes = _classes(path)
    if class_name not in {
        node.name
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    }:
        raise Unknown(f"{path} has no class {class_name!r}")
    constants = _constants(path)
    found: dict[str, Any] = {"parameters": {}}
    for node in _lineage(classes[class_name], classes):
        for line in node.body:
            if (
                isinstance(line, ast.AnnAssign)
                and isinstance(line.target, ast.Name)
                and line.value is not None
            ):
                word = line.target.id
                if "ClassVar" in ast.unparse(line.annotation):
                    found[word] = (
                        _named(line.value, constants) if word == "needs" else _literal(line.value)
                    )
                elif word != PRESET and "init=False" not in ast.unparse(line.value):
                    found["parameters"][word] = _written(
                        constants.get(ast.unparse(line.value), line.value)
                    )
    return found


def _lineage(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> list[ast.ClassDef]:
    bases = [
        classes[base.id] for base in node.bases if isinstance(base, ast.Name) and base.id in classes
    ]
    return [ancestor for base in bases for ancestor in _lineage(base, classes)] + [node]


@cache
def _classes(path: Path) -> dict[str, ast.ClassDef]:
    """The classes a file can name: its own, and those it imports from this package."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except OSError as err:
        raise Unknown(f"there is no file {str(path)!r}") from err
    found: dict[str, ast.ClassDef] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("scbench.methods."):
            found |= _classes(_file(node.module or ""))
    return found | {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def _file(module: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise Unknown(f"the module {module} is not installed")
    return Path(spec.origin)


@cache
def _constants(path: Path) -> dict[str, ast.expr]:
    """What a file, or one it imports from in this package, binds to a name at its top level: a default may be named there."""
    found: dict[str, ast.expr] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("scbench.methods."):
            found |= _constants(_file(node.module or ""))
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = node.value
    return found


def _written(node: ast.expr) -> str:
    """A default as the command line spells it: 29/125 for Fraction(29, 125)."""
    text = re.sub(
        r"Fraction\((\d+)(?:, (\d+))?\)",
        lambda found: "/".join(filter(None, found.groups())),
        ast.unparse(node),
    )
    return text.strip("'\"").replace("None", "none")


def _named(node: ast.expr, constants: dict[str, ast.expr]) -> tuple[Any, ...]:
    """The values of the constants a set is made of: {WINDOW} as ('window',)."""
    names = [
        part.id for part in ast.walk(node) if isinstance(part, ast.Name) and part.id in constants
    ]
    return tuple(sorted(ast.literal_eval(constants[name]) for name in names))


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:  # a table of presets with shares in it is known by its names
        return (
            {ast.literal_eval(key): "" for key in node.keys if key is not None}
            if isinstance(node, ast.Dict)
            else ""
        )
