"""Numbers that an answer only bounds or nears: "at least 216", "≈216", "216 %" say no number."""

from __future__ import annotations

import re

from scbench.scoring.extract.sought import AnswerKind, Sought

# "Approximately" and 大概 are words of doubt, as "perhaps" is, and take nothing back: see hedges.
_DIGITS = r"[-+−]?\d[\d,]*(?:\.\d+)?"
_BOUNDS = (
    r"at (?:least|most)|(?:no |not )?(?:more|less|fewer|greater|smaller|larger|bigger|higher|lower)"
    r" than|up to|(?<!what )about|nearly|almost"
    r"|close to|over|under|above|below|exceeds|(?:not|un)equal to"
    r"|mindestens|höchstens|etwa|ungefähr|mehr als|weniger als|rund|fast|knapp"
    r"|au moins|au plus|environ|plus de|moins de|presque"
    r"|al menos|más de|menos de|alrededor de|casi"
)
_CHINESE = (
    "至少|至多|最多|最少|大约|大約|超过|超過|不到|少于|少於|多于|多於|大于|大於|小于|小於|约|約"
)
# An arrow points at a number, and a pair of angles wraps it: neither bounds it.
_SIGNS = rf"(?<![-=<])(?:[≠≈∼≃≅≤≥±]|!=|<=|>=|<(?!{_DIGITS}\s*[>/])|>(?!{_DIGITS}\s*<))"
_LEAD = (
    rf"(?:(?<!\w)(?:{_BOUNDS})\s+(?:the\s+)?(?:day\s+)?|(?:{_CHINESE})是?\s*第?\s*"
    rf"|{_SIGNS}\s*|~\s*)"
)
_TO = rf"(?:\s*(?:to|or|and|–|-|~)\s*{_DIGITS}(?![\w.]*\d))?"
_AFTER = r"\s?(?:or (?:more|less|fewer|so|higher|lower|above|below)\b|-?ish\b|\+(?!\s?\d)|左右|以上|以下)"
_BOUNDED = re.compile(rf"{_LEAD}{_DIGITS}{_TO}|(?<![\w.,]){_DIGITS}{_AFTER}", re.IGNORECASE)
_SHARE = re.compile(rf"(?<![\w.,]){_DIGITS}\s?(?:[%‰]|per ?cent\b|Prozent\b)", re.IGNORECASE)


def without_bounds(text: str, sought: Sought) -> str:
    """The text without bounds, rough numbers and, where none is asked for, percentages."""
    if sought.kind is not AnswerKind.NUMBER:
        return text
    text = _BOUNDED.sub(" ", text)
    asked = f"{sought.told}\n{sought.wanted.question}"
    return text if _SHARE.search(asked) or "percent" in asked.lower() else _SHARE.sub(" ", text)
