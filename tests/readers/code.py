"""Who looks for a function by its shape: arguments, loops, returns, what is raised, lines.

Words alone cannot settle which function a description means, so this reader goes by the sentence
that tells the shape, and answers only where one function of the context fits it.
"""

from __future__ import annotations

import ast
import re

_ARGUMENTS = re.compile(r"takes (\d+) arguments?(?:, (\d+) of them optional)?|takes no argument")
_RETURNS, _RAISES = (
    re.compile(r"has (\d+) return statement"),
    re.compile(r"raises ([\w, ]+), and is"),
)
_LINES = re.compile(r"about (\d+) lines")


def read(context: str, question: str) -> str | None:
    """The function's text; None where none or several fit."""
    arguments, lines = _ARGUMENTS.search(question), _LINES.search(question)
    if arguments is None or lines is None:
        return None
    shape = question[arguments.start() :]
    wanted = (
        int(arguments[1] or 0),
        int(arguments[2] or 0),
        "has a loop" in shape,
        "yields" in shape,
        _named(shape),
        int(returns[1]) if (returns := _RETURNS.search(shape)) else 0,
        int(lines[1]),
    )
    found = [text for text in functions(context) if _shape(text) == wanted]
    return found[0] if len(found) == 1 else None


def _named(shape: str) -> frozenset[str]:
    """The names of what is raised; "an exception" where what was caught is raised again."""
    said = _RAISES.search(shape)
    return frozenset(re.split(r", | and ", said[1])) if said else frozenset()


def functions(context: str) -> list[str]:
    """The functions at the left margin, with their decorators."""
    lines = context.split("\n")
    found = []
    for node in ast.parse(context).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(mark.lineno for mark in node.decorator_list)])
            found.append("\n".join(lines[first - 1 : node.end_lineno]))
    return found


def _shape(text: str) -> tuple[object, ...]:
    node = ast.parse(text).body[0]
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    args = node.args
    names = [arg.arg for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs)]
    names = names[1:] if names[:1] in (["self"], ["cls"]) else names
    stars = (args.vararg is not None) + (args.kwarg is not None)
    inside = list(ast.walk(node))
    return (
        len(names) + stars,
        len(args.defaults) + sum(default is not None for default in args.kw_defaults),
        any(isinstance(n, ast.For | ast.AsyncFor | ast.While) for n in inside),
        any(isinstance(n, ast.Yield | ast.YieldFrom) for n in inside),
        _raised(inside),
        sum(isinstance(n, ast.Return) for n in inside),
        max(5, 5 * round((text.count("\n") + 1) / 5)),
    )


def _raised(inside: list[ast.AST]) -> frozenset[str]:
    names, is_anything = set[str](), False
    for node in inside:
        if isinstance(node, ast.Raise):
            is_anything = True
            what = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if isinstance(what, ast.Name | ast.Attribute):
                names.add(what.id if isinstance(what, ast.Name) else what.attr)
    return frozenset(names) if names or not is_anything else frozenset(["an exception"])
