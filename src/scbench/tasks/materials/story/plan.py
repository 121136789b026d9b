"""The plan of a story: who is asked what, and which statement stands at which depth on which day.
No words, no length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from scbench.tasks.build import strata
from scbench.tasks.draw import Draw
from scbench.tasks.materials.story.casting import Caster, Part, Scene, needs
from scbench.tasks.materials.story.log import DATED, Event
from scbench.tasks.materials.story.questions import Asked, answers
from scbench.tasks.materials.story.world import LEAST, World, make_world
from scbench.types import Role

# background people and objects beside those of the turns, so that near misses and options have
# somebody to name
RESERVE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryShape:
    """What the plan depends on besides the seed; every field is in the recipe."""

    turns: int
    kinds: tuple[str, ...]
    hops: int
    mentions: int
    people: int  # wanted; more where the turns need more
    templates: int
    days: int
    first_day: int
    moves: tuple[int, int]
    # how many different entities of its answer's type a turn's evidence must show; 0 without
    # options
    options: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A statement with its day (all days of placed statements differ), depth and wording."""

    event: Event
    turn: int
    role: Role
    answer: str
    depth: float
    day: int
    template: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryPlan:
    world: World
    asked: tuple[Asked, ...]
    placed: tuple[Placed, ...]  # by depth
    first_day: int
    last_day: int


def kinds_of(seed: str, shape: StoryShape) -> list[str]:
    start = Draw(seed, "plan", "kinds").below(len(shape.kinds))
    return [shape.kinds[(start + turn) % len(shape.kinds)] for turn in range(shape.turns)]


def make_plan(seed: str, shape: StoryShape) -> StoryPlan:
    kinds = kinds_of(seed, shape)
    own = [needs(kind, shape.hops, shape.mentions) for kind in kinds]
    cast_people, cast_objects = sum(people for people, _ in own), sum(things for _, things in own)
    others = max(LEAST, (shape.people + 2) // 3)
    world = make_world(
        seed,
        people=max(shape.people, cast_people + RESERVE),
        objects=max(others, cast_objects + RESERVE),
        places=others,
        cast_people=cast_people,
        cast_objects=cast_objects,
    )
    casted: list[Scene] = []
    person = thing = 0
    for turn, kind in enumerate(kinds):
        draw = Draw(seed, "plan", str(turn))
        caster = Caster(
            draw,
            world,
            person=person,
            thing=thing,
            mentions=shape.mentions,
            hops=shape.hops,
            moves=shape.moves,
        )
        casted.append(caster.cast(kind))
        person, thing = person + own[turn][0], thing + own[turn][1]
    if shape.options:
        casted = [_with_options(role, turn, seed, world, shape) for turn, role in enumerate(casted)]
    return _settle(seed, shape, world, casted)


def _settle(seed: str, shape: StoryShape, world: World, casted: Sequence[Scene]) -> StoryPlan:
    """Give every statement its depth and day, fill in the days that questions name or want, and
    prove each answer the only one.
    """
    wording = Draw(seed, "plan", "wording")
    drafts = sorted(
        ((depth, turn, part) for turn, depth, part in _depths(Draw(seed, "place"), casted)),
        key=lambda draft: (draft[0], draft[1]),
    )
    days = max(shape.days, 2 * len(drafts))
    first_day = shape.first_day
    while (
        shape.options and days + len(drafts) > 9 * first_day
    ):  # days that are options have equally many digits: none lies inside another
        first_day *= 10
    placed: list[Placed] = []
    day = first_day - 1
    for depth, turn, part in drafts:
        day = max(day + 1, first_day + int(depth * days))
        dated = part.event._replace(day=day) if part.event.kind in DATED else part.event
        placed.append(
            Placed(
                event=dated,
                turn=turn,
                role=part.role,
                answer=part.answer,
                depth=depth,
                day=day,
                template=wording.below(shape.templates),
            )
        )
    asked = tuple(_with_day(role.asked, turn, placed) for turn, role in enumerate(casted))
    log = [place.event for place in placed]
    for one in asked:
        assert answers(one, log) == {one.answer}, (
            f"seed {seed}: {one} has the answers {answers(one, log)}"
        )
    return StoryPlan(
        world=world,
        asked=asked,
        placed=tuple(placed),
        first_day=first_day,
        last_day=max(day, first_day + days - 1),
    )


def _with_day(asked: Asked, turn: int, placed: Sequence[Placed]) -> Asked:
    support = [place.event for place in placed if place.turn == turn and place.role is Role.SUPPORT]
    if asked.kind == "when":
        return replace(asked, answer=support[0].day)
    if asked.kind == "where-before":
        return replace(asked, d=support[-1].day)
    return asked


def _depths(draw: Draw, casted: Sequence[Scene]) -> Iterator[tuple[int, float, Part]]:
    """Turn, depth and statement. The answers' statements share out [0, 1) among the turns, and the
    free ones among themselves; what must come before or after its turn's answer is uniform on the
    side that is left.
    """
    answer_depths = strata(draw.child("answers"), len(casted))
    free = [part for role in casted for part in role.parts if part.when == "any"]
    free_depths = iter(strata(draw.child("free"), len(free)) if free else [])
    for turn, role in enumerate(casted):
        here, own = answer_depths[turn], draw.child("turn", str(turn))
        before = sorted(here * own.unit() for part in role.parts if part.when == "before")
        after = here + (1 - here) * own.unit()
        for part in role.parts:
            match part.when:
                case "answer":
                    yield turn, here, part
                case "before":
                    yield turn, before.pop(0), part
                case "after":
                    yield turn, after, part
                case "outside":
                    u = own.unit() * (here + 1 - after)
                    yield turn, u if u < here else after + (u - here), part
                case _:
                    yield turn, next(free_depths), part


def entities(event: Event, answer_type: str) -> tuple[int, ...]:
    """The entities of a type that a statement names."""
    match answer_type:
        case "person":
            return tuple(person for person in (event.a, event.b) if person >= 0)
        case "place":
            return (event.p,) if event.p >= 0 else ()
        case "trade":
            return (event.x,) if event.kind == "trade" else ()
        case "day":
            return (event.day,) if event.kind in DATED else ()
    return ()


def _with_options(role: Scene, turn: int, seed: str, world: World, shape: StoryShape) -> Scene:
    """Add near misses until the turn's own statements show enough entities for its options (days
    differ by themselves).
    """
    kind, extra = role.asked.answer_type, list[Part]()
    caster = Caster(
        Draw(seed, "plan", str(turn), "options"),
        world,
        person=0,
        thing=0,
        mentions=0,
        hops=0,
        moves=(2, 2),
    )
    named = (
        {role.asked.b, role.asked.a}
        if kind == "person"
        else {role.asked.p}
        if kind == "place"
        else set[int]()
    )
    shown = {entity for part in role.parts for entity in entities(part.event, kind)} - named
    while kind in ("person", "place", "trade") and len(shown) < shape.options:
        event = (
            caster.trade_but(*shown)
            if kind == "trade"
            else Event("meets", a=caster.other(), b=caster.other(), p=caster.place(*shown))
        )
        extra.append(Part(event, Role.DISTRACTOR))
        shown |= set(entities(event, kind)) - named
    if kind == "day":
        dated = sum(part.event.kind in DATED for part in role.parts)
        extra += [
            Part(Event("goes", a=caster.other(), p=caster.place()), Role.DISTRACTOR)
            for _ in range(shape.options - dated)
        ]
    return Scene(role.asked, (*role.parts, *extra))
