"""The knobs of a story task, checked, and the shape they give at a length."""

from __future__ import annotations

from dataclasses import dataclass

from scbench.errors import BadConfig
from scbench.tasks.contract import within
from scbench.tasks.materials.story.english import ENGLISH
from scbench.tasks.materials.story.plan import StoryShape
from scbench.tasks.materials.story.questions import DEFAULT_KINDS, KINDS
from scbench.tasks.materials.story.world import LEAST, PEOPLE_MAX

TEMPLATES_MAX = min(len(texts) for texts in ENGLISH.templates.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryKnobs:
    """None leaves a choice to the length: its value for compact stories, then for others."""

    kinds: tuple[str, ...] = DEFAULT_KINDS  # of questions, cycled from a seeded start
    hops: int = 2  # kin: 1 mother, 2 her mother, 3 her mother's mother
    mentions: int | None = None  # near misses per turn: 1, 3
    people: int | None = (
        # 6, one per 40 sentences; more where the turns need more. A third of it is the number of
        # places and objects
        None
    )
    templates: int | None = None  # wordings per kind of event, the shortest first: 2, 6
    days: int | None = (
        None  # the story lasts so long: 60, 360; longer where statements would share a day
    )


def check(task: str, knobs: StoryKnobs) -> None:
    """Raises BadConfig naming the knob."""
    if (
        isinstance(knobs.kinds, str)
        or not knobs.kinds
        or (strays := [kind for kind in knobs.kinds if kind not in KINDS])
    ):
        raise BadConfig(
            f"{task}: kinds={knobs.kinds!r} is not allowed; give at least one of "
            f"{', '.join(KINDS)}, as a tuple or list"
        )
    del strays
    within(task, "hops", knobs.hops, 1, 3)
    for name, low, high in (
        ("mentions", 0, 50),
        ("people", LEAST, PEOPLE_MAX),
        ("templates", 1, TEMPLATES_MAX),
        ("days", 20, 100_000),
    ):
        if (value := getattr(knobs, name)) is not None:
            within(task, name, value, low, high)
            if not isinstance(value, int):
                raise BadConfig(f"{task}: {name}={value!r} is not allowed; give a whole number")


def shape_of(
    knobs: StoryKnobs, *, turns: int, compact: bool, people: int, options: int
) -> StoryShape:
    """`people` is what the length asks for, where the knob leaves it open."""

    def chosen(given: int | None, small: int, large: int) -> int:
        return given if given is not None else small if compact else large

    return StoryShape(
        turns=turns,
        kinds=tuple(knobs.kinds),
        hops=knobs.hops,
        mentions=chosen(knobs.mentions, 1, 3),
        people=chosen(knobs.people, LEAST, people),
        templates=chosen(knobs.templates, 2, TEMPLATES_MAX),
        days=chosen(knobs.days, 60, 360),
        first_day=10 if compact else 1,
        moves=(2, 2) if compact else (2, 4),
        options=options,
    )
