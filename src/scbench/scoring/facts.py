"""Which facts a text states: values as whole words, numbers and dates in any common spelling."""

from __future__ import annotations

import re
from dataclasses import dataclass

from scbench.scoring.english import in_digits
from scbench.scoring.text import apart, is_unspaced, nfkc, norm
from scbench.types import Wanted

_THOUSANDS = re.compile(r"(?<=\d)[,'’\u00a0\u2009\u202f](?=\d{3}(?!\d))")
_BLANKS = re.compile(r"(?<![\w.,])[1-9]\d{0,2}(?: \d{3})+(?![\w]|[.,]\d)")
_LONG_NUMBER = re.compile(r"(?<![0-9])[0-9]{3,}(?![0-9])")  # shorter ones count sentences
# As the months are written in English, German, French, Spanish and Italian, and cut short.
_MONTHS = {
    "january": "jan januar jänner janvier enero gennaio",
    "february": "feb febr februar février febrero febbraio",
    "march": "mar märz mars marzo",
    "april": "apr avril abril aprile",
    "may": "mai mayo maggio",
    "june": "jun juni juin junio giugno",
    "july": "jul juli juillet julio luglio",
    "august": "aug août agosto",
    "september": "sep sept septembre septiembre settembre",
    "october": "oct okt oktober octobre octubre ottobre",
    "november": "nov novembre noviembre",
    "december": "dec dez dezember décembre diciembre dicembre",
}
_MONTH_OF = {form: month for month, forms in _MONTHS.items() for form in (month, *forms.split())}
_MONTH = "|".join(sorted(_MONTH_OF, key=len, reverse=True))
_OF = "(?:of |de |di |del )?"
_DATE = re.compile(
    rf"(?P<d>\d{{1,2}})(?:st|nd|rd|th|er)? {_OF}(?P<m>{_MONTH}) {_OF}(?P<y>\d{{4}})(?!\d)"
    rf"|(?P<m2>{_MONTH}) (?P<d2>\d{{1,2}})(?:st|nd|rd|th)? (?P<y2>\d{{4}})"
    r"|(?P<y3>\d{4}) (?P<m3>[01]\d) (?P<d3>[0-3]\d)"
    r"|(?P<y4>\d{4}) ?年 ?(?P<m4>\d{1,2}) ?月 ?(?P<d4>\d{1,2}) ?[日号號]"
)
# What a clause denies is not stated; "not only", "not until" and the like deny nothing.
_CLAUSE = re.compile(r"(?<=[;!?。；！？，\n])|(?<=[.,])(?=\s)|(?=\s(?:but|and|yet|while)\s)")
_DENIES = re.compile(
    r"\b(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should|be)"
    r"(?:\s+not|n[’']t)\b"
    r"(?!\s+(?:\w+\s+){0,3}(?:only|just|merely|until|before|later|earlier|less|fewer|more)\b)"
    r"|\bcannot\b|\bnever\b|\bnicht\b(?!\s+nur)|没有|沒有|并非|並非|不是",
    re.IGNORECASE,
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
    words = _words(text)
    held = _words(_without_denied(text))
    own, others = ({told(fact) for fact in group} for group in (wanted.facts, wanted.rival_facts))
    known = _numbers(" ".join((*own, *others, told(wanted.question))))
    return StatedFacts(
        right=sum(occurs(fact, held) for fact in own),
        leaked=sum(occurs(fact, words) for fact in others - own),
        invented=len(_numbers(digits) - known),
    )


def _words(text: str) -> str:
    """Numbers in words are stated too."""
    return f"{told(text)} {told(in_digits(text))}"


def _without_denied(text: str) -> str:
    return "".join(clause for clause in _CLAUSE.split(text) if not _DENIES.search(clause))


def told(text: str) -> str:
    """The normal form, with dates as day, month, year and numbers without separators."""
    joined = _THOUSANDS.sub("", nfkc(_THOUSANDS.sub("", text)))
    joined = _BLANKS.sub(lambda number: number[0].replace(" ", ""), joined)
    return " ".join(_DATE.sub(_as_day, norm(apart(joined))).split())


def _as_day(found: re.Match[str]) -> str:
    day, year = (
        found[part] or found[f"{part}2"] or found[f"{part}3"] or found[f"{part}4"] for part in "dy"
    )
    if word := found["m"] or found["m2"]:
        return f"{int(day)} {_MONTH_OF[word]} {year}"
    month = int(found["m3"] or found["m4"])
    if not 1 <= month <= len(_MONTHS):
        return found[0]
    # Behind 日 the next word may begin at once; behind digits it would be another word.
    end = " " if found["m4"] else ""
    return f"{int(day)} {list(_MONTHS)[month - 1]} {year}{end}"


def occurs(fact: str, words: str) -> bool:
    """As whole words, in scripts without blanks anywhere; a fact without a word occurs nowhere."""
    if not fact:
        return False
    return f" {fact} " in f" {words} " or (is_unspaced(fact) and fact in words)


def _numbers(words: str) -> set[str]:
    return set(_LONG_NUMBER.findall(words))
