"""An answer in a container: the last `\\boxed{}`, JSON value or tag holds it; all else is talk."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Mapping
from typing import Any

from scbench.errors import BadRecord
from scbench.reading import read_json
from scbench.scoring.extract.sought import AnswerKind, Sought

_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
_BRACE = re.compile(r"[{}]")
_TAGS = (
    "answer|final_answer|final answer|final|solution|result|output|value|string|number|choice"
    "|option|letter|response|names|variables"
)
_TAG = re.compile(rf"<({_TAGS})>|<\|begin_of_solution\|>", re.IGNORECASE)
_LONG_TAG = re.compile(
    r"<(answer|final_answer|solution|response|code|function|summary)>|<\|begin_of_solution\|>",
    re.IGNORECASE,
)
_SOLUTION_END = "<|end_of_solution|>"
_KEYS = (
    "final_answer",
    "final answer",
    "answer",
    "答案",
    "result",
    "value",
    "output",
    "string",
    "choice",
    "option",
    "letter",
    "number",
    "name",
    "response",
)
_FIRST_KEYS: Mapping[AnswerKind, tuple[str, ...]] = {
    AnswerKind.NAMES: ("variables", "names", "variable_names"),
    AnswerKind.CODE: ("code", "function", "source"),
    AnswerKind.PROSE: ("summary",),
}
_CALLED = ("parameters", "arguments")
_START = re.compile(r"^[ \t]*(?=[{\[])", re.MULTILINE)
_MOST_CHARS = 100_000  # of a container; a longer text is no wrapped answer
_MOST_TRIED = 8


def contained(text: str, sought: Sought) -> str:
    """What the last container holds; the text itself where there is none."""
    found = [_tagged(text, sought), _json_value(text, sought)]
    if sought.is_short:
        found.append(_boxed(text, sought))
    last = max((place for place in found if place is not None), default=None)
    return text if last is None else last[1]


def _boxed(text: str, sought: Sought) -> tuple[int, str] | None:
    boxes = list(sought.marks(_BOX, text))
    if not boxes:
        return None
    start = boxes[-1].end()
    depth = 1
    for brace in _BRACE.finditer(text, start, start + _MOST_CHARS):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return boxes[-1].start(), text[start : brace.start()]
    return boxes[-1].start(), text[start:]


def _tagged(text: str, sought: Sought) -> tuple[int, str] | None:
    """A tag that is not closed holds the rest."""
    tags = list(sought.marks(_TAG if sought.is_short else _LONG_TAG, text))
    if not tags:
        return None
    tag = tags[-1]
    end = f"</{tag[1]}>" if tag[1] else _SOLUTION_END
    stop = text.lower().find(end.lower(), tag.end())
    return tag.start(), text[tag.end() : stop if stop >= 0 else len(text)]


def _json_value(text: str, sought: Sought) -> tuple[int, str] | None:
    """The value of the last object that begins a line, or of a list that is the whole text."""
    whole = text.strip()
    if not sought.is_short:
        whole = re.sub(r"\A```\w*\n|\n```\Z", "", whole)
        value = _value(_decoded(whole), sought) if whole[:1] == "{" and whole[-1:] == "}" else None
        return None if value is None else (text.find("{"), value)
    if whole[:1] == "[" and whole[-1:] == "]":
        value = _as_text(_decoded(whole))
        return None if value is None else (text.find("["), value)
    starts = [match.end() for match in _START.finditer(text)][-_MOST_TRIED:]
    for start in reversed(starts):
        stop = text.rfind("}", start)
        value = _value(_decoded(text[start : stop + 1]), sought) if text[start] == "{" else None
        if value is not None:
            return start, value
    return None


def _decoded(text: str) -> Any:
    if not 2 <= len(text) <= _MOST_CHARS:
        return None
    try:
        return read_json(text.encode("utf-8", "surrogatepass"), "an answer", lenient=True)
    except BadRecord:
        pass
    try:  # as Python writes a dictionary, which models do as well
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # of what is no Python at all
            return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None


def _value(found: Any, sought: Sought) -> str | None:
    """The value under a key that means the answer, else that of the only key."""
    if not isinstance(found, dict) or not found:
        return None
    keys = {str(key).strip().casefold(): value for key, value in found.items()}
    for inner in _CALLED:  # the call of a tool, whose name is no answer
        if "name" in keys and isinstance(keys.get(inner), dict):
            return _value(keys[inner], sought)
    for key in (*_FIRST_KEYS.get(sought.kind, ()), *_KEYS):
        if key in keys:
            return _as_text(keys[key])
    return _as_text(next(iter(found.values()))) if len(found) == 1 else None


def _as_text(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list | tuple) and 0 < len(value) <= 1000:
        parts = [_as_text(part) for part in value]
        return ", ".join(part for part in parts if part) if all(parts) else None
    return None
