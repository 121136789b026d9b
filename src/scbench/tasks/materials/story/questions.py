"""What can be asked of a story, and the answers a log gives by brute force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scbench.tasks.materials.story.language import Language, StoryWords
from scbench.tasks.materials.story.log import Event

KINDS = ("place-last", "who-gave", "where-before", "kin", "trade-of-finder", "when", "count")
DEFAULT_KINDS = KINDS[:-1]
ANSWER_TYPE = {
    "place-last": "place",
    "who-gave": "person",
    "where-before": "place",
    "kin": "person",
    "trade-of-finder": "trade",
    "when": "day",
    "count": "number",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question by ids; `answer` is an id of the answer's type, or the number itself. `hops` is
    for kin.
    """

    kind: str
    answer: int
    a: int = -1
    b: int = -1
    o: int = -1
    p: int = -1
    d: int = 0
    x: int = -1
    hops: int = 0

    @property
    def answer_type(self) -> str:
        return ANSWER_TYPE[self.kind]

    def text(self, language: Language, words: StoryWords) -> str:
        slots = words.of(
            Event("learns", day=self.d, a=self.a, b=self.b, o=self.o, p=self.p, x=self.x)
        )
        return language.ask(f"kin-{self.hops}" if self.kind == "kin" else self.kind, slots)

    def gold(self, words: StoryWords) -> str:
        tables = {"place": words.places, "person": words.people, "trade": words.trades}
        return (
            tables[self.answer_type][self.answer]
            if self.answer_type in tables
            else str(self.answer)
        )


def answers(asked: Asked, log: Sequence[Event]) -> set[int]:
    """Every answer the log (in the order of the story) gives; one and only one where the question
    is fair, none where support is missing.
    """
    match asked.kind:
        case "place-last":
            return {
                event.p
                for event in [event for event in log if event.o == asked.o and event.p >= 0][-1:]
            }
        case "who-gave":
            return {
                event.a
                for event in log
                if event.kind == "gives" and (event.o, event.b) == (asked.o, asked.b)
            }
        case "where-before":
            return _places_before(asked, log)
        case "kin":
            return _foremothers(asked, log)
        case "trade-of-finder":
            finders = {event.a for event in log if event.kind == "finds" and event.o == asked.o}
            return {event.x for event in log if event.kind == "trade" and event.a in finders}
        case "when":
            return {
                event.day
                for event in log
                if event.kind == "learns" and (event.a, event.x) == (asked.a, asked.x)
            }
        case "count":
            return {
                sum(
                    event.kind == "goes" and (event.a, event.p) == (asked.a, asked.p)
                    for event in log
                )
            }
    raise AssertionError(asked.kind)


def _places_before(asked: Asked, log: Sequence[Event]) -> set[int]:
    stays = [event for event in log if asked.a in (event.a, event.b) and event.p >= 0]
    named = [
        i
        for i, event in enumerate(stays)
        if (event.kind, event.a, event.p, event.day) == ("goes", asked.a, asked.p, asked.d)
    ]
    return {stays[i - 1].p for i in named if i > 0}


def _foremothers(asked: Asked, log: Sequence[Event]) -> set[int]:
    reached = {asked.a}
    for _ in range(asked.hops):
        reached = {event.a for event in log if event.kind == "mother" and event.b in reached}
    return reached
