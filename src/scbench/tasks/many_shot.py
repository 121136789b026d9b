"""ICL.ManyShot: a long row of solved multiple-choice questions of one kind; a turn asks one more.

With `relabel` the options carry made-up names, so that only the shots can teach what they stand
for: the setting in which a cache matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from string import ascii_uppercase

from scbench import task_cards
from scbench.errors import BadConfig
from scbench.scoring.choice import parse_options
from scbench.tasks.build import FittedText, Rendered, Units, by_shape, sealed, solve_length, weave
from scbench.tasks.contract import Counter, Task, checked, one_of, recipe, settle, whole, within
from scbench.tasks.draw import Draw
from scbench.tasks.materials.noise import of_words
from scbench.tasks.materials.shots import (
    STEPS,
    TYPES,
    Dates,
    Family,
    Shot,
    Tracking,
    Translation,
    deal,
    invented,
    same_things,
)
from scbench.tasks.rows import answers_of, ask_of
from scbench.types import Role, Session, Span, Turn, Wanted

NAME, VERSION = "many_shot", 1
CARD = task_cards.PAPER[NAME]
MAX_NEW_TOKENS = CARD.subtask(NAME).limit_tokens
MINIMUM_SEEDS = 12
FAMILIES = ("date", "tracking", "translation")
OPENING, SMALL_OPENING = (
    "Here are solved questions of one kind. Exactly one option of each is right.",
    "Examples:",
)
JOIN = "\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyShotKnobs:
    family: str | None = None  # "date", "tracking" or "translation"; None: one of them, by the seed
    objects: int | None = None  # tracking: people, things and options; None: 7, compact 3
    swaps: int | None = None  # tracking; None: as many as objects to twice as many
    relabel: bool = False
    label_noise: float = 0.0  # share of shots that show a wrong letter
    shots: int | None = None  # exactly so many, whatever the length; None: as many as fill it


@dataclass(slots=True)
class Shots:
    """The endless row of shots: unlike each other and unlike the asked ones, letters and classes
    balanced.
    """

    family: Family
    seed: str
    noise: float
    seen: set[str]
    made: list[Shot] = field(default_factory=list)

    def unit(self, draw: Draw, right: int, kind: int) -> str:
        shot = _fresh(self.family, draw, right, kind, self.seen)
        self.made.append(shot)
        letter = shot.letter
        if self.noise and draw.unit() < self.noise:
            letter = draw.choice([x for x in ascii_uppercase[: self.family.options] if x != letter])
        return f"{shot.ask} ({letter})"

    def units(self) -> Units:
        base = Draw(NAME, self.seed)
        streams, rights = base.children("filler"), deal(base.child("letters"), self.family.options)
        kinds = deal(base.child("classes"), self.family.kinds)
        return Units(lambda _: self.unit(next(streams), next(rights), next(kinds)))


def _fresh(family: Family, draw: Draw, right: int, kind: int, seen: set[str]) -> Shot:
    while (shot := family.shot(draw, right=right, kind=kind)).question in seen:
        pass
    seen.add(shot.question)
    return shot


def _settled(knobs: Mapping[str, object]) -> ManyShotKnobs:
    given = settle(ManyShotKnobs, knobs, task=NAME)
    one_of(NAME, "family", given.family, (None, *FAMILIES))
    within(NAME, "label_noise", given.label_noise, 0, 1)
    for knob, value, low, high in (
        ("objects", given.objects, 2, 20),
        ("swaps", given.swaps, 0, 1000),
        ("shots", given.shots, 1, 1_000_000),
    ):
        if value is not None:
            whole(NAME, knob, value, low, high)
            if knob != "shots" and given.family not in (None, "tracking"):
                raise BadConfig(
                    f"{NAME}: {knob} belongs to family='tracking', but family={given.family!r}; "
                    f"leave one of them out"
                )
    return given


def _family(seed: str, knobs: ManyShotKnobs, small: bool) -> Family:
    draw = Draw(NAME, seed, "plan", "family")
    name = draw.choice(FAMILIES) if knobs.family is None else knobs.family
    own = draw.child(name)
    if name == "date":
        return Dates(small, tuple(invented(own, len(STEPS))) if knobs.relabel else ())
    if name == "translation":
        return Translation(small, tuple(invented(own, len(TYPES))) if knobs.relabel else ())
    objects = knobs.objects or (3 if small else 7)
    labels = tuple(invented(own, objects)) if knobs.relabel else ()
    return Tracking(
        small, objects, knobs.swaps, labels, same_things(own, objects) if labels else ()
    )


def _asked(seed: str, family: Family, turns: int, seen: set[str]) -> list[Shot]:
    draw = Draw(NAME, seed, "plan", "turns")
    rights, kinds = (
        deal(draw.child("letters"), family.options),
        deal(draw.child("classes"), family.kinds),
    )
    return [
        _fresh(family, draw.child(str(turn)), next(rights), next(kinds), seen)
        for turn in range(turns)
    ]


def _least(family: Family, knobs: ManyShotKnobs) -> int:
    """The fewest shots that show what a turn needs: one, or with relabel one of each class."""
    return knobs.shots or (family.kinds if knobs.relabel else 1)


def _fit(
    shots: Shots, knobs: ManyShotKnobs, small: bool, target: int, count: Counter
) -> tuple[FittedText, int, list[str]]:
    """The context, the characters of its opening line, and its shots."""
    units, least = shots.units(), _least(shots.family, knobs)
    opening = SMALL_OPENING if small else OPENING

    def head(padding: int) -> str:
        return f"{opening} {of_words(padding + 2)}{JOIN}" if padding else f"{opening}{JOIN}"

    def render(more: int, padding: int = 0) -> Rendered:
        return weave((), units.first(least + more), join=JOIN, head=head(padding))

    if knobs.shots is not None:
        context = render(0).context
        return FittedText(context, {}, count(context), 0, 0), len(head(0)), units.first(least)
    fitted = solve_length(
        render, padded=render, target=target, count=count, what=f"{NAME}, seed {shots.seed}"
    )
    return fitted, len(head(fitted.padding)), units.first(least + fitted.units)


def make(*, seed: str, target: int, turns: int, count: Counter, **knobs: object) -> Session:
    """A session of ICL.ManyShot (see Task). With `shots` the length is what it is, and `target`
    only decides between small and large shapes.
    """
    checked(NAME, target=target, turns=turns)
    given = _settled(knobs)

    def attempt(small: bool) -> tuple[list[Shot], Shots, FittedText, int, list[str]]:
        family, seen = _family(seed, given, small), set[str]()
        asked = _asked(seed, family, turns, seen)
        shots = Shots(family, seed, given.label_noise, seen)
        return asked, shots, *_fit(shots, given, small, target, count)

    asked, shots, fitted, start, units = by_shape(target, attempt)
    family = shots.family
    own = _class_spans(shots, units, start) if given.relabel else {}
    everything = Span(start, len(fitted.context), Role.GLOBAL)
    told: dict[str, object] = {
        "family": family.name,
        "objects": family.options if family.name == "tracking" else None,
    }
    return sealed(
        task=NAME,
        context=fitted.context,
        turns=[_turn(shot, (everything, *own.get(shot.kind, ()))) for shot in asked],
        counted=fitted.counted,
        counter=count.name,
        recipe=recipe(NAME, VERSION, seed=seed, target=target, turns=turns, knobs=given, **told),
    )


def _class_spans(shots: Shots, units: list[str], start: int) -> dict[int, list[Span]]:
    """The shots of each class."""
    spans: dict[int, list[Span]] = {}
    for shot, text in zip(shots.made, units, strict=False):
        spans.setdefault(shot.kind, []).append(Span(start, start + len(text), Role.SUPPORT))
        start += len(text) + len(JOIN)
    return spans


def _turn(shot: Shot, evidence: tuple[Span, ...]) -> Turn:
    """Evidence is spread over the whole context, so a turn has no depth."""
    wanted = Wanted(golds=(shot.letter,), generated=True, question=shot.ask, options=shot.options)
    gold = f"({shot.letter})"
    return Turn(
        task=NAME,
        ask=shot.ask,
        gold=gold,
        wanted=wanted,
        max_new_tokens=MAX_NEW_TOKENS,
        evidence=evidence,
    )


def minimum(*, turns: int, count: Counter, **knobs: object) -> int:
    """The least target of the compact shape, in tokens: the fewest shots, the longest of a few
    seeds.
    """
    checked(NAME, target=1, turns=turns)
    given, found = _settled(knobs), 0
    for i in range(MINIMUM_SEEDS):
        seed = f"minimum:{i}"
        family = _family(seed, given, True)
        units = Shots(family, seed, given.label_noise, set()).units().first(_least(family, given))
        found = max(found, count(SMALL_OPENING + JOIN + JOIN.join(units)))
    return found


def read_turn(row: Mapping[str, object], item: Mapping[str, object]) -> Turn:
    """A published turn; its options stand in its ask, its answer is a letter."""
    ask, golds = ask_of(item, task=NAME), answers_of(item, task=NAME)
    wanted = Wanted(golds=golds, question=ask, options=parse_options(ask))
    return Turn(task=NAME, ask=ask, gold=golds[0], wanted=wanted, max_new_tokens=MAX_NEW_TOKENS)


def write_row(session: Session, index: int) -> dict[str, object]:
    """The session as a row of scbench_many_shot; `task` names the family."""
    items = [{"answer": turn.wanted.golds[0], "input": turn.ask} for turn in session.turns]
    return {
        "context": session.context,
        "multi_turns": items,
        "id": index,
        "task": session.recipe["family"],
    }


TASK = Task(
    card=CARD,
    version=VERSION,
    make=make,
    minimum=minimum,
    read_turn=read_turn,
    write_row=write_row,
    knobs=ManyShotKnobs,
)
