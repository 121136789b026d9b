"""Where an answer ends and the model goes on with a turn of its own making: the first counts.

Also what it says of its own question before it answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from scbench.scoring.extract.sought import AnswerKind, Sought
from scbench.scoring.text import norm

# Ends of turns, and beginnings of new ones, where special tokens came out as ordinary text.
_END = re.compile(
    r"<[|｜](?:im_end|im_start|eot_id|eom_id|end|end_of_text|endoftext"
    r"|end▁of▁sentence|return|start|user"
    r"|assistant|system|start_header_id|END_OF_TURN_TOKEN|START_OF_TURN_TOKEN)[|｜]>"
    r"|</s>|<s>|<eos>|<end_of_turn>|<start_of_turn>|\[/?INST\]"
)
_ROLE = re.compile(r"\s*(?:assistant|model)\s*(?::|\n|<\|end_header_id\|>)\s*", re.IGNORECASE)
_ASKS = re.compile(
    r"^[ \t]*(?:[#*>-]{1,4}[ \t]*)?(?:(?:next |new )?question(?: \d+)?|q\d*|user|human"
    r"|instruction|input|frage"
    r"|pregunta|问题|問題|问)[ \t]*\**[ \t]*[:：]"
    r"|^[ \t]*#{2,4}[ \t]*(?:instruction|human|user|input|question)\b"
    r"|^[ \t]*(?:function )?description[ \t]*:",
    re.IGNORECASE | re.MULTILINE,
)
_DATA = re.compile(r"\s*[,}\]]\s*(?:[\"{\[}\]]|$)")
_WORD = re.compile(r"[^\W\d_]+:?")
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)
_MOST_TRIED = 64


def without_next_turn(text: str, sought: Sought) -> str:
    """The text before the next turn that the model made up; a turn's mark before all text goes."""
    at = 0
    for mark in sought.marks(_END, text):
        if text[at : mark.start()].strip():
            return text[at : mark.start()]
        role = _ROLE.match(text, mark.end())
        at = role.end() if role else mark.end()
    text = _within_quotes(text[at:], sought)
    for start in _next_questions(text, sought):
        return text[:start]
    return text


def _within_quotes(text: str, sought: Sought) -> str:
    """The text before a quote that closes what the prompt opened, where the data goes on behind."""
    end = text.find('"')
    closes = end > 0 and not re.search(r"[\s\"']", text[:end].strip())
    goes_on = closes and sought.kind is AnswerKind.STRING and _DATA.match(text, end + 1)
    return text[:end] if goes_on and text[:end].strip() else text


def _next_questions(text: str, sought: Sought) -> Iterator[int]:
    """Where questions begin that are not this turn's, with text before them."""
    own = norm(sought.wanted.question[:2000])
    patterns = [_ASKS]
    if lead := _lead(sought.wanted.question):
        patterns.append(re.compile(rf"^[ \t]*{re.escape(lead)}", re.MULTILINE | re.IGNORECASE))
    starts = sorted(
        match.start()
        for pattern in patterns
        for _, match in zip(range(_MOST_TRIED), sought.marks(pattern, text), strict=False)
    )
    first = next((at for at, sign in enumerate(text) if not sign.isspace()), len(text))
    for start in starts:
        line = text[start:].lstrip().split("\n", 1)[0][:2000]
        asked = norm(_ASKS.sub("", line, count=1) if _ASKS.match(line) else line)
        if start <= first or (asked and asked in own):
            continue
        if sought.kind is AnswerKind.CODE and len(_FENCE.findall(text, 0, start)) % 2:
            continue  # within a fence a line is code
        yield start


def _lead(question: str) -> str:
    """The words that questions of this turn's kind begin with: three, or one with a colon.

    >>> _lead("What is the pass key for grey falcon?"), _lead('Key: "71d2"'), _lead("225 to")
    ('What is the', 'Key:', '')
    """
    words = question.split()
    plain: list[str] = []
    for word in words[:3]:
        if not _WORD.fullmatch(word):
            break
        plain.append(word)
        if word.endswith(":"):
            break
    return " ".join(plain) if len(plain) == 3 or (plain and plain[-1].endswith(":")) else ""


def without_own_question(text: str, sought: Sought) -> str:
    """The text without this turn's question at its head."""
    question = sought.wanted.question.strip()
    start = text.lstrip()
    if match := _ASKS.match(start):
        bare = start[match.end() :].lstrip()
        start = bare if question and bare.startswith(question) else start
    if question and start.startswith(question) and not start[len(question) :][:1].isalnum():
        text = start[len(question) :]
    return text
