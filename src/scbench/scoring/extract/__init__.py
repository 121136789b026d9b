"""One step before every strict rule: from a raw answer to the text that the rule judges.

Models put their answers behind thoughts, into boxes, JSON and tags, after "the answer is", and go
on with questions that nobody asked. What an answer *says* is read here, once for all tasks; the
rules then judge it. Nothing here knows which answer is right: accepted answers are looked at only
so that what stands in them is not taken for a mark.

>>> from scbench.types import Wanted
>>> wanted = Wanted(golds=("772",))
>>> extract("<think>775, 774</think>So it is \\\\boxed{772}.", Sought(AnswerKind.NUMBER, wanted))
Extracted(text='772', removed=('thought', 'container'))
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from scbench.scoring.extract.absences import without_substitute
from scbench.scoring.extract.asides import (
    foremost,
    without_afterword,
    without_reason,
    without_sources,
)
from scbench.scoring.extract.bounds import without_bounds
from scbench.scoring.extract.containers import contained
from scbench.scoring.extract.corrections import corrected
from scbench.scoring.extract.denials import without_denials
from scbench.scoring.extract.digits import in_plain_digits, numbers_in_digits
from scbench.scoring.extract.hedges import without_hedge
from scbench.scoring.extract.markup import (
    plain_width,
    without_courtesy,
    without_markdown,
)
from scbench.scoring.extract.options import approved, without_options
from scbench.scoring.extract.origins import without_origins
from scbench.scoring.extract.sought import AnswerKind, Sought
from scbench.scoring.extract.statements import concluded, echoed, last_line, solved, stated
from scbench.scoring.extract.thoughts import Spoken, spoken
from scbench.scoring.extract.turns import without_next_turn, without_own_question
from scbench.scoring.text import nfkc

UNCLOSED = "unclosed thought"
TOO_DEEP = "nested too deep"
TOO_LONG = "too long to be read"
MOST_LONG_CHARS = 1 << 18  # of a summary
MOST_SHORT_CHARS = 1 << 15  # of what a short answer says aloud; a thought may be longer
_LONG_BLANKS = re.compile(r"[^\S\n]{256,}")  # no code is indented so far
_MOST_ROUNDS = 12  # an answer in a box in a tag in a fence takes three

Step = Callable[[str, Sought], str]
_FOR_ALL: tuple[tuple[str, Step], ...] = (
    ("next turn", without_next_turn),
    ("courtesy", without_courtesy),
)
# The order: what is no answer's text at all; its dress; where it is put; what it takes back or
# denies; what states it. A step may rely on those before it, in the round and in the one before.
_FOR_SHORT: tuple[tuple[str, Step], ...] = (
    *_FOR_ALL,
    ("number's form", in_plain_digits),
    ("width", plain_width),
    ("markdown", without_markdown),
    ("number words", numbers_in_digits),
    ("source", without_sources),
    ("question", without_own_question),
    ("question", without_options),
    ("working", approved),
    ("afterword", foremost),
    ("container", contained),
    ("correction", corrected),
    ("absence", without_substitute),
    ("afterword", without_afterword),
    ("origin", without_origins),
    ("bound", without_bounds),
    ("reason", without_reason),
    ("hedge", without_hedge),
    ("denial", without_denials),
    ("lead", stated),
    ("working", solved),
    ("working", concluded),
    ("working", echoed),
    ("working", last_line),
)
_STEPS: dict[AnswerKind, tuple[tuple[str, Step], ...]] = dict.fromkeys(AnswerKind, _FOR_SHORT) | {
    AnswerKind.CODE: (*_FOR_ALL, ("container", contained)),
    AnswerKind.PROSE: (
        *_FOR_ALL,
        ("container", contained),
        ("markdown", without_markdown),
        ("lead", stated),
    ),
}


@dataclass(frozen=True, slots=True)
class Extracted:
    """The text that a rule judges, and by name what was taken off the answer, in order."""

    text: str
    removed: tuple[str, ...] = ()


def extract(answer: str, sought: Sought) -> Extracted:
    """What an answer says, of the kind that is sought. Extracting twice changes nothing more."""
    if answer.strip() in sought.wanted.golds:
        return Extracted(answer)
    if _is_too_long(spoken(answer, sought.is_mark).text, sought):
        return Extracted("", (TOO_LONG,))
    removed: list[str] = []
    text = _LONG_BLANKS.sub(" ", answer)  # they say nothing, and patterns read them over and over
    for _ in range(_MOST_ROUNDS):
        before = text
        text = _round(text, sought, removed)
        if text == before:
            return Extracted(text, tuple(removed))
    return Extracted("", (*removed, TOO_DEEP))


def _is_too_long(said: str, sought: Sought) -> bool:
    """Also in its plain width: one sign may stand for eighteen."""
    if not sought.is_short:
        return len(said) > MOST_LONG_CHARS
    return len(said) > MOST_SHORT_CHARS or len(nfkc(said)) > MOST_SHORT_CHARS


def _round(text: str, sought: Sought, removed: list[str]) -> str:
    """Every step once; `removed` gets the names of those that changed the text."""
    said = spoken(text, sought.is_mark)
    if said.has_thought or said.is_unclosed:
        _note(removed, UNCLOSED if said.is_unclosed else "thought")
        text = said.text
    for name, step in _STEPS[sought.kind]:
        after = step(text, sought)
        if after != text:
            _note(removed, name)
            text = after
    return text.strip() if sought.is_short else text


def _note(removed: list[str], name: str) -> None:
    if name not in removed:
        removed.append(name)


__all__ = [
    "MOST_LONG_CHARS",
    "MOST_SHORT_CHARS",
    "TOO_DEEP",
    "TOO_LONG",
    "UNCLOSED",
    "AnswerKind",
    "Extracted",
    "Sought",
    "Spoken",
    "extract",
    "spoken",
]
