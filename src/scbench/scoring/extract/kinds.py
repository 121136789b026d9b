"""Whether a text says something of the kind that is looked for, or nothing besides."""

from __future__ import annotations

import re

from scbench.scoring.chinese import simplified
from scbench.scoring.choice import choice, parse_options
from scbench.scoring.extract.sought import AnswerKind, Sought
from scbench.scoring.number import numbers
from scbench.scoring.text import apart, bare_name, named, norm

_NAME = re.compile(r"(?<![A-Za-z0-9_])[A-Z][A-Z0-9_]*(?![A-Za-z0-9_])")
_RUN = re.compile(r"[\w-]+")
_NUMBER_LINE = re.compile(r"[\s*\"'`(]*[+-−]?\d[\d,]*(?:\.\d+)?[\s*\"'`).!]*")
_NAME_LINE = re.compile(
    r"[\s*\"'`]*[A-Z][A-Z0-9_]*(?:[\s,]+(?:and\s+)?[A-Z][A-Z0-9_]*)*[\s.*\"'`]*"
)
_LEADS = re.compile(r"\A\s*(?:(?:it'?s|it is|at|in|on|by)\s+)?", re.IGNORECASE)
_HEADS = ("lone letter", "marked letter", "option text")
# A word as long as this, or this long with a digit in it, is one of a context's strings.
_LONG_CHARS = 32
_MIXED_CHARS = 8


def says(text: str, sought: Sought) -> bool:
    """Whether a text says something of the kind that the question does not; of words and prose
    this cannot be told.
    """
    match sought.kind:
        case AnswerKind.NUMBER:
            asked = numbers(sought.wanted.question, ordinals=True)
            return bool(numbers(text, ordinals=True) - asked)
        case AnswerKind.LETTER:
            return choice(text, _options(sought))[0] is not None
        case AnswerKind.PHRASE:
            return bool(_phrases(text, sought))
        case AnswerKind.STRING:
            return any(_is_string(run, sought) for run in _RUN.findall(text))
        case AnswerKind.NAMES:
            lengths = {len(name) for name in sought.wanted.golds}
            return any(len(name) in lengths for name in _NAME.findall(text))
        case _:
            return False


def is_bare(line: str, sought: Sought) -> bool:
    """Whether a line is an answer of the kind and nothing besides."""
    match sought.kind:
        case AnswerKind.NUMBER:
            return _NUMBER_LINE.fullmatch(line) is not None
        case AnswerKind.LETTER:
            return choice(line, _options(sought))[1] in _HEADS
        case AnswerKind.PHRASE:
            names = (*sought.wanted.vocabulary, *sought.wanted.golds)
            said = norm(simplified(_LEADS.sub("", line), names))
            return bare_name(said) in {bare_name(norm(name)) for name in names}
        case AnswerKind.STRING:
            return len(line.split()) == 1 and says(line, sought)
        case AnswerKind.NAMES:
            return _NAME_LINE.fullmatch(line) is not None and says(line, sought)
        case _:
            return False


def _options(sought: Sought) -> tuple[str, ...]:
    return sought.wanted.options or parse_options(sought.wanted.question)


def _phrases(text: str, sought: Sought) -> set[str]:
    names = (*sought.wanted.vocabulary, *sought.wanted.golds)
    folded = {bare_name(norm(name)) for name in names}
    said = simplified(text, names)
    is_spaced = not sought.wanted.is_chinese
    told = named(folded, norm(sought.wanted.question), whole_words=is_spaced)
    return named(folded, norm(apart(said) if is_spaced else said), whole_words=is_spaced) - told


def _is_string(run: str, sought: Sought) -> bool:
    if run == sought.wanted.asked_key:
        return False
    if sought.wanted.shape == "digits":
        return run.isdigit()
    has_digit = any(sign.isdigit() for sign in run)
    return run in sought.wanted.golds or len(run) >= (_MIXED_CHARS if has_digit else _LONG_CHARS)
