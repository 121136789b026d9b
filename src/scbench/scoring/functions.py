"""The functions of a piece of source code in the six languages of RepoQA, found with tree-sitter.

The released scorer used tree-sitter 0.21 with grammars of early 2024. On code that parses, every
version finds the same functions; on broken code the recovery of later versions differs now and
then: tree-sitter 0.24 with grammars of 2024 read 14 of 15,000 mangled answers otherwise,
tree-sitter 0.26 with grammars of 2025 read 110 otherwise.

Parsers are loaded on first use. Without the package of a language, Python falls back to `def` plus
indentation for the strict rule; the official rule and the other languages refuse (`NoParser`).
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from textwrap import dedent
from typing import TYPE_CHECKING

from scbench.errors import MissingExtra

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

_GRAMMARS = {
    "python": ("tree_sitter_python", "language"),
    "java": ("tree_sitter_java", "language"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "rust": ("tree_sitter_rust", "language"),
    "cpp": ("tree_sitter_cpp", "language"),
    "go": ("tree_sitter_go", "language"),
}
LANGUAGES = tuple(_GRAMMARS)
_PUBLISHED_KINDS = {
    "python": "function_definition",
    "java": "method_declaration",
    "typescript": "function_declaration",
    "rust": "function_item",
    "cpp": "function_definition",
    "go": "function_declaration",
}
_STRICT_KINDS = {
    "python": {"function_definition"},
    "java": {"method_declaration", "constructor_declaration"},
    "typescript": {
        "function_declaration",
        "generator_function_declaration",
        "method_definition",
        "arrow_function",
        "function_expression",
    },
    "rust": {"function_item"},
    "cpp": {"function_definition"},
    "go": {"function_declaration", "method_declaration"},
}
_WRAPPERS = {
    "variable_declarator": {"lexical_declaration", "variable_declaration"}
}  # const f = () => ...: the function is the declaration
_DEF = re.compile(r"[ \t]*(?:async[ \t]+)?def[ \t]+\w+[ \t]*[(\[]")


class NoParser(MissingExtra):
    """The grammar of a language, or the language itself, is not to be had."""


@lru_cache(maxsize=len(_GRAMMARS))
def _parser(lang: str) -> Parser:
    try:
        import tree_sitter

        module, entry = _GRAMMARS[lang]
        grammar = getattr(importlib.import_module(module), entry)()
        return tree_sitter.Parser(
            tree_sitter.Language(_capsule(grammar) if isinstance(grammar, int) else grammar)
        )
    except KeyError:
        raise NoParser(
            f"language {lang!r} has no parser here; known are {', '.join(LANGUAGES)}"
        ) from None
    except ImportError as err:
        package = f"tree-sitter-{lang}"
        raise NoParser(
            f"reading {lang} needs {package}, which is not installed; run: pip install tree-sitter "
            f"{package}"
        ) from err


def _capsule(address: int) -> object:
    """Grammar packages before 0.22 hand out a bare address, which tree-sitter from 0.22 on takes
    only with a warning.
    """
    import ctypes

    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = (
        ctypes.py_object,
        [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p],
    )
    return new(address, b"tree_sitter.Language", None)


def check(lang: str) -> None:
    """Raises NoParser where `lang` cannot be parsed."""
    _parser(lang)


def check_for(what: str, lang: str) -> None:
    """As `check`, but Python's outermost functions are found without a parser too."""
    if not (what == "outermost" and lang == "python"):
        check(lang)


def _walk(root: Node, *, enter: Callable[[Node], bool] = lambda node: True) -> Iterator[Node]:
    """Nodes in the order they begin, a node before its children. Not recursive: nesting may be as
    deep as a text is long.
    """
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        if enter(node):
            stack.extend(reversed(node.children))


def first_published(block: str, lang: str) -> str | None:
    """The first function the released scorer finds in a block, or None; a block that is no valid
    text (lone surrogates) has none.
    """
    try:
        source = block.encode("utf-8")
    except UnicodeEncodeError:
        return None
    kind = _PUBLISHED_KINDS[lang]
    for node in _walk(_parser(lang).parse(source).root_node):
        if node.type == kind and _is_published(node, lang):
            return source[node.start_byte : node.end_byte].decode("utf-8", errors="replace")
    return None


def _is_published(node: Node, lang: str) -> bool:
    """The node has a name; for C++ a declarator that is a plain function with a plain identifier
    (no pointers, no members).
    """
    if lang != "cpp":
        return any(child.is_named for child in node.children_by_field_name("name"))
    return any(
        inner.type == "identifier"
        for declarator in node.children_by_field_name("declarator")
        if declarator.type == "function_declarator"
        for inner in declarator.children_by_field_name("declarator")
    )


def outermost(block: str, lang: str) -> list[str]:
    """All functions of a block that lie in no other function, methods in classes included; empty
    where there is none.
    """
    text = dedent(block)
    try:
        parser = _parser(lang)
    except NoParser:
        if lang != "python":
            raise
        return by_indentation(text)
    source = text.encode("utf-8", errors="replace")
    kinds = _STRICT_KINDS[lang]
    found = (
        node
        for node in _walk(parser.parse(source).root_node, enter=lambda node: node.type not in kinds)
        if node.type in kinds
    )
    whole = map(_declaration, (node for node in found if not _is_argument(node)))
    return [
        source[node.start_byte : node.end_byte].decode("utf-8", errors="replace") for node in whole
    ]


def _declaration(node: Node) -> Node:
    parent = node.parent
    outer = parent.parent if parent is not None else None
    if parent is not None and outer is not None and outer.type in _WRAPPERS.get(parent.type, ()):
        return outer
    return node


def _is_argument(node: Node) -> bool:
    """A nameless function handed to a call is part of that call, not a function of the block."""
    return (
        node.type in ("arrow_function", "function_expression")
        and node.parent is not None
        and node.parent.type == "arguments"
    )


def by_indentation(text: str) -> list[str]:
    """Python functions told by `def` and indentation alone: each runs to the next non-empty line
    that is indented no deeper.

    A line that begins with a closing bracket still belongs to the head before it.
    """
    found: list[list[str]] = []
    depth: int | None = None
    for line in text.split("\n"):
        bare = line.strip()
        indent = len(line) - len(line.lstrip())
        if depth is not None and bare and indent <= depth and bare[0] not in ")]}":
            depth = None
        if depth is None and _DEF.match(line):
            depth = indent
            found.append([])
        if depth is not None:
            found[-1].append(line)
    return ["\n".join(lines).strip() for lines in found]
