"""Quotes of a spelling: what stands in them has no meaning of its own; a quote in it stands twice.

Paths and texts with odd signs are written so: `"dir/a+b.py":Class`, `separator=" # # "`.
"""

from __future__ import annotations

QUOTE = '"'
IN_PATHS = frozenset('+,[]=|"')  # signs of a path that stand for something else in a spelling


def in_quotes(text: str) -> str:
    """The text as it stands in a spelling where its signs are signs and nothing more."""
    return QUOTE + text.replace(QUOTE, 2 * QUOTE) + QUOTE


def unquoted(text: str) -> str:
    """The text behind quotes, if there are any."""
    is_quoted = len(text) > 1 and text[0] == text[-1] == QUOTE
    return text[1:-1].replace(2 * QUOTE, QUOTE) if is_quoted else text


def written_path(path: str) -> str:
    """A path as it stands in a spelling: in quotes where a sign of it means something there."""
    return in_quotes(path) if IN_PATHS & set(path) else path
