"""What is said of how an answer came to be so: where a thing was before, whom one had it from,
what stands next in an order, what was thought at first.
"""

from __future__ import annotations

import re

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
_PATTERNS = {AnswerKind.PHRASE: (_HAD_FROM, _BEFORE), AnswerKind.NUMBER: (_NEXT_IN_ORDER,)}


def without_origins(text: str, sought: Sought) -> str:
    """The text without its asides on what was before, where the answer stands in front of them."""
    for pattern in (_THOUGHT_FIRST, *_PATTERNS.get(sought.kind, ())):
        for aside in sought.marks(pattern, text):
            if says(text[: aside.start()], sought):
                text = text[: aside.start()] + text[aside.end() :]
                break
    return text
