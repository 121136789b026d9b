"""Strict rules of Math.Find and of the passkey turns: which numbers does the answer state."""

from __future__ import annotations

import re
from decimal import Decimal

from scbench.scoring.chinese import written_numbers
from scbench.scoring.rules import STRICT
from scbench.scoring.text import UNSPACED
from scbench.types import Score, Wanted

# Words of scripts without blanks may touch a number: 第358天.
_NUMBER = re.compile(
    rf"(?<!(?![{UNSPACED}])[\w.,])[-+−]?(?:\d{{1,3}}(?:,\d{{3}})+|\d+)(?:\.\d+)?"
    rf"(?!(?![{UNSPACED}])\w|[.,]\d)"
)
_ORDINAL = re.compile(r"\b(\d+)(?:st|nd|rd|th)\b", re.IGNORECASE)
_DIGITS = re.compile("[0-9]+")
_GROUPS = re.compile(r"(?<![\d,.])[0-9]{1,3}(?:,[0-9]{3})+(?![\d,]|\.\d)")


def numbers(text: str, *, ordinals: bool = False) -> set[Decimal]:
    """The distinct numbers of a text, thousands separators read; "3rd" (unless `ordinals` count),
    "1,23" and version-like runs are none. Where there are no digits, numbers written out in
    Chinese count.

    Decimal and not float: digits of any script and of any count are read exactly.

    >>> sorted(numbers("第358天")), sorted(numbers("the 412th day", ordinals=True))
    ([Decimal('358')], [Decimal('412')])
    """
    if ordinals:
        text = _ORDINAL.sub(r"\1", text)
    found = _NUMBER.findall(text)
    if not found and not any(sign.isdecimal() for sign in text):
        return {Decimal(number) for number in written_numbers(text)}
    return {Decimal(match.replace(",", "").replace("−", "-")) for match in found}


def ungrouped(text: str) -> str:
    """The text with whole numbers such as 20,365 written without separators."""
    return _GROUPS.sub(lambda match: match[0].replace(",", ""), text)


def math_find(prediction: str, wanted: Wanted) -> Score:
    """1 iff the distinct numbers, those of the question dropped when there are several, are exactly
    one of the golds.
    """
    golds = [numbers(gold) for gold in wanted.golds]
    for text, gold in zip(wanted.golds, golds, strict=True):
        if len(gold) != 1:
            return Score(value=None, rule=STRICT, why=f"the gold {text[:80]!r} is not one number")
    found = numbers(prediction)
    if len(found) > 1:
        found -= numbers(wanted.question)
    return Score(
        value=float(found in golds),
        rule=STRICT,
        read=", ".join(str(n)[:40] for n in sorted(found)[:4]),
        why="" if found in golds else _lacking(found),
    )


def _lacking(found: set[Decimal]) -> str:
    """Why numbers are no gold."""
    if not found:
        return "no number"
    return "several numbers" if len(found) > 1 else "another number"


def passkey(prediction: str, wanted: Wanted) -> Score:
    """1 iff the distinct digit runs of about a gold's length or more are exactly one gold."""
    least = min(map(len, wanted.golds)) - 1
    found = {run for run in _DIGITS.findall(ungrouped(prediction)) if len(run) >= least}
    is_right = len(found) == 1 and found <= set(wanted.golds)
    return Score(
        value=float(is_right),
        rule=STRICT,
        read=", ".join(run[:40] for run in sorted(found)[:4]),
        why="" if is_right else f"{len(found)} runs",
    )
