"""Four options for a question: the answer and three things of its type that the story tells of, as
near to the answer as can be.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from scbench.tasks.draw import Draw
from scbench.tasks.materials.story.compose import Composer, Story, around
from scbench.tasks.materials.story.plan import entities
from scbench.tasks.materials.story.questions import Asked

LETTERS = "ABCD"
# filler units before and after the answer's statement: with the other statements, about 20
# sentences
NEAR_UNITS = 10


def letters(seed: str, turns: int) -> list[str]:
    """A gold letter per turn: a seeded order in which no letter is used more than once oftener than
    another.
    """
    draw = Draw(seed, "letters")
    dealt: list[str] = []
    while len(dealt) < turns:
        four = list(LETTERS)
        draw.shuffle(four)
        dealt += four
    dealt = dealt[:turns]
    draw.shuffle(dealt)
    return dealt


def options(composer: Composer, story: Story, turn: int, letter: str) -> tuple[str, ...]:
    """The texts in letter order; the gold stands at `letter`. None lies inside another, and none
    but the gold is right.
    """
    asked, words = composer.plan.asked[turn], composer.filler.words
    question, gold = asked.text(composer.filler.language, words), asked.gold(words)
    chosen = [gold]
    for entity in _candidates(composer, story, turn):
        text = _text(asked, entity, composer)
        if text not in question and not any(text in other or other in text for other in chosen):
            chosen.append(text)
        if len(chosen) == len(LETTERS):
            break
    assert len(chosen) == len(LETTERS), f"{asked} has only the options {chosen}"
    wrong = chosen[1:]
    Draw(composer.plan.world.seed, "options", str(turn)).shuffle(wrong)
    at = LETTERS.index(letter)
    return (*wrong[:at], gold, *wrong[at:])


def _text(asked: Asked, entity: int, composer: Composer) -> str:
    words = composer.filler.words
    tables = {"place": words.places, "person": words.people, "trade": words.trades}
    return tables[asked.answer_type][entity] if asked.answer_type in tables else str(entity)


def _candidates(composer: Composer, story: Story, turn: int) -> Iterator[int]:
    """Entities of the answer's type: of the turn's own near misses, of what is told near the
    answer, of the other turns, of all the story.
    """
    plan, filler = composer.plan, composer.filler
    asked = plan.asked[turn]
    kind = asked.answer_type
    draw = Draw(plan.world.seed, "candidates", str(turn))
    if kind == "number":  # a count needs no mention in the text
        numbers = list(range(2, 10))
        draw.shuffle(numbers)
        yield from (number for number in numbers if number != asked.answer)
        return
    own = [
        entity
        for place in plan.placed
        if place.turn == turn
        for entity in entities(place.event, kind)
    ]
    draw.shuffle(own)
    yield from (entity for entity in own if entity != asked.answer)
    at = next((k for k, place in enumerate(plan.placed) if place.turn == turn and place.answer), 0)
    by_distance = sorted(range(len(plan.placed)), key=lambda k: abs(k - at))
    near: Iterator[int] = iter(())
    told: Iterator[int] = iter(())
    if (
        kind != "day"
    ):  # the days of filler are those between the statements' days, and not known to it
        near = (
            entity
            for event in around(story, at, filler, NEAR_UNITS)
            for entity in entities(event, kind)
        )
        told = (
            entity
            for unit in range(story.units)
            for event in filler.logs[unit]
            for entity in entities(event, kind)
        )
    others = (entity for k in by_distance for entity in entities(plan.placed[k].event, kind))
    yield from (entity for entity in chain(near, others, told) if entity != asked.answer)
