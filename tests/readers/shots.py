"""Who solves the example questions: by the calendar, by following swaps, by comparing a German
sentence with its translation.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

from readers import german

_OPTION = re.compile(r"^\(([A-Z])\) (.+)$", re.MULTILINE)
_SHIFT = re.compile(r"What is the date (\w+) (day|week|year)s? (later|earlier)\?")
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_HOLDS = re.compile(r"([A-Z][a-z]+) (?:has|holds|was given|came with) the ([a-z ]+)")
_SWAP = re.compile(r"([A-Z][a-z]+) and ([A-Z][a-z]+) (?:swap|trade|change|exchange)")
_END = re.compile(r"At the end, what does ([A-Z][a-z]+) have\?")
_PAIR = re.compile(r'The German sentence "([^"]+)" was translated as "([^"]+)"')
_SMALL_PAIR = re.compile(r'"([^"]+)" became "([^"]+)" Error\?')


def read(context: str, question: str) -> str | None:
    """The letter of the right option, in brackets; the solved examples are not looked at."""
    asked = question.partition("\nOptions:")[0]
    text = _date(asked) or _thing(asked) or _error(asked)
    letters = [letter for letter, option in _OPTION.findall(question) if option == text]
    return f"({letters[0]})" if len(letters) == 1 else None


def _date(asked: str) -> str | None:
    shift = _SHIFT.search(asked)
    day = _day(asked)
    if shift is None or day is None:
        return None
    count = _NUMBERS.index(shift[1]) * (1 if shift[3] == "later" else -1)
    if shift[2] == "year":
        then = day.replace(year=day.year + count)
    else:
        then = day + timedelta(days=count * (7 if shift[2] == "week" else 1))
    return then.strftime("%m/%d/%Y")


def _day(asked: str) -> date | None:
    if found := re.search(r"(\d\d)/(\d\d)/(\d{4})", asked):
        return date(int(found[3]), int(found[1]), int(found[2]))
    found = re.search(rf"({'|'.join(_MONTHS)}) (\d+), (\d{{4}})", asked)
    return date(int(found[3]), _MONTHS.index(found[1]) + 1, int(found[2])) if found else None


def _thing(asked: str) -> str | None:
    end = _END.search(asked)
    if end is None:
        return None
    start, _, rest = asked.partition(". ")
    holds = dict(_HOLDS.findall(start))
    for one, other in _SWAP.findall(rest):
        holds[one], holds[other] = holds[other], holds[one]
    return holds.get(end[1])


def _error(asked: str) -> str | None:
    pair = _PAIR.search(asked) or _SMALL_PAIR.search(asked)
    return german.difference(pair[1], pair[2]) if pair else None
