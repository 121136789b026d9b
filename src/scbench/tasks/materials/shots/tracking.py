"""The tracking family: people with one thing each swap; what does one of them have at the end?"""

from __future__ import annotations

from dataclasses import dataclass

from scbench.tasks.draw import Draw
from scbench.tasks.materials.shots.shot import Shot, placed

PEOPLE = [
    "Ada",
    "Ben",
    "Cora",
    "Dan",
    "Ella",
    "Finn",
    "Gus",
    "Hana",
    "Ivo",
    "Jill",
    "Kurt",
    "Lena",
    "Max",
    "Nora",
    "Otis",
    "Petra",
    "Quinn",
    "Rosa",
    "Sven",
    "Tess",
    "Uma",
    "Vito",
    "Wanda",
    "Yuri",
    "Zoe",
    "Abel",
    "Bea",
    "Carl",
    "Dora",
    "Emil",
    "Faye",
    "Glen",
    "Hugo",
    "Iris",
    "Jonas",
    "Kira",
    "Leo",
    "Mona",
    "Nils",
    "Olga",
]
COLOURS = ["red", "blue", "green", "brown", "black", "white", "pink", "grey"]
THINGS = [
    "ball",
    "kite",
    "drum",
    "scarf",
    "mug",
    "lamp",
    "map",
    "coin",
    "bell",
    "hat",
    "box",
    "cup",
    "key",
    "rope",
    "book",
    "flute",
    "glove",
    "vase",
    "clock",
    "pen",
    "brush",
    "chair",
    "doll",
    "fan",
    "horn",
    "jar",
    "knife",
    "net",
    "plate",
    "ring",
]
_HAVE = ("has the {}", "holds the {}", "was given the {}", "came with the {}")
_SWAPS = (
    "{} and {} swap",
    "{} and {} trade things",
    "{} and {} change what they hold",
    "{} and {} exchange things",
)
_LINKS = ("Then", "After that", "Next", "A little later")


@dataclass(frozen=True, slots=True)
class Tracking:
    small: bool
    options: int  # people, and things
    swaps: int | None  # None: as many as people to twice as many (small: to one more)
    labels: tuple[
        str, ...
    ] = ()  # made-up option names of `things`, where they are to be learnt from the shots
    things: tuple[str, ...] = ()  # with labels: the same in all shots
    name: str = "tracking"

    @property
    def kinds(self) -> int:
        return len(self.labels) or 1

    def shot(self, draw: Draw, *, right: int, kind: int) -> Shot:
        people = draw.sample(PEOPLE, self.options)
        things = list(self.things) if self.labels else self._things(draw)
        draw.shuffle(things)
        holds = list(range(self.options))  # person -> index of the thing
        swaps = (
            self.swaps
            if self.swaps is not None
            else self.options + draw.below(2 if self.small else self.options + 1)
        )
        pairs = [draw.sample(range(self.options), 2) for _ in range(swaps)]
        for a, b in pairs:
            holds[a], holds[b] = holds[b], holds[a]
        wanted = things.index(self.things[kind]) if self.labels else draw.below(self.options)
        person = people[holds.index(wanted)]
        question = f"{self._told(draw, people, things, pairs)} At the end, what does {person} have?"
        said = (
            dict(zip(self.things, self.labels, strict=True))
            if self.labels
            else {thing: thing for thing in things}
        )
        others = [said[thing] for i, thing in enumerate(things) if i != wanted]
        return Shot(question, placed(draw, said[things[wanted]], others, right), right, kind)

    def _things(self, draw: Draw) -> list[str]:
        things = draw.sample(THINGS, self.options)
        return things if self.small else [f"{draw.choice(COLOURS)} {thing}" for thing in things]

    def _told(
        self, draw: Draw, people: list[str], things: list[str], pairs: list[list[int]]
    ) -> str:
        if self.small:
            start = ", ".join(
                [f"{who} has the {what}" for who, what in zip(people, things, strict=True)]
            )
            return f"{start}. " + " ".join([f"{people[a]} and {people[b]} swap." for a, b in pairs])
        have, parts = draw.choice(_HAVE), []
        for i, (who, what) in enumerate(zip(people, things, strict=True)):
            parts.append(f"{'and ' if i == len(people) - 1 else ''}{who} {have.format(what)}")
        for i, (a, b) in enumerate(pairs):
            link = "First" if i == 0 else _LINKS[draw.below(len(_LINKS))]
            parts.append(f"{link}, {_SWAPS[draw.below(len(_SWAPS))].format(people[a], people[b])}.")
        people_count = len(people)
        return f"{', '.join(parts[:people_count])}. {' '.join(parts[people_count:])}"


def same_things(draw: Draw, options: int) -> tuple[str, ...]:
    """The things of a session whose option names are made up."""
    return tuple(draw.sample(THINGS, options))


assert len(set(PEOPLE)) == len(PEOPLE)
assert len(set(THINGS)) == len(THINGS)
