"""Which facts a text states: values as whole words, numbers and dates in any common spelling."""

from __future__ import annotations

import re
from dataclasses import dataclass

from scbench.scoring.english import in_digits
from scbench.scoring.text import is_unspaced, nfkc, norm
from scbench.types import Wanted

_THOUSANDS = re.compile(r"(?<=\d)[,'’\u00a0\u2009\u202f](?=\d{3}(?!\d))")
_LONG_NUMBER = re.compile(r"(?<![0-9])[0-9]{3,}(?![0-9])")  # shorter ones count sentences
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_MONTH = "|".join(_MONTHS)
_DATE = re.compile(
    rf"(?P<d>\d{{1,2}})(?:st|nd|rd|th)? (?:of )?(?P<m>{_MONTH}) (?P<y>\d{{4}})"
    rf"|(?P<m2>{_MONTH}) (?P<d2>\d{{1,2}})(?:st|nd|rd|th)? (?P<y2>\d{{4}})"
    rf"|(?P<y3>\d{{4}}) (?P<m3>[01]\d) (?P<d3>[0-3]\d)"
)


@dataclass(frozen=True, slots=True)
class StatedFacts:
    """Numbers of values that a text states: its own report's, other reports', nobody's."""

    right: int
    leaked: int
    invented: int

    def value(self, facts: int) -> float:
        """Each false value takes back a right one."""
        return max(0.0, (self.right - self.leaked - self.invented) / facts)


def stated(text: str, wanted: Wanted) -> StatedFacts:
    """Of invented values only numbers can be told from ordinary words; those of the question are
    none.
    """
    digits = told(text)
    words = f"{digits} {told(in_digits(text))}"  # numbers in words are stated too
    own, others = ({told(fact) for fact in group} for group in (wanted.facts, wanted.rival_facts))
    known = _numbers(" ".join((*own, *others, told(wanted.question))))
    return StatedFacts(
        right=sum(occurs(fact, words) for fact in own),
        leaked=sum(occurs(fact, words) for fact in others - own),
        invented=len(_numbers(digits) - known),
    )


def told(text: str) -> str:
    """The normal form, with dates as day, month, year and numbers without separators."""
    return _DATE.sub(_as_day, norm(_THOUSANDS.sub("", nfkc(_THOUSANDS.sub("", text)))))


def _as_day(found: re.Match[str]) -> str:
    day = found["d"] or found["d2"] or found["d3"]
    month = found["m"] or found["m2"]
    if month is None:
        if not 1 <= int(found["m3"]) <= len(_MONTHS):
            return found[0]
        month = _MONTHS[int(found["m3"]) - 1]
    return f"{int(day)} {month} {found['y'] or found['y2'] or found['y3']}"


def occurs(fact: str, words: str) -> bool:
    """As whole words, in scripts without blanks anywhere; a fact without a word occurs nowhere."""
    if not fact:
        return False
    return f" {fact} " in f" {words} " or (is_unspaced(fact) and fact in words)


def _numbers(words: str) -> set[str]:
    return set(_LONG_NUMBER.findall(words))
