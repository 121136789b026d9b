"""The paper's category averages and overall average; they say over which tasks they were taken.

Category = plain mean of its tasks; overall = plain mean of the four categories (benchmark
specification, 2.5). A method that lacks turns has a mean over fewer: it says of how many
(`has_gaps`), and is compared with the baseline over the turns that both have
(docs/decisions/0077-means-over-shared-turns.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from scbench.stats.cells import Cell, Setting
from scbench.stats.intervals import GAP, Estimate, combine
from scbench.stats.paper import ABILITIES, OVERALL, tasks_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Average:
    """`missing` maps each task that should have counted and did not to the reason.

    Where it is empty the average is the paper's.

    `shared` and `baseline_shared` are the averages of method and baseline over the turns that both
    have a score for; their difference is `difference`.
    """

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
    shared: Estimate = GAP
    baseline_shared: Estimate = GAP
    planned_turns: int = 0  # of the tasks that any method ran here and that can be measured
    noted: Mapping[str, int] = field(default_factory=dict)  # as of its cells

    @property
    def has_gaps(self) -> bool:
        return self.strict.n < self.planned_turns

    @property
    def is_complete(self) -> bool:
        return not self.missing


def averages(cells: Sequence[Cell], *, baseline: str) -> list[Average]:
    found: list[Average] = []
    groups: dict[tuple[Setting, str, str], dict[str, Cell]] = {}
    planned: dict[tuple[Setting, str], dict[str, int]] = {}
    for cell in cells:
        if cell.part == "":
            groups.setdefault((cell.setting, cell.mode, cell.method), {})[cell.task] = cell
            turns = planned.setdefault((cell.setting, cell.mode), {})
            if cell.is_measurable:
                turns[cell.task] = max(cell.planned_turns, turns.get(cell.task, 0))
    for (setting, mode, method), mine in groups.items():
        turns = planned[setting, mode]
        four = [_ability(setting, mode, method, name, mine, turns, baseline) for name in ABILITIES]
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
    setting: Setting,
    mode: str,
    method: str,
    name: str,
    mine: Mapping[str, Cell],
    planned: Mapping[str, int],
    baseline: str,
) -> Average:
    reasons = {task: why_missing(mine.get(task)) for task in tasks_of(name)}
    counted = [mine[task] for task, why in reasons.items() if not why]
    paired = {
        cell.task: (cell.difference.estimate, cell)
        for cell in counted
        if cell.difference and cell.difference.estimate.value is not None
    }
    differences = [estimate for estimate, _ in paired.values()]
    officials = [cell.official for cell in counted if not cell.official.is_gap]
    return Average(
        setting=setting,
        mode=mode,
        method=method,
        name=name,
        strict=_plain([cell.strict for cell in counted]),
        official=_plain(officials if len(officials) == len(counted) else []),
        difference=None if method == baseline else _plain(differences, floor=-1.0),
        tasks=tuple(cell.task for cell in counted),
        missing={task: why for task, why in reasons.items() if why},
        difference_missing=tuple(task for task in reasons if task not in paired),
        shared=_plain([cell.shared for _, cell in paired.values()]),
        baseline_shared=_plain([cell.baseline_shared for _, cell in paired.values()]),
        planned_turns=sum(planned.get(task, 0) for task in tasks_of(name)),
        noted=_sum(cell.noted for cell in counted),
    )


def _overall(four: Sequence[Average], baseline: str) -> Average:
    first = four[0]
    paired = [one for one in four if one.difference is not None and not one.difference.is_gap]
    differences = [one.difference for one in paired if one.difference is not None]
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
        shared=_plain([one.shared for one in paired]),
        baseline_shared=_plain([one.baseline_shared for one in paired]),
        planned_turns=sum(one.planned_turns for one in four),
        noted=_sum(one.noted for one in four),
    )


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(total)


def _plain(parts: Sequence[Estimate], *, floor: float = 0.0) -> Estimate:
    return combine(parts, [1.0] * len(parts), floor=floor, ceiling=1.0) if parts else GAP
