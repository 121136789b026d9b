"""Background: an endless row of events that never touch an asked relation, cut so that a story of
any length is a few joins.

Unit i is one dated sentence, sometimes followed by a fact or by scenery. It depends on the seed,
the world and i alone; only its day number depends on the length of the story, so the text before
the day and the text after it are kept apart, and `middles[i]` joins unit i - 1 to unit i.
"""

from __future__ import annotations

from collections.abc import Callable

from scbench.tasks.draw import Draw
from scbench.tasks.materials.story.language import Language, StoryWords
from scbench.tasks.materials.story.log import Event
from scbench.tasks.materials.story.weights import weights
from scbench.tasks.materials.story.world import World

CHAPTER_UNITS = 40
PARAGRAPH_UNITS = 8

# Of 100 units: how many are of each kind of dated event.
MIX = {
    "goes": 22,
    "puts": 14,
    "gives": 13,
    "meets": 13,
    "finds": 11,
    "mends": 8,
    "buys": 7,
    "sells": 7,
    "learns": 5,
}
DEALT = tuple(kind for kind, share in MIX.items() for _ in range(share))
EXTRA = 32  # of so many units: 3 carry a fact, 5 scenery
FACTS = ("trade", "town", "born", "mother")


class Filler:
    """Grows on demand. `logs[i]` holds the events of unit i (day 0: the story's length decides it);
    `ends[i]` the weight of the first i units.
    """

    def __init__(
        self, world: World, language: Language, words: StoryWords, *, templates: int, compact: bool
    ) -> None:
        self.world, self.language, self.words = world, language, words
        self.templates, self.compact = templates, compact
        self.heads: list[str] = []
        self.middles: list[str] = []
        self.tails: list[str] = []
        self.logs: list[tuple[Event, ...]] = []
        self.ends: list[float] = [0.0]
        self.title = "" if compact else self._heading(0) + "\n\n"

    def grow(self, units: int) -> None:
        """Make at least the first `units` units."""
        while len(self.heads) < units:
            self._block(len(self.heads) // CHAPTER_UNITS)

    def _heading(self, block: int) -> str:
        chapters = self.language.chapters
        title = chapters[Draw(self.world.seed, "chapter", str(block)).below(len(chapters))]
        return self.language.chapter.format(block + 1, title)

    def _block(self, block: int) -> None:
        below, space = Draw(self.world.seed, "filler", str(block)).below, self.language.space
        halves, scenery = self.language.halves, self.language.scenery
        weight_of, scenery_weight = weights()
        for i in range(CHAPTER_UNITS):
            event, said = self._event(below)
            template = below(self.templates)
            before, after = halves[event.kind][template]
            weight = weight_of[event.kind][template]
            sep = space
            if not self.compact and i % PARAGRAPH_UNITS == 0:
                sep = "\n" if i or not block else f"\n\n{self._heading(block)}\n\n"
            head, tail = sep + before % said, after % said
            log: tuple[Event, ...] = (event,)
            extra = below(EXTRA)
            if extra < 3 and not self.compact:
                fact, said = self._fact(below)
                template = below(self.templates)
                tail += space + halves[fact.kind][template][1] % said
                weight += weight_of[fact.kind][template]
                log = (event, fact)
            elif extra < 8 and not self.compact:
                scene = below(len(scenery))
                tail += space + scenery[scene]
                weight += scenery_weight[scene]
            self.middles.append(self.tails[-1] + head if self.tails else head)
            self.heads.append(head)
            self.tails.append(tail)
            self.logs.append(log)
            self.ends.append(self.ends[-1] + weight)

    def _event(self, below: Callable[[int], int]) -> tuple[Event, dict[str, str]]:
        world, words = self.world, self.words
        kind = DEALT[below(100)]
        low = world.cast_people
        others = world.people - low
        a = below(others)
        said = {"a": words.people[low + a]}
        if kind == "learns":
            x = below(len(words.crafts))
            said["x"] = words.crafts[x]
            return Event(kind, 0, low + a, -1, -1, -1, x), said
        p, o, b = below(world.places), -1, -1
        said["p"] = words.places[p]
        if kind in ("gives", "meets"):
            b = low + (a + 1 + below(others - 1)) % others
            said["b"] = words.people[b]
        if kind not in ("goes", "meets"):
            o = world.cast_objects + below(world.objects - world.cast_objects)
            said["o"] = words.objects[o]
        return Event(kind, 0, low + a, b, o, p), said

    def _fact(self, below: Callable[[int], int]) -> tuple[Event, dict[str, str]]:
        world, words = self.world, self.words
        kind = FACTS[below(len(FACTS))]
        a = world.cast_people + below(world.people - world.cast_people)
        if kind == "mother" and world.mother_of[a] >= 0:
            mother = world.mother_of[a]
            return Event(kind, 0, mother, a), {"a": words.people[mother], "b": words.people[a]}
        if kind == "born":
            return Event(kind, a=a, x=world.year_of[a]), {
                "a": words.people[a],
                "x": str(world.year_of[a]),
            }
        if kind == "town":
            return Event(kind, a=a, x=world.town_of[a]), {
                "a": words.people[a],
                "x": words.towns[world.town_of[a]],
            }
        return Event("trade", a=a, x=world.trade_of[a]), {
            "a": words.people[a],
            "x": words.trades[world.trade_of[a]],
        }


assert sum(MIX.values()) == 100
