"""The files that functions are taken from: two packages of plain Python that every installation of
scbench has, in versions that pyproject.toml pins, so that they are the same under every Python.

Nothing of them is stored in this project, and neither is imported to be read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from scbench.errors import MissingExtra

SKIPPED_FOLDERS = frozenset(["test", "tests", "testing", "benchmarks", "__pycache__"])


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusPackage:
    """`folders` are those at its top that are read; () for all of it."""

    name: str
    pinned: str  # the version that published numbers are of
    folders: tuple[str, ...] = ()


PACKAGES = (
    CorpusPackage(name="networkx", pinned="3.6.1"),
    CorpusPackage(
        name="sympy",
        pinned="1.14.0",
        folders=(
            "assumptions", "calculus", "codegen", "combinatorics", "concrete", "core", "crypto",
            "diffgeom", "discrete", "functions", "geometry", "logic", "matrices", "ntheory",
            "parsing", "printing", "series", "sets", "simplify", "solvers", "stats", "strategies",
            "tensor", "unify", "utilities", "vector",
        ),
    ),
)  # fmt: skip


def installed() -> str:
    """What is read, by name and version: "networkx 3.6.1, sympy 1.14.0". Raises MissingExtra."""
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package.name} {version(package.name)}")
        except PackageNotFoundError as err:
            raise MissingExtra(
                f"RepoQA takes its functions from {package.name} {package.pinned}, which is not "
                f"installed; run: pip install {package.name}=={package.pinned}"
            ) from err
    return ", ".join(found)


def corpus_files() -> Iterator[tuple[str, bytes]]:
    """(module name, content) of every file of the packages."""
    for package in PACKAGES:
        spec = find_spec(package.name)
        assert spec is not None, f"{package.name} is installed but cannot be found"
        assert spec.origin is not None, f"{package.name} is a folder without __init__.py"
        root = Path(spec.origin).parent
        for folder in package.folders or ("",):
            for name, data in files_of(root / folder):
                yield ".".join(part for part in (package.name, folder, name) if part), data


def files_of(root: Path) -> Iterator[tuple[str, bytes]]:
    """(module name, content) of every .py file that is no test, sorted by relative path."""
    found: list[Path] = []
    for folder, inner, names in os.walk(root):
        inner[:] = sorted(
            name for name in inner if name not in SKIPPED_FOLDERS and not name.startswith("_")
        )
        found += [
            Path(folder) / name
            for name in names
            if name.endswith(".py") and not name.startswith("test_")
        ]
    for path in sorted(found, key=lambda p: p.relative_to(root).as_posix()):
        with suppress(OSError):
            yield ".".join(path.relative_to(root).with_suffix("").parts), path.read_bytes()
