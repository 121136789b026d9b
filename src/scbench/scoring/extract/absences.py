"""Answers that say there is none: "The key is not in the text; the closest is ...", "Nobody."."""

from __future__ import annotations

import re

from scbench.scoring.extract.corrections import CORRECTS
from scbench.scoring.extract.sought import AnswerKind, Sought
from scbench.scoring.extract.statements import ANSWER_IS

_NOT = r"(?:\s+not|n['’]t)"
_ABSENT = re.compile(
    rf"\b(?:is|are|was|were){_NOT}\s+(?:\w+\s+)?(?:present|found|listed|there|included|given"
    r"|in (?:the|this|your) (?:\w+ )?(?:text|list|context|data|json|document|object|passage))\b"
    rf"|\b(?:does|do|did){_NOT}\s+(?:see|find|appear|occur|exist|contain|have)\b"
    rf"|\b(?:can|could)(?:{_NOT}|not)\s+(?:see|find|locate)\b"
    r"|\b(?:is|are|was|were) (?:missing|absent)\b|\bno such (?:key|string|number|value)\b"
    r"|\bthere(?: is|['’]s) no (?:such )?(?:key|string)\b",
    re.IGNORECASE,
)
_NEAREST = re.compile(
    r"\b(?:closest|nearest|most similar|similar|other|another|instead)\b", re.IGNORECASE
)
_FOUND_AFTER_ALL = re.compile(r"\b(?:but|however|found|now|at first|initially)\b", re.IGNORECASE)
_NOBODY = re.compile(
    r"\W*(?:nobody|no one|nowhere|none(?: of (?:them|these|those))?|niemand|personne|nadie|没有人|無人)"
    r"\s*(?:[;.:—–。；，]|,(?!\s*(?:but|except|other|apart|besides|if not)\b))",
    re.IGNORECASE,
)


def without_substitute(text: str, sought: Sought) -> str:
    """Nothing, where the text says that there is no answer and names something in its place."""
    if _NOBODY.match(sought.told) or not _tells_of_none(text, sought):
        return text
    return ""


def _tells_of_none(text: str, sought: Sought) -> bool:
    if sought.kind in (AnswerKind.PHRASE, AnswerKind.STRING) and (none := _NOBODY.match(text)):
        return not _goes_back(text[none.end() :], sought)
    if sought.kind not in (AnswerKind.STRING, AnswerKind.NUMBER):
        return False
    absent = _ABSENT.search(text)
    if absent is None or _goes_back(text[absent.end() :], sought):
        return False
    if _NEAREST.search(text, absent.end()):
        return True
    return sought.kind is AnswerKind.STRING and _is_of_the_key(text, absent, sought)


def _is_of_the_key(text: str, absent: re.Match[str], sought: Sought) -> bool:
    """Whether it is the asked key that is said to be absent, and nothing found it after all."""
    key = sought.wanted.asked_key
    start = max(text.rfind(end, 0, absent.start()) for end in (". ", "; ", "\n")) + 1
    clause = text[start : absent.end() + len(key or "") + 12]
    names_it = re.search(r"\b(?:the|that|this) (?:key|string)\b", clause, re.IGNORECASE)
    if not (names_it or (key and key in clause)):
        return False
    return not _FOUND_AFTER_ALL.search(text)


def _goes_back(rest: str, sought: Sought) -> bool:
    """Whether an answer is stated or corrected behind it all the same."""
    return any(True for _ in sought.marks(ANSWER_IS, rest)) or CORRECTS.search(rest) is not None
