"""pyproject asks for what the package imports, and for nothing else."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "scbench"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
OTHER_NAMES = {"faiss-cpu": "faiss", "vl-convert-python": "vl_convert"}  # a package's to import it
BY_OTHERS = {  # asked for, and imported by no module of ours
    "vl-convert-python": "the process that draws imports it (report/drawing.py)",
    "accelerate": "transformers reads a GGUF file with it",
    "gguf": "transformers reads a GGUF file with it",
}
READ_AS_TEXT = {"networkx", "sympy"}  # RepoQA's functions are taken from their sources
BROUGHT_BY_HAND = {  # their requirements clash with ours, so a message says how to install them
    "kvpress": "scbench.methods.compression.kvpress",
}


def names_of(requirements: list[str]) -> set[str]:
    """The packages of some requirements, without versions."""
    return {re.split(r"[;\[=<>!~ ]", text)[0] for text in requirements}


def imported(tree: ast.AST) -> Iterator[str]:
    """Top-level names of what a source imports, wherever it stands; by `import_module` too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value.partition(":")[0]  # names of modules in tables and in import_module


def strays(tree: ast.AST) -> set[str]:
    """Packages that a source imports by a statement, of neither ours nor Python's library."""
    statements = (node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))
    names = {name for node in statements for name in imported(node)}
    return names - set(sys.stdlib_module_names) - {"scbench"}


def module_of(package: str) -> str:
    """As it is imported."""
    return OTHER_NAMES.get(package, package.replace("-", "_"))


@pytest.fixture(scope="module")
def trees() -> dict[Path, ast.AST]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in SRC.rglob("*.py")}


def test_what_is_asked_for_is_imported(trees: dict[Path, ast.AST]) -> None:
    used = {name for tree in trees.values() for name in imported(tree)}
    wanted = names_of(PROJECT["dependencies"])
    for extra in ("local", "ann", "llmlingua"):
        wanted |= names_of(EXTRAS[extra])
    unused = {package for package in wanted if module_of(package) not in used}
    assert unused - BY_OTHERS.keys() - READ_AS_TEXT == set()
    assert imported_names("import httpx") & used == set()


def imported_names(source: str) -> set[str]:
    return set(imported(ast.parse(source)))


def test_what_is_imported_is_asked_for(trees: dict[Path, ast.AST]) -> None:
    asked = set(PROJECT["dependencies"]).union(*EXTRAS.values())
    known = {module_of(package) for package in names_of(list(asked))} | BROUGHT_BY_HAND.keys()
    found = {str(path.relative_to(SRC)): strays(tree) - known for path, tree in trees.items()}
    assert {path: names for path, names in found.items() if names} == {}
    assert strays(ast.parse("import os, requests\nfrom scbench import api")) == {"requests"}


def test_every_extra_has_its_line_in_a_message_or_a_script() -> None:
    told = "".join(path.read_text(encoding="utf-8") for path in SRC.rglob("*.py"))
    told += (ROOT / "scripts" / "setup").read_text(encoding="utf-8")
    for extra in EXTRAS:
        assert f"scbench[{extra}]" in told or f",{extra}]" in told, extra


def test_an_index_shows_a_page_whose_links_work_there() -> None:
    text = (ROOT / PROJECT["readme"]).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]*)\)", text)
    assert links
    assert all(link.startswith("https://") for link in links)


def test_the_versions_of_python_that_are_named_are_those_that_are_taken() -> None:
    least = PROJECT["requires-python"].removeprefix(">=")
    head = "Programming Language :: Python :: 3."
    named = [f"3.{one.removeprefix(head)}" for one in PROJECT["classifiers"] if head in one]
    assert named[0] == least
