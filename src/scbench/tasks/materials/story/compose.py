"""Plan + filler of n units + pad = the text of a story, and where each placed statement came to
stand in it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from scbench.tasks.materials.story.filler import Filler
from scbench.tasks.materials.story.language import Language, StoryWords
from scbench.tasks.materials.story.log import Event
from scbench.tasks.materials.story.plan import StoryPlan
from scbench.tasks.materials.story.weights import weights
from scbench.types import Role, Span


@dataclass(frozen=True, slots=True)
class Line:
    """A placed statement in words; `answer` is the range of its answer inside `text`, if it holds
    it.
    """

    text: str
    answer: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Story:
    text: str
    starts: tuple[int, ...]  # of each placed statement, in characters
    slots: tuple[int, ...]  # each placed statement stands before filler unit slots[k]
    units: int


def lines_of(plan: StoryPlan, language: Language, words: StoryWords) -> tuple[Line, ...]:
    lines = []
    for place in plan.placed:
        text, where = language.say(place.event, place.template, words)
        lines.append(Line(text, where[place.answer] if place.answer else None))
    return tuple(lines)


class Composer:
    """Composes one story at any length; the filler is made once and shared by all lengths."""

    def __init__(self, plan: StoryPlan, filler: Filler) -> None:
        self.plan, self.filler = plan, filler
        self.lines = lines_of(plan, filler.language, filler.words)
        self._space = filler.language.space

    def compose(self, units: int, pad_words: int = 0) -> Story:
        self.filler.grow(units)
        slots = self._slots(units)
        pieces, starts, at = [self.filler.title], list[int](), len(self.filler.title)
        done, day = 0, self.plan.first_day
        ends = [
            *((slot, place.day) for slot, place in zip(slots, self.plan.placed, strict=True)),
            (units, self.plan.last_day),
        ]
        for k, (slot, next_day) in enumerate(ends):
            for text in self._run(done, slot, day, next_day):
                text = text if at > len(self.filler.title) else text.lstrip()
                pieces.append(text)
                at += len(text)
            if k < len(self.lines):
                space = self._space if at > len(self.filler.title) else ""
                starts.append(at + len(space))
                pieces.append(space + self.lines[k].text)
                at += len(pieces[-1])
            done, day = slot, next_day
        if pad := self.filler.language.pad(pad_words):
            pieces.append(self._space + pad)
        return Story("".join(pieces), tuple(starts), tuple(slots), units)

    def _slots(self, units: int) -> list[int]:
        """Before which unit each statement goes, so that its middle comes as near as units allow to
        its depth in the WEIGHT of the whole story.

        (Counting units only, as if evidence had no length, would shift depths where evidence is
        dense. Weights are the same in both languages, so both tell the same log.)
        """
        ends, weight_of = self.filler.ends, weights()[0]
        own = [weight_of[place.event.kind][place.template] for place in self.plan.placed]
        total = ends[units] + sum(own)
        slots, said = list[int](), 0.0
        for weight, place in zip(own, self.plan.placed, strict=True):
            wanted = place.depth * total - said - weight / 2
            near = min(units, bisect_left(ends, wanted, 0, units + 1))
            if near and wanted - ends[near - 1] < ends[near] - wanted:
                near -= 1
            slots.append(max(near, slots[-1] if slots else 0))
            said += weight
        return slots

    def _run(self, first: int, stop: int, day: int, next_day: int) -> list[str]:
        """Units first..stop with days that climb evenly between two statements: one join
        per day.
        """
        if first == stop:
            return []
        filler, pieces = self.filler, list[str]()
        pieces.append(filler.heads[first])
        steps, unit = stop - first + 1, first
        while unit < stop:
            now = day + (unit - first + 1) * (next_day - day) // steps
            until = (
                min(stop, first + _ceil((now + 1 - day) * steps, next_day - day) - 1)
                if next_day > day
                else stop
            )
            pieces.append(str(now).join(["", *filler.middles[unit + 1 : until], ""]))
            pieces.append(filler.middles[until] if until < stop else filler.tails[until - 1])
            unit = until
        return pieces

    def log(self, story: Story) -> list[Event]:
        """The events in the order they are told, filler with its days."""
        told, done, day = list[Event](), 0, self.plan.first_day
        ends = [*zip(story.slots, self.plan.placed, strict=True), (story.units, None)]
        for slot, place in ends:
            next_day = place.day if place else self.plan.last_day
            for unit in range(done, slot):
                now = day + (unit - done + 1) * (next_day - day) // (slot - done + 1)
                dated, *facts = self.filler.logs[unit]
                told += [dated._replace(day=now), *facts]
            if place:
                told.append(place.event)
            done, day = slot, next_day
        return told

    def spans(self, story: Story, turns: int) -> tuple[tuple[Span, ...], ...]:
        """Per turn: a support span per needed statement with the answer span inside it, then the
        near misses.
        """
        spans: list[list[Span]] = [[] for _ in range(turns)]
        for place, line, start in zip(self.plan.placed, self.lines, story.starts, strict=True):
            spans[place.turn].append(Span(start, start + len(line.text), place.role))
            if line.answer:
                spans[place.turn].append(
                    Span(start + line.answer[0], start + line.answer[1], Role.ANSWER)
                )
        return tuple(tuple(sorted(row, key=lambda span: (span.start, -span.stop))) for row in spans)


def around(story: Story, k: int, filler: Filler, sentences: int) -> Sequence[Event]:
    """Filler events within so many units of placed statement k, nearest first (their days are not
    filled in).
    """
    slot = story.slots[k]
    units = sorted(
        range(max(0, slot - sentences), min(story.units, slot + sentences)),
        key=lambda unit: abs(unit - slot),
    )
    return [event for unit in units for event in filler.logs[unit]]


def _ceil(a: int, b: int) -> int:
    return -(-a // b)
