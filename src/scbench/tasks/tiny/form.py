"""What all tiny forms share: pieces, filler and questions become a session of a wanted length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scbench import task_cards
from scbench.errors import BadConfig
from scbench.tasks.build import Piece, depth_of, fit, sealed, statement
from scbench.tasks.contract import Counter, Practice, Task, checked, recipe, settle
from scbench.tasks.draw import Draw
from scbench.types import Role, Session, Span, Turn, Wanted

PAD = "~"  # one token that says nothing
MINIMUM_SEEDS = 8
MOST_ANSWER_TOKENS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyKnobs:
    """Tiny forms have none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyAsked:
    """A turn before the context is written: its evidence is looked up under `place` (default: its
    own number).
    """

    task: str
    ask: str
    gold: str
    wanted: Wanted
    is_global: bool = False  # everything in the context counts
    place: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyPlan:
    """A session but for its length. `filler(i, draw)` is unit i, drawn from a stream of its own."""

    pieces: tuple[Piece, ...]
    asked: tuple[TinyAsked, ...]
    filler: Callable[[Draw], str]
    join: str = " "


Planner = Callable[[Draw, int], TinyPlan]


def evidence(before: str, answer: str, after: str, depth: float, turn: int) -> Piece:
    """A line that supports `turn`, with its answer marked inside."""
    return statement(before, answer, after, depth=depth, turn=turn)


def tiny(
    name: str,
    *,
    plan: Planner,
    turns: int,
    practice: Practice | None = None,
) -> Task:
    """The task `name` in its tiny form. `plan(draw, turns)` makes all of a session but its
    length.
    """
    version = 1

    def make(*, seed: str, target: int, turns: int, count: Counter, **knobs: object) -> Session:
        checked(name, target=target, turns=turns)
        given = settle(TinyKnobs, knobs, task=name)
        draw = Draw("tiny", name, str(version), str(seed))
        planned = plan(draw.child("plan"), turns)
        streams = draw.children("filler")
        fitted = fit(
            pieces=planned.pieces,
            filler=lambda _: planned.filler(next(streams)),
            pad=lambda steps: " ".join([PAD] * steps),
            pad_depth=draw.child("pad").unit(),
            join=planned.join,
            target=target,
            count=count,
            what=f"{name} (tiny), seed {seed}",
        )
        asked = [
            _turn(asked, fitted.spans.get(_place(asked, i), ()), fitted.context)
            for i, asked in enumerate(planned.asked)
        ]
        made_of = recipe(
            name, version, seed=seed, target=target, turns=turns, knobs=given, form="tiny"
        )
        return sealed(
            task=name,
            context=fitted.context,
            turns=asked,
            counted=fitted.counted,
            counter=count.name,
            recipe=made_of,
        )

    def minimum(*, turns: int, count: Counter, **knobs: object) -> int:
        checked(name, target=1, turns=turns)
        settle(TinyKnobs, knobs, task=name)
        plans = [plan(Draw("tiny", name, "minimum", str(i)), turns) for i in range(MINIMUM_SEEDS)]
        return max(
            count(planned.join.join(piece.text for piece in planned.pieces)) for planned in plans
        )

    return Task(
        card=task_cards.PAPER[name].in_tiny(turns),
        version=version,
        make=make,
        minimum=minimum,
        knobs=TinyKnobs,
        practice=practice,
    )


def most_turns(name: str, turns: int, most: int) -> None:
    """Raises BadConfig where a closed vocabulary holds no more questions."""
    if turns > most:
        raise BadConfig(
            f"{name} (tiny) has at most {most} different turns, {turns} were asked for; take "
            f"{most} or fewer"
        )


def _place(asked: TinyAsked, turn: int) -> int:
    return turn if asked.place is None else asked.place


def _turn(asked: TinyAsked, spans: Sequence[Span], context: str) -> Turn:
    if asked.is_global:
        spans = (Span(0, len(context), Role.GLOBAL),)
    return Turn(
        task=asked.task,
        ask=asked.ask,
        gold=asked.gold,
        wanted=asked.wanted,
        max_new_tokens=MOST_ANSWER_TOKENS,
        evidence=tuple(spans),
        depth=depth_of(spans, len(context)),
    )
