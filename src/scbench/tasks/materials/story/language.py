"""How a language says an event: its tables, and their compiled forms for the two ways a story is
written.

Evidence is said one sentence at a time with the place of every slot known (`say`). Background is
said in two halves around the day (`halves`), so that one cached half serves every length of the
story and only day numbers change.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from scbench.tasks.materials.story.log import DATED, Event

SLOT = re.compile(r"\{([abopxd])\}")


@dataclass(frozen=True, slots=True)
class StoryWords:
    """The names of a world in one language, by id; `x` is by kind of event, a birth year is said as
    digits.
    """

    people: Sequence[str]
    objects: Sequence[str]
    places: Sequence[str]
    trades: Sequence[str]
    crafts: Sequence[str]
    towns: Sequence[str]

    def of(self, event: Event) -> dict[str, str]:
        """Slot letter -> word, for the slots the event has."""
        said = {"d": str(event.day)}
        for slot, index, table in (
            ("a", event.a, self.people),
            ("b", event.b, self.people),
            ("o", event.o, self.objects),
            ("p", event.p, self.places),
        ):
            if index >= 0:
                said[slot] = table[index]
        if event.x >= 0:
            tables = {"trade": self.trades, "learns": self.crafts, "town": self.towns}
            said["x"] = tables[event.kind][event.x] if event.kind in tables else str(event.x)
        return said


@dataclass(frozen=True, eq=False)
class Language:
    """The tables of one language. `column` picks its word in the shared pairs; `compound` joins the
    two words of a place or an object.
    """

    name: str
    column: int
    templates: Mapping[str, tuple[str, ...]]
    scenery: tuple[str, ...]
    chapters: tuple[str, ...]
    questions: Mapping[str, str]
    pad: Callable[[int], str]
    compound: str
    chapter: str
    space: str

    @cached_property
    def halves(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """Kind -> templates as `%`-formats before and after the day; a fact is all in the
        second.
        """
        return {
            kind: tuple(_halves(text, kind in DATED) for text in texts)
            for kind, texts in self.templates.items()
        }

    def say(
        self, event: Event, template: int, words: StoryWords
    ) -> tuple[str, dict[str, tuple[int, int]]]:
        """The sentence, and slot letter -> its half-open range of characters (the last one where a
        word is said twice).
        """
        said, text, where, at = words.of(event), "", dict[str, tuple[int, int]](), 0
        source = self.templates[event.kind][template]
        for slot in SLOT.finditer(source):
            text += source[at : slot.start()]
            word, at = said[slot[1]], slot.end()
            where[slot[1]] = (len(text), len(text) + len(word))
            text += word
        return text + source[at:], where

    def ask(self, question: str, slots: Mapping[str, str]) -> str:
        return self.questions[question].format_map(slots)


def _halves(template: str, dated: bool) -> tuple[str, str]:
    before, day, after = template.partition("{d}")
    assert (bool(day), "{d}" in after) == (dated, False), template
    return ("", _percent(before)) if not dated else (_percent(before), _percent(after))


def _percent(text: str) -> str:
    return SLOT.sub(r"%(\1)s", text)
