"""Columns of many rows, small: each different text once, numbers rounded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


class Texts:
    """Every different text once, in the order of its first use; `at` gives its number.

    >>> texts = Texts()
    >>> texts.at("a"), texts.at("b"), texts.at("a"), texts.at(None), texts.all
    (0, 1, 0, -1, ['a', 'b'])
    """

    def __init__(self) -> None:
        self.all: list[str] = []
        self._places: dict[str, int] = {}

    def at(self, text: str | None) -> int:
        """-1 for no text."""
        if text is None:
            return -1
        place = self._places.setdefault(text, len(self.all))
        if place == len(self.all):
            self.all.append(text)
        return place


def coded(values: Iterable[str | None]) -> dict[str, Any]:
    """A column of texts: the different ones, and each row's place among them."""
    texts = Texts()
    at = [texts.at(value) for value in values]
    return {"texts": texts.all, "at": at}


def rounded(values: Iterable[float | None], digits: int = 4) -> list[float | int | None]:
    """A column of numbers; whole ones without a point."""
    return [_short(value, digits) for value in values]


def _short(value: float | None, digits: int) -> float | int | None:
    if value is None:
        return None
    short = round(float(value), digits)
    return int(short) if short == int(short) else short


def tenths(shares: Sequence[float]) -> str:
    """Shares in 0..1 as one sign each: 0 to 9, and A for the whole. Less than the whole is never A,
    more than nothing never 0.

    >>> tenths([0.0, 0.001, 0.5, 0.999, 1.0])
    '0159A'
    """
    signs = []
    for share in shares:
        if share <= 0.0 or share >= 1.0:
            signs.append("0" if share <= 0.0 else "A")
        else:
            signs.append(str(min(9, max(1, int(share * 10)))))
    return "".join(signs)
