"""Strict rules of Math.Find and of the passkey turns: which numbers does the answer state."""

from __future__ import annotations

import re
from decimal import Decimal

from scbench.types import Score, Wanted

RULE = "strict/1"
_NUMBER = re.compile(r"(?<![\w.,])[-+−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?!\w|[.,]\d)")
_DIGITS = re.compile("[0-9]+")


def numbers(text: str) -> set[Decimal]:
    """The distinct numbers of a text, thousands separators read; "3rd", "1,23" and version-like
    runs are none.

    Decimal and not float: digits of any script and of any count are read exactly.
    """
    return {Decimal(match.replace(",", "").replace("−", "-")) for match in _NUMBER.findall(text)}


def math_find(prediction: str, wanted: Wanted) -> Score:
    """1 iff the distinct numbers, those of the question dropped when there are several, are exactly
    the gold.
    """
    golds = numbers(wanted.golds[0])
    if len(golds) != 1:
        return Score(
            value=None, rule=RULE, why=f"the gold {wanted.golds[0][:80]!r} is not one number"
        )
    found = numbers(prediction)
    if len(found) > 1:
        found -= numbers(wanted.question)
    why = (
        ""
        if found == golds
        else "no number"
        if not found
        else "several numbers"
        if len(found) > 1
        else "another number"
    )
    return Score(
        value=float(found == golds),
        rule=RULE,
        read=", ".join(str(n)[:40] for n in sorted(found)[:4]),
        why=why,
    )


def passkey(prediction: str, wanted: Wanted) -> Score:
    """1 iff the distinct digit runs of at least len(gold) - 1 digits are exactly the gold."""
    gold = wanted.golds[0]
    found = {run for run in _DIGITS.findall(prediction) if len(run) >= len(gold) - 1}
    return Score(
        value=float(found == {gold}),
        rule=RULE,
        read=", ".join(sorted(found)[:4])[:200],
        why="" if found == {gold} else f"{len(found)} runs",
    )
