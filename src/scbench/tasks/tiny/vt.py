"""Retr.MultiHop, tiny: `731 to K.` ... `K to P.` among noise; asked where 731 goes, the answer is
the walk `K to P`.
"""

from __future__ import annotations

from scbench.tasks.build import Mark, Piece
from scbench.tasks.contract import Practice
from scbench.tasks.draw import Draw
from scbench.tasks.materials.words import WORDS
from scbench.tasks.tiny.form import TinyAsked, TinyPlan, most_turns, tiny
from scbench.tasks.tiny.lexicon import CAPITALS
from scbench.types import Role, Wanted

NAME, MOST_TURNS, NOISE_WORDS = "vt", 12, 4


def plan(draw: Draw, turns: int) -> TinyPlan:
    """A chain of two variables a turn: a value goes to the first, the first to the second, in this
    order.
    """
    most_turns(NAME, turns, MOST_TURNS)
    names = draw.sample(CAPITALS, 2 * turns)
    values = [str(100 + found) for found in draw.sample(range(900), turns)]
    depths = sorted(draw.unit() for _ in range(2 * turns))
    order = list(range(turns)) * 2
    draw.shuffle(order)
    pieces, seen = [], set[int]()
    for turn, depth in zip(order, depths, strict=True):
        first, second = names[2 * turn : 2 * turn + 2]
        text = f"{first} to {second}." if turn in seen else f"{values[turn]} to {first}."
        seen.add(turn)
        marks = (
            Mark(0, len(text), Role.SUPPORT, turn),
            Mark(len(text) - 2, len(text) - 1, Role.ANSWER, turn),
        )
        pieces.append(Piece(text, depth, marks))
    asked = tuple(_question(value, *names[2 * i : 2 * i + 2]) for i, value in enumerate(values))
    return TinyPlan(
        pieces=tuple(pieces),
        asked=asked,
        filler=lambda stream: " ".join(stream.sample(WORDS, NOISE_WORDS)) + ".",
    )


def _question(value: str, first: str, second: str) -> TinyAsked:
    ask = f"{value} to"
    wanted = Wanted(golds=(first, second), generated=True, question=ask)
    return TinyAsked(task=NAME, ask=ask, gold=f"{first} to {second}", wanted=wanted)


TASK = tiny(
    NAME,
    plan=plan,
    turns=5,
    practice=Practice(weights=(4, 2), most_turns=(12, 12)),
)
