"""Code.RepoQA, tiny: functions of one line that call others; asked for the one that makes two given calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scbench.tasks.build import Mark, Piece, strata
from scbench.tasks.draw import Draw
from scbench.tasks.tiny.form import Asked, Plan, most_turns, tiny
from scbench.tasks.words import WORDS
from scbench.types import Role, Wanted

NAME, MOST_TURNS, CALLS = "repoqa", 32, 3


@dataclass(frozen=True, slots=True)
class Function:
    """`calls` has CALLS + 1 names, of which the first two are said of it."""

    name: str
    calls: tuple[str, ...]

    @property
    def source(self) -> str:
        *body, last = self.calls
        return f"def {self.name}(): {'; '.join(f'{call}()' for call in body)}; return {last}()"


def functions(draw: Draw, asked: int) -> tuple[list[Function], list[str]]:
    """Functions whose name and first two calls stand nowhere else, and the words that may stand anywhere else."""
    own = draw.sample(WORDS, 3 * asked)
    rest = [word for word in WORDS if word not in set(own)]
    made = []
    for i in range(asked):
        name, *told = own[3 * i : 3 * i + 3]
        made.append(Function(name, (*told, *draw.sample(rest, CALLS - 1))))
    return made, rest


def filler_of(rest: Sequence[str], draw: Draw) -> str:
    name, *calls = draw.sample(rest, CALLS + 2)
    return Function(name, tuple(calls)).source


def piece(function: Function, depth: float, turn: int) -> Piece:
    size = len(function.source)
    return Piece(function.source, depth, (Mark(0, size, Role.SUPPORT, turn), Mark(0, size, Role.ANSWER, turn)))


def question(function: Function, others: Sequence[Function]) -> Asked:
    ask = " ".join(function.calls[:2])
    wanted = Wanted(
        golds=(function.source,),
        generated=True,
        question=ask,
        name=function.name,
        lang="python",
        repo="tiny",
        candidates={other.name: other.source for other in others},
    )
    return Asked(task=NAME, ask=ask, gold=function.source, wanted=wanted)


def plan(draw: Draw, turns: int) -> Plan:
    most_turns(NAME, turns, MOST_TURNS)
    asked, rest = functions(draw, turns)
    places = strata(draw.child("place"), turns)
    return Plan(
        pieces=tuple(piece(function, depth, i) for i, (function, depth) in enumerate(zip(asked, places, strict=True))),
        asked=tuple(question(function, asked) for function in asked),
        filler=lambda stream: filler_of(rest, stream),
        join="\n",
    )


TASK = tiny(NAME, ability="semantic retrieval", plan=plan, turns=5)
