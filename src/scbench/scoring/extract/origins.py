"""What is said of how an answer came to be so: where a thing was before, whom one had it from,
what stands next in an order, what was thought at first, what is said of others.
"""

from __future__ import annotations

import re
from itertools import islice

from scbench.scoring.extract.kinds import says
from scbench.scoring.extract.sought import AnswerKind, Sought

_THOUGHT_FIRST = re.compile(
    r"\s*\((?:I(?:['’]d| had| have)?\s+)?(?:at )?(?:first|initially|originally)\s[^()\n]{0,200}\)"
    r"|\s*\(I(?:['’]d| had| have)? (?:first|initially|originally)\s[^()\n]{0,200}\)",
    re.IGNORECASE,
)
_HAD_FROM = re.compile(
    r",\s*(?:who|which)\s+(?:had\s+)?(?:had|has|got|received|took|bought|borrowed|inherited|came"
    r"|moved|obtained)\s+(?:[\w'’-]+\s+){0,4}?from\s[^.;!?\n()]{1,120}",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    r"\s\((?:[\w'’-]+\s+){0,2}from\s[^()\n]{1,120}\)"
    r"|,?\s(?:after|since)\s+(?:being|having been|leaving|it left|it had been)\s[^.;!?\n]{1,120}",
    re.IGNORECASE,
)
_NEXT_IN_ORDER = re.compile(
    r",?\s*\(?(?:immediately |closely )?(?:followed|preceded) by\s[^.;!?\n]{1,120}"
    r"|\s\([^()\n]{0,40}\bdays?\s+(?:after|before|later|earlier)\b[^()\n]{0,80}\)",
    re.IGNORECASE,
)
_OF_ANOTHER = re.compile(
    r"(?<=[.!?])\s+(?:if|in case) you (?:also )?(?:need|want|meant|asked)\b[^.!?\n]{1,200}[.!?]?",
    re.IGNORECASE,
)
_NOT_COUNTED = re.compile(
    r"\s\([^()\n]{0,120}\b(?:do|does|did)(?: not|n[’']t) (?:count|belong|match|qualify)\b"
    r"[^()\n]{0,80}\)",
    re.IGNORECASE,
)
_MOST_TRIED = 8
_PATTERNS = {
    AnswerKind.PHRASE: (_HAD_FROM, _BEFORE),
    AnswerKind.NUMBER: (_NEXT_IN_ORDER,),
    AnswerKind.STRING: (_OF_ANOTHER,),
    AnswerKind.NAMES: (_NOT_COUNTED,),
}


def without_origins(text: str, sought: Sought) -> str:
    """The text without its asides on what was before or is another's, where the answer stands in
    front of them.
    """
    for pattern in (_THOUGHT_FIRST, *_PATTERNS.get(sought.kind, ())):
        asides = islice(sought.marks(pattern, text), _MOST_TRIED)
        first = next((one.start() for one in asides if says(text[: one.start()], sought)), None)
        if first is not None:
            text = _without(pattern, text, first)
    return text


def _without(pattern: re.Pattern[str], text: str, start: int) -> str:
    """Without the matches from `start` on: what answers in front of one answers before all."""
    return pattern.sub(lambda aside: aside[0] if aside.start() < start else "", text)
