"""The source a stage's answers depend on, file by file.

Ours: its module and the modules of ours that it imports. A stranger's: its module, all that this
imports outside the standard library and our dependencies, and the modules of its base classes
wherever they are installed (an editable package changes without its version).
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import Field
from fractions import Fraction
from functools import cache
from importlib import metadata
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from scbench.code import PACKAGE, code_digest, house_code, imports

# What says which methods there are and how they are written; their parameters are in the key.
WORDING = tuple(
    f"{PACKAGE}.methods.{name}"
    for name in (
        "registry",
        "sources",
        "origin",
        "spelling",
        "quotes",
        "loader",
        "card",
        "cards",
        "described",
    )
)


def sources_of(stage: type) -> dict[str, str]:
    """A name for each module behind a stage's class, and the digest of its source."""
    found: dict[str, str] = {}
    for base in stage.__mro__:
        name = base.__module__
        if name.startswith(f"{PACKAGE}."):
            found |= house_code([name], without=WORDING)
        elif not is_standard(name):
            found |= _of_stranger(base)
    return dict(sorted(found.items()))


def sources_of_function(made_by: Callable[..., object]) -> dict[str, str]:
    """The same for a function, or an object that is called, of a file or typed into a session."""
    code = made_by if inspect.isroutine(made_by) else type(made_by)
    file = file_of(sys.modules.get(code.__module__))
    if file is None:
        return {f"{code.__module__}.{code.__qualname__}": _typed_digest(code)}
    return stranger_code(file, code.__module__)


def file_of(module: ModuleType | None) -> Path | None:
    """The file a module was read from; None for what was typed, or read from a pipe."""
    file = getattr(module, "__file__", None)
    return Path(file) if file and Path(file).is_file() else None


def _of_stranger(base: type) -> dict[str, str]:
    file = file_of(sys.modules.get(base.__module__))
    if file is None:
        return {f"{base.__module__}.{base.__qualname__}": _typed_digest(base)}
    if is_dependency(base.__module__):
        return {base.__module__: _file_digest(file)}
    return stranger_code(file, base.__module__)


def _typed_digest(base: Any) -> str:
    """Of a class or function typed into a session, which has no file."""
    try:
        source = inspect.getsource(base)
    except (OSError, TypeError):  # a session that keeps no lines
        parts = vars(base) if inspect.isclass(base) else {"": base}
        source = repr([(name, _lasting(value)) for name, value in sorted(parts.items())])
    return hashlib.sha256(source.encode()).hexdigest()


def _lasting(value: Any) -> object:
    """What of a value is the same in another process: code without addresses, and plain values."""
    value = getattr(value, "__func__", getattr(value, "fget", value))
    code = getattr(value, "__code__", value)
    if isinstance(code, CodeType):
        return (code.co_code, tuple(_lasting(one) for one in code.co_consts), code.co_names)
    if isinstance(value, (str, bytes, int, float, complex, Fraction, type(None))):
        return value
    if isinstance(value, (tuple, list)):
        return tuple(_lasting(one) for one in value)
    if isinstance(value, dict):
        return tuple((str(name), _lasting(one)) for name, one in value.items())
    if isinstance(value, Field):
        return (value.name, _lasting(value.default))
    return type(value).__name__


def stranger_code(path: Path, module: str = "") -> dict[str, str]:
    """Digests of a file and of all it imports, found without running any of it.

    Names are those of modules; the file itself stands under its file name. Of a package that was
    installed whole, the modules that are named and its version count; one that can be edited where
    it lies is followed to its end.
    """
    found: dict[str, str] = {}
    waiting: list[tuple[str, Path]] = [(module, path)]
    while waiting:
        name, file = waiting.pop()
        label = file.name if file == path else name
        if label in found:
            continue
        found[label] = _file_digest(file)
        package = distribution_of(name) if _is_installed(file) else None
        if package is not None:
            found[f"{package[0]} (version)"] = package[1]
        if file.suffix != ".py" or (package is not None and file != path):
            continue
        is_package = file.name == "__init__.py"
        for target in imports(file.read_bytes(), name, is_package=is_package):
            if target.startswith(f"{PACKAGE}."):
                found |= house_code([target], without=WORDING)
            elif (source := _strangers_source(target, path.parent)) is not None:
                waiting.append((target, source))
    return found


def _strangers_source(module: str, folder: Path) -> Path | None:
    """The file of an imported module; None for the standard library and for our dependencies."""
    source = None if is_standard(module) else _locate(module, folder)
    if source is None or (is_dependency(module) and not _is_beside(source, folder)):
        return None
    return source


def _is_installed(file: Path) -> bool:
    return any(part in ("site-packages", "dist-packages") for part in file.parts)


def helpers_of(path: Path) -> dict[str, Path]:
    """The modules that a file imports from its own folder, directly or through each other."""
    found: dict[str, Path] = {}
    waiting = [path]
    while waiting:
        file = waiting.pop()
        for target in imports(file.read_bytes(), "", is_package=False):
            source = _beside(target, path.parent)
            if source is not None and not is_standard(target) and target not in found:
                found[target] = source
                waiting.append(source)
    return found


def _locate(module: str, folder: Path) -> Path | None:
    """The file of a module that a file in `folder` would import; None for what is no module."""
    beside = _beside(module, folder)
    if beside is not None:
        return beside
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError, AttributeError):
        return None
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        return None
    return Path(spec.origin)


def _beside(module: str, folder: Path) -> Path | None:
    place = folder.joinpath(*module.split("."))
    for file in (place.with_suffix(".py"), place / "__init__.py"):
        if module and file.is_file():
            return file
    return None


def _is_beside(source: Path, folder: Path) -> bool:
    return source.is_relative_to(folder)


def _file_digest(file: Path) -> str:
    data = file.read_bytes()
    return code_digest(data) if file.suffix == ".py" else hashlib.sha256(data).hexdigest()


def is_standard(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names or module == "__future__"


def is_dependency(module: str) -> bool:
    """Whether a module belongs to a package that scbench itself needs; versions cover those."""
    found = distribution_of(module)
    return found is not None and _plain(found[0]) in _dependencies()


def distribution_of(module: str) -> tuple[str, str] | None:
    """(name, version) of the installed package a module belongs to; None for a plain file."""
    names = _packages().get(module.partition(".")[0])
    return None if not names else (names[0], metadata.version(names[0]))


def _packages() -> dict[str, list[str]]:
    return _packages_at(tuple(sys.path))


@cache
def _packages_at(places: tuple[str, ...]) -> dict[str, list[str]]:
    """`places` is what can change it: tests and notebooks add folders while they run."""
    return {name: list(found) for name, found in metadata.packages_distributions().items()}


@cache
def _dependencies() -> frozenset[str]:
    """All that scbench requires, directly or not, extras left out."""
    found: set[str] = set()
    waiting = [PACKAGE]
    while waiting:
        name = _plain(waiting.pop())
        if name in found:
            continue
        found.add(name)
        try:
            required = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        waiting += [
            re.split(r"[^\w.-]", one, maxsplit=1)[0] for one in required if "extra ==" not in one
        ]
    return frozenset(found)


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
