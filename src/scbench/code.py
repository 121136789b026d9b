"""Digests of our own source: what a number depends on, by module, without hand-raised versions.

A leaf like `types` and `errors`; nothing is imported to be looked at. Comments, docstrings and
layout do not count, so that explaining a line better makes nobody play a grid again.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

PACKAGE = "scbench"
ROOT = Path(__file__).resolve().parent
# Nouns, messages and files: no arithmetic. What of them moves a number is in the key by value.
_LEAVES = (
    "types",
    "modes",
    "answering",
    "errors",
    "files",
    "reading",
    "code",
    "extras",
    "system",
    "tensors",
)
LEAVES = frozenset(f"{PACKAGE}.{name}" for name in _LEAVES)


def house_code(roots: Iterable[str], *, without: Iterable[str] = ()) -> dict[str, str]:
    """Module to digest: our modules `roots` and all of ours that they import, directly or not.

    Imports inside functions count, those for type checkers alone do not. `without` names modules,
    or packages, that are left out with what only they import.
    """
    closed = tuple(without)
    found: dict[str, str] = {}
    waiting = list(roots)
    while waiting:
        module = waiting.pop()
        if module in found or module in LEAVES or _is_within(module, closed):
            continue
        path = house_file(module)
        if path is None:
            continue
        found[module] = code_digest(path.read_bytes())
        is_package = path.name == "__init__.py"
        names = imports(path.read_bytes(), module, is_package=is_package)
        waiting += [name for name in names if _is_house(name)]
    return dict(sorted(found.items()))


def digest_of(parts: dict[str, str]) -> str:
    """One SHA-256 over names and digests."""
    seal = hashlib.sha256()
    for name, digest in sorted(parts.items()):
        seal.update(f"{name}={digest}\n".encode())
    return seal.hexdigest()


def house_file(module: str) -> Path | None:
    """The file of one of our modules; None where there is none of that name."""
    if not _is_house(module):
        return None
    place = ROOT.joinpath(*module.split(".")[1:])
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.is_file():
            return path
    return None


@cache
def code_digest(source: bytes) -> str:
    """SHA-256 of a module's meaning: its syntax tree without positions and docstrings.

    The same on every Python version that parses it to the same tree. Bytes that do not parse
    are digested as they stand.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return hashlib.sha256(source).hexdigest()
    return hashlib.sha256("".join(_spelled(tree)).encode("utf-8", "surrogatepass")).hexdigest()


@cache
def imports(source: bytes, module: str, *, is_package: bool = False) -> tuple[str, ...]:
    """Names of the modules, and of what might be modules, that a source imports; absolute.

    A relative import in a file that is no module of a package is left out: Python refuses it.
    """
    package = module if is_package else module.rpartition(".")[0]
    names: list[str] = []
    for node in _live(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level and not package:
                continue
            if node.level:
                base = resolve_name("." * node.level + base, package)
            names.append(base)
            names += [f"{base}.{alias.name}" for alias in node.names]
    parents = [
        ".".join(name.split(".")[:at]) for name in names for at in range(1, name.count(".") + 1)
    ]
    return tuple(dict.fromkeys([*names, *parents]))


def _live(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but those under `if TYPE_CHECKING`."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield from _live(child)


def _spelled(node: object) -> Iterator[str]:
    if isinstance(node, ast.AST):
        yield f"{type(node).__name__}("
        for name, value in ast.iter_fields(node):
            if name == "body" and _has_docstring(node):
                value = value[1:]
            if value not in (None, []):  # newer Pythons add fields that are empty
                yield f"{name}="
                yield from _spelled(value)
        yield ")"
    elif isinstance(node, list):
        for item in node:
            yield from _spelled(item)
            yield ","
    else:
        yield repr(node)


def _has_docstring(node: ast.AST) -> bool:
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    first = node.body[0] if node.body else None
    return (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )


def _is_house(name: str) -> bool:
    return name.startswith(f"{PACKAGE}.")


def _is_within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in packages)
