"""How small a difference a run could see, before it is played: sessions, turns, methods, modes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean

from scbench.grid.settings import Settings
from scbench.grid.task_places import task_at
from scbench.stats import power
from scbench.task_cards import TaskCard


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Differences in points that a run would find in four cases of five; None: one session has no
    spread. Each is corrected for all methods and modes, the one of a task for all tasks too."""

    overall_points: float | None
    task_points: float | None
    sessions: int


def sight_of(settings: Settings) -> Sight:
    """What a run of these settings can see."""
    family = _family(settings)
    return Sight(
        overall_points=_points(settings.sessions * _sources(settings), settings, family),
        task_points=_points(settings.sessions, settings, family * len(settings.tasks)),
        sessions=settings.sessions,
    )


def sessions_for(settings: Settings, points: float) -> int:
    """The fewest sessions a task so that a difference of so many points in the average over the
    run's tasks would be seen. Raises BadConfig for a number of points that none can be."""
    needed = power.sessions_for(points, _turns(settings), family=_family(settings))
    return max(2, math.ceil(needed / _sources(settings)))


def _points(sessions: int, settings: Settings, family: int) -> float | None:
    if sessions < 2:
        return None
    return power.detectable_points(sessions, _turns(settings), family=family)


def _family(settings: Settings) -> int:
    """Comparisons with dense that are corrected for together."""
    return max(1, (len(settings.methods) - 1) * len(settings.modes))


def _sources(settings: Settings) -> int:
    """Tasks that are made independently: those that ask the same questions are one."""
    return len({card.source or card.name for card in _cards(settings)})


def _turns(settings: Settings) -> int:
    if settings.turns is not None:
        return settings.turns
    return max(1, round(fmean(card.turns for card in _cards(settings))))


def _cards(settings: Settings) -> list[TaskCard]:
    return [task_at(written).card for written in settings.tasks]
