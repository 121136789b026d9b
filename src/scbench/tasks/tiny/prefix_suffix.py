"""Retr.Prefix-Suffix, tiny: strings of 8 consonants and digits; two characters of each end are
given, and the beginning is unlike any other.
"""

from __future__ import annotations

from scbench.tasks.build import strata
from scbench.tasks.contract import Practice
from scbench.tasks.draw import Draw
from scbench.tasks.tiny.form import TinyAsked, TinyPlan, evidence, most_turns, tiny
from scbench.tasks.tiny.lexicon import CONSONANTS
from scbench.types import Wanted

NAME, MOST_TURNS, GIVEN_CHARS, INNER_CHARS = "prefix_suffix", 64, 2, 4
ALPHABET = CONSONANTS + "0123456789"


def string(draw: Draw, prefix: str) -> str:
    """The prefix, then characters of which the last is a digit: the scorer takes such a word for a
    string of the context.
    """
    return prefix + draw.text(ALPHABET, INNER_CHARS + GIVEN_CHARS - 1) + draw.text("0123456789", 1)


def plan(draw: Draw, turns: int) -> TinyPlan:
    most_turns(NAME, turns, MOST_TURNS)
    prefixes = [first + second for first in CONSONANTS for second in CONSONANTS]
    draw.shuffle(prefixes)
    asked = [string(draw, prefix) for prefix in prefixes[:turns]]
    places = strata(draw.child("place"), turns)
    return TinyPlan(
        pieces=tuple(
            evidence("", text, "", depth, i)
            for i, (text, depth) in enumerate(zip(asked, places, strict=True))
        ),
        asked=tuple(_question(text) for text in asked),
        filler=lambda stream: string(stream, stream.choice(prefixes[turns:])),
    )


def _question(text: str) -> TinyAsked:
    ask = f"{text[:GIVEN_CHARS]}*{text[-GIVEN_CHARS:]}"
    return TinyAsked(
        task=NAME, ask=ask, gold=text, wanted=Wanted(golds=(text,), generated=True, question=ask)
    )


TASK = tiny(
    NAME,
    plan=plan,
    turns=5,
    practice=Practice(weights=(5, 3)),
)
