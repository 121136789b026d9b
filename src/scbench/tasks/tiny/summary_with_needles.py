"""Mix.Sum+NIAH, tiny: reports, and lines `key otter= 90210`; turns ask for a report and for a key,
in turn.
"""

from __future__ import annotations

from scbench.tasks.build import Piece, strata
from scbench.tasks.contract import Practice
from scbench.tasks.draw import Draw
from scbench.tasks.materials.words import WORDS
from scbench.tasks.tiny import summary
from scbench.tasks.tiny.form import TinyAsked, TinyPlan, evidence, most_turns, tiny
from scbench.types import Wanted

NAME, MOST_TURNS = "summary_with_needles", 24


def plan(draw: Draw, turns: int) -> TinyPlan:
    most_turns(NAME, turns, MOST_TURNS)
    reports, rest = summary.reports(draw, (turns + 1) // 2)
    owners = draw.sample(WORDS, turns // 2)
    others = [word for word in WORDS if word not in set(owners)]
    places, texts = strata(draw.child("place"), turns), draw.child("texts")
    pieces: list[Piece] = []
    asked: list[TinyAsked] = []
    for turn, depth in enumerate(places):
        if turn % 2 == 0:
            pieces.append(summary.piece(reports[turn // 2], texts, depth, turn))
            asked.append(summary.question(reports[turn // 2], reports))
        else:
            owner, number = owners[turn // 2], _number(draw)
            pieces.append(evidence(f"key {owner}= ", number, ".", depth, turn))
            asked.append(_question(f"key {owner}=", number))
    return TinyPlan(
        pieces=tuple(pieces),
        asked=tuple(asked),
        filler=lambda stream: _filler(stream, rest, others),
    )


def _number(draw: Draw) -> str:
    return str(10_000 + draw.below(90_000))


def _filler(draw: Draw, rest: list[int], others: list[str]) -> str:
    """Three reports for every key."""
    return (
        summary.filler_of(rest, draw)
        if draw.below(4)
        else f"key {draw.choice(others)}= {_number(draw)}."
    )


def _question(ask: str, number: str) -> TinyAsked:
    return TinyAsked(
        task="passkey",
        ask=ask,
        gold=number,
        wanted=Wanted(golds=(number,), generated=True, question=ask),
    )


TASK = tiny(
    NAME,
    plan=plan,
    turns=6,
    practice=Practice(weights=(2, 2), most_turns=(16, 16)),
)
