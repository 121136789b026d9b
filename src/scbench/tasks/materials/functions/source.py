"""One function of the library, and how it is cut out of its file."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import cleandoc
from textwrap import dedent

LINES = range(3, 61)  # of a function without its docstring
_Def = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function as it stands in a context: dedented, decorators included, its docstring's lines
    gone.
    """

    name: str
    module: str  # "json.decoder"
    qualname: str  # "JSONDecoder.decode"
    source: str
    doc: str  # the docstring that was removed, cleaned; "" if there was none
    parameters: int  # without self and cls
    optional: int  # of these, with a default
    has_loop: bool
    has_yield: bool
    raises: str  # names of what it raises, as a list in words; "" for nothing
    returns: int  # return statements
    has_decorator: bool

    @property
    def lines(self) -> int:
        return self.source.count("\n") + 1

    @property
    def path(self) -> str:
        return f"{self.module}:{self.qualname}"


def functions_of(data: bytes, module: str) -> Iterator[Function]:
    """The functions at module level and in classes of one file; none of a file that cannot be
    decoded or parsed.
    """
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = (
            data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
        )
        tree = ast.parse(text)
    except (SyntaxError, UnicodeError, ValueError, LookupError, RecursionError, MemoryError):
        return
    lines = text.split("\n")
    for node, qualname in _defs(tree, ""):
        found = _cut(node, qualname, module, lines)
        if found is not None:
            yield found


def _defs(parent: ast.AST, prefix: str) -> Iterator[tuple[_Def, str]]:
    """Functions that lie in no other function, also those under `if` and `try`."""
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, _Def):
            yield node, prefix + node.name
        elif isinstance(node, ast.ClassDef):
            yield from _defs(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.If | ast.Try | ast.ExceptHandler):
            yield from _defs(node, prefix)


def _cut(node: _Def, qualname: str, module: str, lines: list[str]) -> Function | None:
    """The function of a node, or None: wrong number of lines, docstring beside code, or text that
    no longer means the same.
    """
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    last = node.end_lineno or node.lineno
    if last - first + 1 < LINES.start:
        return None
    kept, doc = lines[first - 1 : last], ast.get_docstring(node, clean=False)
    body = node.body
    if doc is not None:
        statement, body = node.body[0], node.body[1:]
        from_line, to_line = statement.lineno, statement.end_lineno or statement.lineno
        alone = _is_alone(lines[from_line - 1], lines[to_line - 1], statement)
        if not alone or not body or body[0].lineno <= to_line:
            return None
        kept = lines[first - 1 : from_line - 1] + lines[to_line:last]
    source = dedent("\n".join(line.rstrip() for line in kept))
    if source.count("\n") + 1 not in LINES or "\f" in source or "\t" in source:
        return None
    if not _means_the_same(source, node, body):
        return None
    return _described(node, qualname, module, source, cleandoc(doc or ""))


def _is_alone(first_line: str, last_line: str, statement: ast.stmt) -> bool:
    """Columns are in UTF-8 bytes."""
    before = first_line.encode()[: statement.col_offset]
    after = last_line.encode()[statement.end_col_offset :]
    return not before.strip() and not after.strip()


def _means_the_same(source: str, node: _Def, body: list[ast.stmt]) -> bool:
    """Whether the cut text parses to the node with `body` as its body. Dedenting may have changed a
    string over several lines.
    """
    try:
        parsed = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    whole, node.body = node.body, body
    same = len(parsed) == 1 and _dump(parsed[0]) == _dump(node)
    node.body = whole
    return same


def _dump(node: ast.AST) -> str:
    return ast.dump(node)


def _described(node: _Def, qualname: str, module: str, source: str, doc: str) -> Function:
    args = node.args
    positional = [*args.posonlyargs, *args.args]
    if positional and positional[0].arg in ("self", "cls"):
        positional = positional[1:]
    inner = list(ast.walk(node))
    return Function(
        name=node.name,
        module=module,
        qualname=qualname,
        source=source,
        doc=doc,
        parameters=len(positional) + len(args.kwonlyargs) + bool(args.vararg) + bool(args.kwarg),
        optional=len(args.defaults) + sum(default is not None for default in args.kw_defaults),
        has_loop=any(isinstance(n, ast.For | ast.AsyncFor | ast.While) for n in inner),
        has_yield=any(isinstance(n, ast.Yield | ast.YieldFrom) for n in inner),
        raises=_raised(inner),
        returns=sum(isinstance(n, ast.Return) for n in inner),
        has_decorator=bool(node.decorator_list),
    )


def _raised(inner: list[ast.AST]) -> str:
    """ "KeyError and ValueError"; "an exception" where only what was caught is raised again."""
    raised = [node.exc for node in inner if isinstance(node, ast.Raise)]
    called = [exc.func if isinstance(exc, ast.Call) else exc for exc in raised]
    names = {
        exc.id if isinstance(exc, ast.Name) else exc.attr
        for exc in called
        if isinstance(exc, ast.Name | ast.Attribute)
    }
    if not names:
        return "an exception" if raised else ""
    *most, last = sorted(names)
    return f"{', '.join(most)} and {last}" if most else last


def words_of(text: str) -> list[str]:
    """Runs of letters and digits, lower-cased: what windows and word sets are made of."""
    return re.findall(r"[a-z0-9]+", text.lower())
