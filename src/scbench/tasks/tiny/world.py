"""The compact world of En.QA, Zh.QA and En.MultiChoice, tiny: who is where (the last word counts),
and who gave what to whom.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scbench.tasks.build import Mark, Piece, strata
from scbench.tasks.draw import Draw
from scbench.tasks.tiny.form import TinyAsked, TinyPlan
from scbench.types import Role

MOVES_RATIO = 0.3  # of the asked people have been somewhere else before


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyLanguage:
    """Sentences with holes. A question's answer is a place for `where`, else a person."""

    people: tuple[str, ...]
    places: tuple[str, ...]
    things: tuple[str, ...]
    being: str  # {person} {place}
    giving: str  # {giver} {thing} {taker}
    where: str  # {person}
    gave: str  # {thing}
    got: str  # {thing} {giver}


@dataclass(frozen=True, slots=True)
class Question:
    """`rivals` are all answers of the same kind."""

    ask: str
    answer: str
    rivals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TinyWorld:
    pieces: tuple[Piece, ...]
    questions: tuple[Question, ...]
    people: tuple[str, ...]  # nobody asks about these
    things: tuple[str, ...]


def world(draw: Draw, turns: int, language: TinyLanguage) -> TinyWorld:
    """One question a turn, each about a person or a thing that no other sentence of the context
    speaks of.
    """
    people, things = list(language.people), list(language.things)
    draw.shuffle(people)
    draw.shuffle(things)
    others = people[turns:]
    pieces: list[Piece] = []
    questions: list[Question] = []
    places = strata(draw.child("place"), turns)
    for turn, depth in enumerate(places):
        if draw.below(2):
            person = people[turn]
            was, is_now = draw.sample(language.places, 2)
            if draw.unit() < MOVES_RATIO:
                pieces.append(
                    _said(
                        language.being.format(person=person, place=was),
                        "",
                        depth * draw.unit(),
                        turn,
                    )
                )
            text = language.being.format(person=person, place=is_now)
            pieces.append(_said(text, is_now, depth, turn))
            questions.append(
                Question(language.where.format(person=person), is_now, language.places)
            )
        else:
            giver, taker = draw.sample(others, 2)
            text = language.giving.format(giver=giver, thing=things[turn], taker=taker)
            form, answer = (language.gave, giver) if draw.below(2) else (language.got, taker)
            pieces.append(_said(text, answer, depth, turn))
            questions.append(
                Question(form.format(thing=things[turn], giver=giver), answer, language.people)
            )
    return TinyWorld(tuple(pieces), tuple(questions), tuple(others), tuple(things[turns:]))


def sentence(draw: Draw, found: TinyWorld, language: TinyLanguage) -> str:
    """Filler: of people and things that nobody asks about."""
    if draw.below(2):
        return language.being.format(
            person=draw.choice(found.people), place=draw.choice(language.places)
        )
    giver, taker = draw.sample(found.people, 2)
    return language.giving.format(giver=giver, thing=draw.choice(found.things), taker=taker)


def story(
    draw: Draw,
    turns: int,
    language: TinyLanguage,
    asked: Callable[[Question, int], TinyAsked],
    join: str = " ",
) -> TinyPlan:
    """A session of this world; `asked(question, turn)` is how a task puts a question."""
    found = world(draw, turns, language)
    return TinyPlan(
        pieces=found.pieces,
        asked=tuple(asked(question, turn) for turn, question in enumerate(found.questions)),
        filler=lambda stream: sentence(stream, found, language),
        join=join,
    )


def options(draw: Draw, question: Question, size: int) -> Sequence[str]:
    """The answer among rivals of its kind, in drawn order."""
    drawn = [
        *draw.sample([rival for rival in question.rivals if rival != question.answer], size - 1),
        question.answer,
    ]
    draw.shuffle(drawn)
    return drawn


def _said(text: str, answer: str, depth: float, turn: int) -> Piece:
    """A sentence of evidence; without an answer it is the near miss that came before."""
    if not answer:
        return Piece(text, depth, (Mark(0, len(text), Role.DISTRACTOR, turn),))
    at = text.index(answer)
    return Piece(
        text,
        depth,
        (Mark(0, len(text), Role.SUPPORT, turn), Mark(at, at + len(answer), Role.ANSWER, turn)),
    )
