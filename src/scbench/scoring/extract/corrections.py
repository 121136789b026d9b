"""What an answer takes back: "X. Wait, no: Y" says Y."""

from __future__ import annotations

import re

from scbench.scoring.extract.kinds import says
from scbench.scoring.extract.sought import AnswerKind, Sought
from scbench.scoring.extract.statements import ANSWER_IS

CORRECTS = re.compile(
    r"(?:^|(?<=[\s.;,…—–-]))(?:no,? wait|wait(?:,? no\b)?|hold on|scratch that|correction"
    r"|edit(?=\s*:)|oops|whoops|(?:I['’]?m )?sorry|(?:my )?apologies|I apologi[sz]e"
    r"|my (?:mistake|bad)"
    r"|let me correct|I (?:misread|misspoke|made a mistake|was wrong|meant?)"
    r"|actually,? no|(?<=[.;,…—–] )actually|^actually|(?<=[.;,…—–-] )no(?=, )"
    r"|(?<=[.;,] )or rather|on second thoughts?)\b"
    r"|(?:更正|不对|不對|等等|抱歉|对不起|對不起|我错了|我錯了|说错了|說錯了|訂正|정정)",
    re.IGNORECASE | re.MULTILINE,
)
# Before such a word a clause ends, or somebody stops: "hmm, wait".
_CLAUSE_END = re.compile(
    r"(?:[.;,…!?)。；，！？—–-]|\n|\b(?:hm+|oh|ah|but|no|um))\s*\Z", re.IGNORECASE
)
_SENTENCE_END = (".", "!", "?", "…", "。", "\n", "—", "–")
# A minus is no dash: "Wait, no: -7".
_JOINT = re.compile(r"[\s,;:：，。.!！—–]*(?:-\s+)?")
_LOOK_BACK = 12
_MOST_TRIED = 8
_MOST_WORDS = 40  # of a short answer


def corrected(text: str, sought: Sought) -> str:
    """What stands behind the last word that takes something back, if it says an answer."""
    words = list(sought.marks(CORRECTS, text))
    statements = [mark.start() for mark in sought.marks(ANSWER_IS, text)]
    before = [word.end() for word in words if statements and word.end() <= statements[-1]]
    if before:
        return text[before[-1] :]
    for word in words[: -_MOST_TRIED - 1 : -1]:
        if takes_back(text, word, sought):
            return _behind(text, word)
    return text


def _behind(text: str, word: re.Match[str]) -> str:
    joint = _JOINT.match(text, word.end())
    return text[joint.end() if joint else word.end() :]


def takes_back(text: str, word: re.Match[str], sought: Sought) -> bool:
    """Whether before the word something is said, and behind it something else in its place."""
    front, rest = text[: word.start()], _behind(text, word)
    if not _CLAUSE_END.search(front[-_LOOK_BACK:]):
        return False
    if sought.kind is AnswerKind.WORDS:  # of words nobody can tell whether they answer
        ends = front.rstrip(" ").endswith(_SENTENCE_END)
        return ends and len(rest.split()) < _MOST_WORDS and any(sign.isalnum() for sign in rest)
    return says(front.rstrip(" ,;:—–-"), sought) and says(rest, sought)
