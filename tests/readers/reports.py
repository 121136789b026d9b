"""Who reads reports: the sentences that say something definite, and pass keys between them.

A value is what a summary cannot do without: a number, a date, a person's name, or the name of an
implement. Filler has no numbers and no names; an implement is told from other things by standing
where a person expects one ("with a ...", "proved to be its ...").
"""

from __future__ import annotations

import re

_TITLE = re.compile(r'titled "([^"]+)"')
_HEAD = re.compile(r"^Report \d+: (.+)$", re.MULTILINE)
_KEY = re.compile(r"The pass key for ([a-z ]+) is (\d+)\.")
_ASKED_KEY = re.compile(r"pass key for ([a-z ]+)\?")
_MONTH = "January|February|March|April|May|June|July|August|September|October|November|December"
_DATE = re.compile(rf"\b\d{{1,2}} (?:{_MONTH}) \d{{4}}\b")
_NUMBER = re.compile(r"\b\d{4}\b")
_NAME = re.compile(r"\b(?!(?:Ask|Let|Only) )[A-Z][a-z]+ [A-Z][a-z]+\b")
_IMPLEMENT = re.compile(
    r"""(?:studied\ the\ \w+\ with\ a | building\ one | relied\ upon\ some | by\ means\ of\ a
    | instead\ of\ guesswork,\ a | borrowed\ from\ sailors,\ the | no\ instrument\ but\ the
    | a\ broken | proved\ to\ be\ its | lay\ a\ forgotten | came\ only\ from\ one | is\ an\ ancient
    | ended\ at\ a\ jammed | depends\ on\ some\ hidden | contained\ a
    | \ba(?=\ \w+\ \w+\ was\ chosen))
    \ (\w+\ \w+)\b""",
    re.VERBOSE | re.IGNORECASE,
)


def passkey(context: str, question: str) -> str | None:
    asked = _ASKED_KEY.search(question)
    found = {number for owner, number in _KEY.findall(context) if asked and owner == asked[1]}
    return found.pop() if len(found) == 1 else None


def read(context: str, question: str) -> str | None:
    """The values of the asked report, in the order of the text, with commas."""
    asked = _TITLE.search(question)
    body = _report(context, asked[1]) if asked else None
    if body is None:
        return None
    text = _KEY.sub("", body).replace("Remember it.", "")
    found = list[tuple[int, str]]()
    for shape in (_DATE, _NUMBER, _NAME):
        for match in shape.finditer(text):
            found.append((match.start(), match[0]))
            text = text[: match.start()] + "#" * len(match[0]) + text[match.end() :]
    for sentence in re.finditer(r"[^.\n]+\.", text):
        if implement := _IMPLEMENT.search(sentence[0].strip()):
            found.append((sentence.start(), implement[1]))
    return ", ".join(value for _, value in sorted(found)) or None


def _report(context: str, title: str) -> str | None:
    heads = list(_HEAD.finditer(context))
    own = [i for i, head in enumerate(heads) if head[1] == title]
    if len(own) != 1:
        return None
    stop = heads[own[0] + 1].start() if own[0] + 1 < len(heads) else len(context)
    return context[heads[own[0]].end() : stop]
