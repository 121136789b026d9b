"""Who and what there is: ids with attributes, the same in both languages; and their words in one of
them.
"""

from __future__ import annotations

from dataclasses import dataclass

from scbench.tasks.draw import Draw
from scbench.tasks.materials.story import terms
from scbench.tasks.materials.story.language import Language, StoryWords
from scbench.tasks.materials.story.names import chinese_names, english_names

PEOPLE_MAX = 4_000
LEAST = 6  # people, places and objects of the smallest world
YEARS = (1700, 1900)


def population(sentences: int) -> int:
    """People of a story so long: 6 + one per 40 sentences, at most 4,000; places and objects are a
    third as dense.
    """
    return max(LEAST, min(PEOPLE_MAX, LEAST + sentences // 40))


@dataclass(frozen=True)
class World:
    """`cast_people` and `cast_objects` first ids belong to the turns; the rest is background and
    never touches an asked relation.
    """

    seed: str
    people: int
    objects: int
    places: int
    cast_people: int
    cast_objects: int
    trade_of: tuple[int, ...]
    town_of: tuple[int, ...]
    year_of: tuple[int, ...]
    mother_of: tuple[
        int, ...
    ]  # a background person with a higher id, so that nobody is their own ancestor; -1 for the last

    def words(self, language: Language) -> StoryWords:
        column = language.column
        people = english_names if column == 0 else chinese_names
        trades, crafts, towns = (
            [pair[column] for pair in table] for table in (terms.TRADES, terms.CRAFTS, terms.TOWNS)
        )
        return StoryWords(
            people=people(Draw(self.seed, "names", language.name), self.people),
            objects=_compounds(
                self.seed, "objects", terms.MATERIALS, terms.THINGS, language, self.objects
            ),
            places=_compounds(
                self.seed, "places", terms.PLACE_QUALITIES, terms.PLACE_KINDS, language, self.places
            ),
            trades=trades,
            crafts=crafts,
            towns=towns,
        )


def make_world(
    seed: str, *, people: int, objects: int, places: int, cast_people: int, cast_objects: int
) -> World:
    towns, years, mothers = (Draw(seed, "world", name) for name in ("town", "year", "mother"))
    trades = list(range(len(terms.TRADES)))
    Draw(seed, "world", "trade").shuffle(trades)
    return World(
        seed=seed,
        people=people,
        objects=objects,
        places=places,
        cast_people=cast_people,
        cast_objects=cast_objects,
        trade_of=tuple(trades[i % len(trades)] for i in range(people)),
        town_of=tuple(towns.below(len(terms.TOWNS)) for _ in range(people)),
        year_of=tuple(years.between(*YEARS) for _ in range(people)),
        mother_of=tuple(
            mothers.between(i + 1, people) if i + 1 < people else -1 for i in range(people)
        ),
    )


def _compounds(
    seed: str,
    what: str,
    qualities: tuple[tuple[str, str], ...],
    nouns: tuple[tuple[str, str], ...],
    language: Language,
    count: int,
) -> list[str]:
    """The first `count` of a seeded order of all quality-noun pairs; the same pair in both
    languages.
    """
    order = list(range(len(qualities) * len(nouns)))
    Draw(seed, "world", what).shuffle(order)
    column = language.column
    return [
        language.compound.format(qualities[i // len(nouns)][column], nouns[i % len(nouns)][column])
        for i in order[:count]
    ]
