"""Options gone through line by line: said over from the question, or each with a verdict."""

from __future__ import annotations

import re

from scbench.scoring.extract.sought import AnswerKind, Sought
from scbench.scoring.extract.statements import ANSWER_IS
from scbench.scoring.text import norm

_OPTION_LINE = re.compile(r"^[ \t]*\(?([A-Z])[.):]?\)?[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_VERDICT = re.compile(
    r"^[ \t]*(?:option |choice )?\(?([A-Z])(?:[.):]|\b)[^\n]{0,200}?[\s:,–—-]"
    r"(?:(yes|correct|right|true|✓|✔️?|✅)|(?:no|incorrect|wrong|false|✗|✘|❌))[.!]?[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
# The same on one line: "(A) ✗ (B) ✓".
_TICK = re.compile(
    r"(?<!\w)\(?([A-Z])(?:[).:]+|(?=\s))[^\n()✓✔✅☑✗✘❌✖]{0,80}?(?:([✓✔✅☑])|[✗✘❌✖])\ufe0f?"
)


def without_options(text: str, sought: Sought) -> str:
    """Two or more lines that are options with their letters repeat the question: they choose
    nothing.
    """
    if sought.kind is not AnswerKind.LETTER or not sought.wanted.options:
        return text
    options = sought.wanted.options[:26]
    letters = {chr(65 + place): norm(option) for place, option in enumerate(options)}
    listed = [
        line
        for line in _OPTION_LINE.finditer(text)
        if line[2] and letters.get(line[1]) == norm(line[2])
    ]
    if len({line[1] for line in listed}) < 2:
        return text
    kept, at = [], 0
    for line in listed:
        kept.append(text[at : line.start()])
        at = line.end()
    return "".join((*kept, text[at:]))


def approved(text: str, sought: Sought) -> str:
    """The one option that verdicts find right: "A: no" and "D: yes" by line, (A) ✗ (D) ✓ in one."""
    if sought.kind is not AnswerKind.LETTER:
        return text
    verdicts = list(_VERDICT.finditer(text))
    ticks = list(_TICK.finditer(text))
    verdicts = ticks if len(ticks) > len(verdicts) else verdicts
    right = {verdict[1].upper() for verdict in verdicts if verdict[2]}
    wrong = {verdict[1].upper() for verdict in verdicts if not verdict[2]}
    if len(right) != 1 or not wrong - right or ANSWER_IS.search(text, verdicts[-1].end()):
        return text
    return right.pop()
