"""The paper's category averages and overall average, which always say over which tasks they were taken.

Category = plain mean of its tasks; overall = plain mean of the four categories (benchmark specification, 2.5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scbench.stats.cells import Cell, Setting
from scbench.stats.intervals import GAP, Estimate, combine
from scbench.stats.paper import ABILITIES, OVERALL, tasks_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Average:
    """`missing` maps each task that should have counted and did not to the reason; empty means the average is the paper's."""

    setting: Setting
    mode: str
    method: str
    name: str  # an ability, or "Overall"
    strict: Estimate
    official: Estimate
    difference: (
        Estimate | None
    )  # to the baseline, over the tasks both have; None for the baseline itself
    tasks: tuple[str, ...]
    missing: Mapping[str, str]
    difference_missing: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        return not self.missing


def averages(cells: Sequence[Cell], *, baseline: str) -> list[Average]:
    found: list[Average] = []
    groups: dict[tuple[Setting, str, str], dict[str, Cell]] = {}
    for cell in cells:
        if cell.part == "":
            groups.setdefault((cell.setting, cell.mode, cell.method), {})[cell.task] = cell
    for (setting, mode, method), mine in groups.items():
        four = [_ability(setting, mode, method, name, mine, baseline) for name in ABILITIES]
        found += [*four, _overall(four, baseline)]
    return found


def why_missing(cell: Cell | None) -> str:
    """Why a task does not count in an average; empty if it does."""
    if cell is None:
        return "not run"
    if not cell.is_measurable:
        return "not measurable with this model"
    if cell.strict.is_gap:
        return "no score: " + (
            ", ".join(f"{reason} ({count})" for reason, count in cell.gaps.items())
            or "a sub-task has no turns"
        )
    return ""


def _ability(
    setting: Setting, mode: str, method: str, name: str, mine: Mapping[str, Cell], baseline: str
) -> Average:
    reasons = {task: why_missing(mine.get(task)) for task in tasks_of(name)}
    counted = [mine[task] for task, why in reasons.items() if not why]
    paired = {
        cell.task: cell.difference.estimate
        for cell in counted
        if cell.difference and cell.difference.estimate.value is not None
    }
    officials = [cell.official for cell in counted if not cell.official.is_gap]
    return Average(
        setting=setting,
        mode=mode,
        method=method,
        name=name,
        strict=_plain([cell.strict for cell in counted]),
        official=_plain(officials if len(officials) == len(counted) else []),
        difference=None if method == baseline else _plain(list(paired.values()), floor=-1.0),
        tasks=tuple(cell.task for cell in counted),
        missing={task: why for task, why in reasons.items() if why},
        difference_missing=tuple(task for task in reasons if task not in paired),
    )


def _overall(four: Sequence[Average], baseline: str) -> Average:
    first = four[0]
    differences = [
        one.difference
        for one in four
        if one.difference is not None and one.difference.value is not None
    ]
    return Average(
        setting=first.setting,
        mode=first.mode,
        method=first.method,
        name=OVERALL,
        strict=_plain([one.strict for one in four if not one.strict.is_gap]),
        official=_plain([one.official for one in four if not one.official.is_gap]),
        difference=None if first.method == baseline else _plain(differences, floor=-1.0),
        tasks=tuple(task for one in four for task in one.tasks),
        missing={task: why for one in four for task, why in one.missing.items()},
        difference_missing=tuple(task for one in four for task in one.difference_missing),
    )


def _plain(parts: Sequence[Estimate], *, floor: float = 0.0) -> Estimate:
    return combine(parts, [1.0] * len(parts), floor=floor, ceiling=1.0) if parts else GAP
