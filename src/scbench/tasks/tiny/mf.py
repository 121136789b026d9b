"""Math.Find, tiny: numbers below 100, one token each; asked for the largest or smallest, of all, of
the odd or of the even ones.
"""

from __future__ import annotations

from scbench.tasks.build import Piece
from scbench.tasks.contract import Practice
from scbench.tasks.draw import Draw
from scbench.tasks.tiny.form import TinyAsked, TinyPlan, most_turns, tiny
from scbench.types import Wanted

NAME = "mf"
KINDS = ("largest", "smallest", "largest odd", "smallest odd", "largest even", "smallest even")
LEAST_RANGE, LEAST_NUMBERS = 12, 12


def plan(draw: Draw, turns: int) -> TinyPlan:
    """Numbers of a drawn range. The ends of that range stand in the context, so that filler cannot
    change an answer: the length of a context is found after its questions are.
    """
    most_turns(NAME, turns, len(KINDS))
    low = draw.below(100 - LEAST_RANGE)
    high = draw.between(low + LEAST_RANGE - 1, 100)
    inner = [
        number for number in range(low, high + 1) if number not in (low, low + 1, high - 1, high)
    ]
    edges = [low, low + 1, high - 1, high]
    numbers = edges + [draw.choice(inner) for _ in range(LEAST_NUMBERS - len(edges))]
    draw.shuffle(numbers)
    depths = sorted(draw.unit() for _ in numbers)
    kinds = draw.sample(KINDS, turns)
    return TinyPlan(
        pieces=tuple(
            Piece(str(number), depth) for number, depth in zip(numbers, depths, strict=True)
        ),
        asked=tuple(_question(kind, find(kind, numbers)) for kind in kinds),
        filler=lambda stream: str(stream.choice(inner)),
    )


def find(kind: str, numbers: list[int]) -> int:
    """What a question of this kind asks of the numbers."""
    which, _, parity = kind.partition(" ")
    chosen = [number for number in numbers if not parity or number % 2 == (parity == "odd")]
    return max(chosen) if which == "largest" else min(chosen)


def _question(kind: str, found: int) -> TinyAsked:
    wanted = Wanted(golds=(str(found),), generated=True, question=kind)
    return TinyAsked(task=NAME, ask=kind, gold=str(found), wanted=wanted, is_global=True)


TASK = tiny(
    NAME,
    plan=plan,
    turns=5,
    # Earlier answers give later ones away, and the first is to be learned: fewer turns late.
    practice=Practice(weights=(4, 14), most_turns=(6, 3)),
)
