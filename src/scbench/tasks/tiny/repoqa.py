"""Code.RepoQA, tiny: functions of one line, each behind two words that describe it; asked by these
words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scbench.tasks.build import Mark, Piece, strata
from scbench.tasks.contract import Practice
from scbench.tasks.draw import Draw
from scbench.tasks.materials.words import WORDS
from scbench.tasks.tiny.form import TinyAsked, TinyPlan, most_turns, tiny
from scbench.types import Role, Wanted

NAME, MOST_TURNS, CALLS = "repoqa", 32, 3


@dataclass(frozen=True, slots=True)
class TinyFunction:
    """`about` are two words, `calls` CALLS names."""

    about: str
    name: str
    calls: tuple[str, ...]

    @property
    def source(self) -> str:
        *body, last = self.calls
        return f"def {self.name}(): {'; '.join(f'{call}()' for call in body)}; return {last}()"

    @property
    def line(self) -> str:
        return f"{self.about}: {self.source}"


def functions(draw: Draw, asked: int) -> tuple[list[TinyFunction], list[str]]:
    """Functions whose name and description stand nowhere else, and the words that may stand
    anywhere else.
    """
    own = draw.sample(WORDS, 3 * asked)
    rest = [word for word in WORDS if word not in set(own)]
    made = []
    for i in range(asked):
        name, *about = own[3 * i : 3 * i + 3]
        made.append(TinyFunction(" ".join(about), name, tuple(draw.sample(rest, CALLS))))
    return made, rest


def filler_of(rest: Sequence[str], draw: Draw) -> str:
    one, two, name, *calls = draw.sample(rest, CALLS + 3)
    return TinyFunction(f"{one} {two}", name, tuple(calls)).line


def piece(function: TinyFunction, depth: float, turn: int) -> Piece:
    whole, size = function.line, len(function.line)
    return Piece(
        whole,
        depth,
        (
            Mark(0, size, Role.SUPPORT, turn),
            Mark(size - len(function.source), size, Role.ANSWER, turn),
        ),
    )


def question(function: TinyFunction, others: Sequence[TinyFunction]) -> TinyAsked:
    ask = f"{function.about}:"
    wanted = Wanted(
        golds=(function.source,),
        generated=True,
        question=ask,
        name=function.name,
        lang="python",
        repo="tiny",
        candidates={other.name: other.source for other in others},
    )
    return TinyAsked(task=NAME, ask=ask, gold=function.source, wanted=wanted)


def plan(draw: Draw, turns: int) -> TinyPlan:
    most_turns(NAME, turns, MOST_TURNS)
    asked, rest = functions(draw, turns)
    places = strata(draw.child("place"), turns)
    return TinyPlan(
        pieces=tuple(
            piece(function, depth, i)
            for i, (function, depth) in enumerate(zip(asked, places, strict=True))
        ),
        asked=tuple(question(function, asked) for function in asked),
        filler=lambda stream: filler_of(rest, stream),
    )


TASK = tiny(
    NAME,
    plan=plan,
    turns=5,
    practice=Practice(weights=(2, 4)),
)
