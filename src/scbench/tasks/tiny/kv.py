"""Retr.KV, tiny: `otter: 4821 maple: 9033 ...`, asked `otter:`."""

from __future__ import annotations

from scbench.tasks.build import Piece, strata
from scbench.tasks.contract import Practice
from scbench.tasks.draw import Draw
from scbench.tasks.materials.words import WORDS
from scbench.tasks.tiny.form import TinyAsked, TinyPlan, evidence, most_turns, tiny
from scbench.types import Wanted

NAME, MOST_TURNS = "kv", 64


def value(draw: Draw) -> str:
    return draw.text("0123456789", 4)


def plan(draw: Draw, turns: int) -> TinyPlan:
    """Asked keys stand once; a key of the filler may stand more than once, and is never asked."""
    most_turns(NAME, turns, MOST_TURNS)
    keys = list(WORDS)
    draw.shuffle(keys)
    asked, rest = keys[:turns], keys[turns:]
    values = [value(draw) for _ in asked]
    places = strata(draw.child("place"), turns)
    return TinyPlan(
        pieces=tuple(
            pair(key, found, depth, i)
            for i, (key, found, depth) in enumerate(zip(asked, values, places, strict=True))
        ),
        asked=tuple(question(key, found) for key, found in zip(asked, values, strict=True)),
        filler=lambda stream: f"{stream.choice(rest)}: {value(stream)}",
    )


def pair(key: str, found: str, depth: float, turn: int) -> Piece:
    return evidence(f"{key}: ", found, "", depth, turn)


def question(key: str, found: str) -> TinyAsked:
    ask = f"{key}:"
    wanted = Wanted(golds=(found,), generated=True, question=ask, shape="digits", asked_key=key)
    return TinyAsked(task=NAME, ask=ask, gold=found, wanted=wanted)


TASK = tiny(
    NAME,
    plan=plan,
    turns=5,
    practice=Practice(weights=(4, 2)),
)
