"""What is said beside an answer: explanations behind it, its reasons, its sources."""

from __future__ import annotations

import re

from scbench.scoring.extract.corrections import CORRECTS, takes_back
from scbench.scoring.extract.kinds import is_bare, says
from scbench.scoring.extract.sought import AnswerKind, Sought
from scbench.scoring.extract.statements import ANSWER_IS, CONCLUDES, labelled

_AFTERWORD = re.compile(
    r"^[ \t]*(?:explanation|reasoning|reason|note|justification|rationale|解释|解析|理由|说明|注)\s*[:：]",
    re.IGNORECASE | re.MULTILINE,
)
_REASON = re.compile(
    r"(?<=[\s,;，。])(?:because|porque|parce qu(?:e|['’])|perché|weil|denn|потому что)\b|因[为為]",
    re.IGNORECASE,
)
_BRACKETED_SENTENCE = re.compile(r"\s\([A-Z][^()]{10,400}[.!]\)")
_SOURCE = re.compile(
    r"\((?:see|cf\.?|source|from|paragraph|page|line|section|chapter|lines|p\.)\s[^()\n]{0,80}\)"
    r"|(?<=[\w.,;:)\"”])\[\d{1,3}\]|【[^【】\n]{1,40}】|</?co(?:: ?[\d,]+)?>",
    re.IGNORECASE,
)
# A number that says where something stands, in the text or in an order, is no answer.
_PLACE_WORDS = "line|paragraph|page|section|chapter|step|index|position|item|row"
_PLACE = re.compile(
    rf"\b(?P<word>{_PLACE_WORDS})s?\s+\d+(?:\s*[-–]\s*\d+)?\b"
    r"|\bout of (?:the |all )?\d+\b|\b\d+\s?(?:番目|번째|ème\b|º|ª)|第\s?\d+\s?[大小位](?!\w*[号號])",
    re.IGNORECASE,
)
_HOLDS = re.compile(r"\\(?:boxed|fbox)\s*\{|<(?:answer|final|solution|result)", re.IGNORECASE)
_GOES_ON = re.compile(
    r"\s*(?:however|but|alternatively|or|and|although|another (?:possib|candid)|又|或|但)",
    re.IGNORECASE,
)
# Who goes on in doubt has not answered by the first line alone.
_OPEN = re.compile(r"\b(?:could|might|may)(?: also| well)? be\b|也?可能", re.IGNORECASE)
_BLANK_LINE = re.compile(r"[ \t]*\n")
_MOST_TRIED = 8


def foremost(text: str, sought: Sought) -> str:
    """The first line, where it is an answer and nothing besides, and a paragraph explains it.

    Not where what follows answers as well: states, corrects, concludes, or goes on with "but".
    """
    first, _, more = text.strip().partition("\n")
    is_paragraph = _BLANK_LINE.match(more) is not None and bool(more.strip())
    if not is_paragraph or not is_bare(first, sought):
        return text
    rest = more.strip()
    if is_bare(rest.split("\n", 1)[0], sought) or _GOES_ON.match(rest) or _OPEN.search(rest):
        return text
    if re.search(rf"{re.escape(first.strip(' .'))}\s+or\b", rest, re.IGNORECASE):
        return text
    answers_again = (
        any(True for _ in sought.marks(ANSWER_IS, rest))
        or any(True for _ in sought.marks(_HOLDS, rest))
        or _takes_something_back(text, sought)
        or any(says(rest[word.end() :], sought) for word in _few(CONCLUDES, rest))
        or labelled(text, sought) != text
    )
    return text if answers_again else first


def _few(pattern: re.Pattern[str], text: str) -> list[re.Match[str]]:
    return list(pattern.finditer(text))[: -_MOST_TRIED - 1 : -1]


def _takes_something_back(text: str, sought: Sought) -> bool:
    return any(takes_back(text, word, sought) for word in _few(CORRECTS, text))


def without_afterword(text: str, sought: Sought) -> str:
    """The text before an explanation of what was answered; one that states the answer stays."""
    for word in sought.marks(_AFTERWORD, text):
        if text[: word.start()].strip() and not ANSWER_IS.search(text, word.end()):
            return text[: word.start()]
    return text


def without_reason(text: str, sought: Sought) -> str:
    """The text before "because", if it says something of the kind that is looked for."""
    if sought.kind in (AnswerKind.LETTER, AnswerKind.WORDS):
        return text  # an option's letter is read where it is stated
    for word in sought.marks(_REASON, text):
        if says(text[: word.start()], sought) and not ANSWER_IS.search(text, word.end()):
            return text[: word.start()].rstrip(" ,;，。\n")
        break
    return text


def without_sources(text: str, sought: Sought) -> str:
    """The text without what it quotes from: "(see paragraph 4)", "[1]", the third of an order."""
    text = _unless_told(_SOURCE, text, sought)
    if sought.kind is AnswerKind.NUMBER:
        text = _unless_told(_PLACE, text, sought)
    if sought.kind is not AnswerKind.WORDS:
        aside = _BRACKETED_SENTENCE.search(text)
        if aside and says(text[: aside.start()], sought):
            text = text[: aside.start()] + text[aside.end() :]
    return text


def _unless_told(pattern: re.Pattern[str], text: str, sought: Sought) -> str:
    """Cut out what matches, but for what the question asks about or an answer consists of."""
    question = sought.wanted.question.lower()

    def cut(found: re.Match[str]) -> str:
        word = found.groupdict().get("word")
        is_asked = word is not None and word.lower() in question
        return found[0] if is_asked or not sought.is_mark(found[0].strip()) else " "

    return pattern.sub(cut, text)
