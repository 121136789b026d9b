"""Who reads a list of numbers and one question about it."""

from __future__ import annotations

import re
from collections import Counter

_NUMBER = re.compile(r"\d+")
_RANK = {
    "second": 2,
    "third": 3,
    "fourth": 4,
    "fifth": 5,
    "sixth": 6,
    "seventh": 7,
    "eighth": 8,
    "ninth": 9,
}


def read(context: str, question: str) -> str | None:
    numbers = [int(found) for found in _NUMBER.findall(context)]
    values = sorted(set(numbers))
    rank = next((k for word, k in _RANK.items() if word in question), 1)
    found: int | None = None
    if "most frequent" in question:
        found = _mode(numbers)
    elif "median" in question:
        found = sorted(numbers)[len(numbers) // 2] if len(numbers) % 2 else None
    elif "position" in question:
        found = numbers.index(_last_number(question)) + 1
    elif "number of times" in question:
        found = numbers.count(_last_number(question))
    elif "largest" in question and ("distinct" in question or rank == 1):
        found = values[-rank]
    elif "smallest" in question and ("distinct" in question or rank == 1):
        found = values[rank - 1]
    return None if found is None else str(found)


def _mode(numbers: list[int]) -> int | None:
    """None for a tie."""
    (value, most), *rest = Counter(numbers).most_common(2)
    return None if rest and rest[0][1] == most else value


def _last_number(question: str) -> int:
    return int(_NUMBER.findall(question)[-1])
