"""En.Sum, tiny: reports with three facts among filler; asked `report 3`, the answer is its facts
without the filler.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scbench.tasks.build import Mark, Piece, strata
from scbench.tasks.contract import Practice
from scbench.tasks.draw import Draw
from scbench.tasks.materials.words import WORDS
from scbench.tasks.tiny.form import TinyAsked, TinyPlan, most_turns, tiny
from scbench.tasks.tiny.lexicon import FACTS
from scbench.types import Role, Wanted

NAME, MOST_TURNS = "summary", 24


@dataclass(frozen=True, slots=True)
class TinyReport:
    number: int
    values: tuple[str, ...]

    @property
    def gold(self) -> str:
        return " ".join(f"{fact}={value}" for fact, value in zip(FACTS, self.values, strict=True))


def reports(draw: Draw, asked: int) -> tuple[list[TinyReport], list[int]]:
    """Reports with numbers of their own, and the numbers that are left."""
    numbers = list(range(100))
    draw.shuffle(numbers)
    return [TinyReport(number, values(draw)) for number in numbers[:asked]], numbers[asked:]


def values(draw: Draw) -> tuple[str, ...]:
    return tuple(str(100 + draw.below(900)) for _ in FACTS)


def piece(report: TinyReport, draw: Draw, depth: float, turn: int) -> Piece:
    """`report 3 cost=412 weeks=905 staff=710 stone river.`: two words of filler end it."""
    text = f"report {report.number}"
    marks = []
    for fact, value in zip(FACTS, report.values, strict=True):
        text += f" {fact}="
        marks.append(Mark(len(text), len(text) + len(value), Role.ANSWER, turn))
        text += value
    text += f" {draw.choice(WORDS)} {draw.choice(WORDS)}."
    return Piece(text, depth, (Mark(0, len(text), Role.SUPPORT, turn), *marks))


def filler_of(numbers: Sequence[int], draw: Draw) -> str:
    return piece(TinyReport(draw.choice(numbers), values(draw)), draw, 0.0, 0).text


def question(report: TinyReport, others: Sequence[TinyReport]) -> TinyAsked:
    rivals = [other for other in others if other.number != report.number]
    ask = f"report {report.number}"
    wanted = Wanted(
        golds=(report.gold,),
        generated=True,
        question=ask,
        facts=report.values,
        rival_facts=tuple(value for other in rivals for value in other.values),
        rival_golds=tuple(other.gold for other in rivals),
    )
    return TinyAsked(task=NAME, ask=ask, gold=report.gold, wanted=wanted)


def plan(draw: Draw, turns: int) -> TinyPlan:
    most_turns(NAME, turns, MOST_TURNS)
    asked, rest = reports(draw, turns)
    places = strata(draw.child("place"), turns)
    texts = draw.child("texts")
    return TinyPlan(
        pieces=tuple(
            piece(report, texts, depth, i)
            for i, (report, depth) in enumerate(zip(asked, places, strict=True))
        ),
        asked=tuple(question(report, asked) for report in asked),
        filler=lambda stream: filler_of(rest, stream),
    )


TASK = tiny(
    NAME,
    plan=plan,
    turns=5,
    practice=Practice(weights=(2, 4), most_turns=(16, 16)),
)
