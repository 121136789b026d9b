"""Who plays what: for each turn the asked relation, its evidence and its near misses, by ids and
without depths.

Each turn has people and objects of its own, which the background never mentions; near misses bring
them together with background people and objects, so that being mentioned is no hint. Places are
shared by all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from scbench.tasks.draw import Draw
from scbench.tasks.materials.story import terms
from scbench.tasks.materials.story.log import Event
from scbench.tasks.materials.story.questions import Asked
from scbench.tasks.materials.story.world import World
from scbench.types import Role


@dataclass(frozen=True, slots=True)
class Part:
    """One statement of a turn. `when` says where it may stand: with the turn's own depth
    (`answer`), before or after it, `outside` the stretch from the answer's statement to the one
    named in the question, or `any`where. `answer` is the slot whose word is the answer.
    """

    event: Event
    role: Role
    when: str = "any"
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """One turn as cast: the question and its statements; statements that must keep their order
    stand in it.
    """

    asked: Asked
    parts: tuple[Part, ...]


def needs(kind: str, hops: int, mentions: int) -> tuple[int, int]:
    """People and objects a turn of this kind keeps for itself."""
    kin = hops + 1 + min(2, mentions)
    people = {
        "place-last": 1,
        "who-gave": 2,
        "where-before": 1,
        "kin": kin,
        "trade-of-finder": 1,
        "when": 1,
        "count": 1,
    }
    return people[kind], int(kind in ("place-last", "who-gave", "trade-of-finder"))


class Caster:
    """Casts one turn: `person` and `thing` are the first ids that are its own."""

    def __init__(
        self,
        draw: Draw,
        world: World,
        *,
        person: int,
        thing: int,
        mentions: int,
        hops: int,
        moves: tuple[int, int],
    ) -> None:
        self.draw, self.world, self.mentions, self.hops, self.moves = (
            draw,
            world,
            mentions,
            hops,
            moves,
        )
        self.person, self.thing = person, thing
        self._people_used: dict[int, None] = {}
        self._places_used: dict[int, None] = {}

    def cast(self, kind: str) -> Scene:
        makers: dict[str, Callable[[], Scene]] = {
            "place-last": self.place_last,
            "who-gave": self.who_gave,
            "where-before": self.where_before,
            "kin": self.kin,
            "trade-of-finder": self.trade_of_finder,
            "when": self.when,
            "count": self.count,
        }
        return makers[kind]()

    # who else is there

    def other(self) -> int:
        """A background person, a new one each time while there are any."""
        return self._fresh(self.world.cast_people, self.world.people, self._people_used)

    def other_object(self) -> int:
        return self.draw.between(self.world.cast_objects, self.world.objects)

    def place(self, *avoid: int) -> int:
        """A place, a new one each time while there are any, and never one of `avoid`."""
        return self._fresh(0, self.world.places, self._places_used, avoid)

    def _fresh(
        self, low: int, high: int, used: dict[int, None], avoid: tuple[int, ...] = ()
    ) -> int:
        if high - low <= len(used.keys() | set(avoid)):
            last = next(reversed(used), None)
            used.clear()
            if last is not None:
                used[last] = None  # nobody is chosen twice running, so nobody meets themselves
        while True:
            chosen = self.draw.between(low, high)
            if chosen not in used and chosen not in avoid:
                used[chosen] = None
                return chosen

    def near(self, *misses: Callable[[], Event], when: str = "any") -> tuple[Part, ...]:
        """`mentions` near misses, of different makers while there are any."""
        order = list(misses)
        self.draw.shuffle(order)
        return tuple(
            Part(order[i % len(order)](), Role.DISTRACTOR, when) for i in range(self.mentions)
        )

    # the seven kinds

    def place_last(self) -> Scene:
        """The thing is put down at last: after a gift it would be wherever its new owner goes."""
        a, o = self.person, self.thing
        moves = self.draw.between(self.moves[0], self.moves[1] + 1)
        final = self.place()
        earlier = [Event("finds", a=a, o=o, p=self.place(final))]
        for _ in range(moves - 2):
            kind = self.draw.choice(("puts", "mends", "sells", "buys", "gives"))
            taker = self.other() if kind == "gives" else -1
            earlier.append(Event(kind, a=self.other(), b=taker, o=o, p=self.place(final)))
        last = Event("puts", a=a, o=o, p=final)
        near = self.near(
            lambda: Event("puts", a=self.other(), o=self.other_object(), p=final),
            lambda: Event("puts", a=a, o=self.other_object(), p=self.place(final)),
            lambda: Event("meets", a=a, b=self.other(), p=self.place(final)),
        )
        parts = (
            *(Part(event, Role.DISTRACTOR, "before") for event in earlier),
            Part(last, Role.SUPPORT, "answer", "p"),
            *near,
        )
        return Scene(Asked(kind="place-last", answer=final, o=o), parts)

    def who_gave(self) -> Scene:
        a, b, o = self.person, self.person + 1, self.thing
        near = self.near(
            lambda: Event("gives", a=self.other(), b=self.other(), o=o, p=self.place()),
            lambda: Event("gives", a=self.other(), b=b, o=self.other_object(), p=self.place()),
            lambda: Event("gives", a=a, b=self.other(), o=self.other_object(), p=self.place()),
        )
        given = Part(Event("gives", a=a, b=b, o=o, p=self.place()), Role.SUPPORT, "answer", "a")
        return Scene(Asked(kind="who-gave", answer=a, b=b, o=o), (given, *near))

    def where_before(self) -> Scene:
        a, before = self.person, self.place()
        named = self.place(before)
        near = self.near(
            lambda: Event("goes", a=self.other(), p=named),
            lambda: Event("finds", a=a, o=self.other_object(), p=self.place(before)),
            lambda: Event("meets", a=a, b=self.other(), p=self.place(before)),
            when="outside",
        )
        parts = (
            Part(Event("goes", a=a, p=before), Role.SUPPORT, "answer", "p"),
            Part(Event("goes", a=a, p=named), Role.SUPPORT, "after"),
            *near,
        )
        return Scene(Asked(kind="where-before", answer=before, a=a, p=named), parts)

    def kin(self) -> Scene:
        line = range(self.person, self.person + self.hops + 1)
        father, grandmother = line[-1] + 1, line[-1] + 2
        chain = [Event("mother", a=line[i + 1], b=line[i]) for i in range(self.hops)]
        paternal = [
            Event("father", a=father, b=line[0]),
            Event("mother", a=grandmother, b=father),
        ]
        near = [Part(event, Role.DISTRACTOR) for event in paternal[: self.mentions]]
        near += [
            Part(Event("aunt", a=self.other(), b=line[i % (self.hops + 1)]), Role.DISTRACTOR)
            for i in range(self.mentions - len(near))
        ]
        support = [Part(event, Role.SUPPORT) for event in chain]
        support[-1] = replace(support[-1], when="answer", answer="a")
        return Scene(
            Asked(kind="kin", answer=line[-1], a=line[0], hops=self.hops), (*support, *near)
        )

    def trade_of_finder(self) -> Scene:
        a, o, trade = self.person, self.thing, self.draw.below(len(terms.TRADES))
        near = self.near(
            lambda: Event("mends", a=self.other(), o=o, p=self.place()),
            lambda: Event("finds", a=self.other(), o=self.other_object(), p=self.place()),
            lambda: self.trade_but(trade),
        )
        parts = (
            Part(Event("finds", a=a, o=o, p=self.place()), Role.SUPPORT),
            Part(Event("trade", a=a, x=trade), Role.SUPPORT, "answer", "x"),
        )
        return Scene(Asked(kind="trade-of-finder", answer=trade, o=o), (*parts, *near))

    def trade_but(self, *avoid: int) -> Event:
        """Some background person's trade, another than `avoid` if there is one with another."""
        for _ in range(64):
            person = self.other()
            if self.world.trade_of[person] not in avoid:
                break
        return Event("trade", a=person, x=self.world.trade_of[person])

    def when(self) -> Scene:
        a, craft = self.person, self.draw.below(len(terms.CRAFTS))
        near = self.near(
            lambda: Event("learns", a=self.other(), x=craft),
            lambda: Event(
                "learns",
                a=a,
                x=(craft + 1 + self.draw.below(len(terms.CRAFTS) - 1)) % len(terms.CRAFTS),
            ),
            lambda: Event("meets", a=a, b=self.other(), p=self.place()),
        )
        # The day is not known before depths are; the plan fills it in.
        return Scene(
            Asked(kind="when", answer=0, a=a, x=craft),
            (Part(Event("learns", a=a, x=craft), Role.SUPPORT, "answer", "d"), *near),
        )

    def count(self) -> Scene:
        a, p = self.person, self.place()
        visits = self.draw.between(2, 10)
        near = self.near(
            lambda: Event("goes", a=a, p=self.place(p)),
            lambda: Event("goes", a=self.other(), p=p),
            lambda: Event("meets", a=a, b=self.other(), p=self.place(p)),
        )
        parts = tuple(Part(Event("goes", a=a, p=p), Role.SUPPORT) for _ in range(visits))
        return Scene(Asked(kind="count", answer=visits, a=a, p=p), (*parts, *near))
