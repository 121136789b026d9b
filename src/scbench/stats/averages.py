"""The paper's category averages and overall average; they say over which tasks they were taken.

Category = plain mean of its tasks; overall = plain mean of the four categories (benchmark
specification, 2.5), of scores corrected for chance: (score - floor) / (1 - floor). A method that
lacks turns has a mean over fewer: it says of how many (`has_gaps`), and is compared with the
baseline over the turns that both have (docs/decisions/0077-means-over-shared-turns.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from scbench.stats import pool
from scbench.stats.cells import ScoreCell, Setting, pairs, part_names, same_answers
from scbench.stats.difference import Difference, difference_of
from scbench.stats.frame import SETTING
from scbench.stats.intervals import GAP, Estimate
from scbench.stats.paper import ABILITIES, OVERALL, PAPER_BOOK, TaskBook
from scbench.stats.pool import Part, Shares


@dataclass(frozen=True, slots=True, kw_only=True)
class Average:
    """`missing` maps each task that should have counted and did not to the reason.

    Where it is empty the average is the paper's, but for the correction; `raw` is the uncorrected
    mean, which compares with published ones. `shared` and `baseline_shared` are the averages of
    method and baseline over the turns that both have a score for; their difference is `difference`.
    """

    setting: Setting
    mode: str
    method: str
    name: str  # an ability, or "Overall"
    strict: Estimate
    official: Estimate  # uncorrected
    difference: Difference | None  # None for the baseline itself
    tasks: tuple[str, ...]
    missing: Mapping[str, str]
    difference_missing: tuple[str, ...] = ()
    raw: float | None = None
    shared: Estimate = GAP
    baseline_shared: Estimate = GAP
    planned_turns: int = 0  # of the tasks that any method ran here and that can be measured
    sessions: int = 0  # a task, in the task with fewest
    noted: Mapping[str, int] = field(default_factory=dict)  # as of its cells

    @property
    def has_gaps(self) -> bool:
        return self.strict.n < self.planned_turns

    @property
    def is_complete(self) -> bool:
        return not self.missing


@dataclass(frozen=True, slots=True)
class Sheet:
    """A mode of a setting: its turns by method, its cells by method and task, the floors."""

    setting: Setting
    mode: str
    turns: Mapping[str, pl.DataFrame]
    cells: Mapping[str, Mapping[str, ScoreCell]]
    floors: Mapping[Part, float]
    parts: Mapping[str, tuple[str, ...]]  # of each task; one empty name for a plain one
    baseline: str
    book: TaskBook = PAPER_BOOK

    def shares(self, tasks: Sequence[str], *, corrects: bool = True) -> Shares:
        return Shares.of(tasks, self.parts, self.floors if corrects else {}, self.book)

    def planned(self, tasks: Iterable[str]) -> int:
        """Turns that every method would have a score for if nothing were missing."""
        return sum(
            max(
                (
                    mine[task].planned_turns
                    for mine in self.cells.values()
                    if task in mine and mine[task].is_measurable
                ),
                default=0,
            )
            for task in tasks
        )


def averages(columns: Iterable[Sheet]) -> list[Average]:
    """Of every method: the four abilities, then Overall."""
    found: list[Average] = []
    for column in columns:
        for method in column.cells:
            found += [_average(column, method, name) for name in (*ABILITIES, OVERALL)]
    return found


def columns(
    cells: Sequence[ScoreCell], table: pl.DataFrame, *, baseline: str, book: TaskBook = PAPER_BOOK
) -> list[Sheet]:
    """The modes of every setting; `cells` say what can be measured."""
    by_place: dict[tuple[Setting, str], dict[str, dict[str, ScoreCell]]] = {}
    for cell in cells:
        if cell.part == "":
            mine = by_place.setdefault((cell.setting, cell.mode), {})
            mine.setdefault(cell.method, {})[cell.task] = cell
    turns = pool.with_parts(table, book).partition_by([*SETTING, "mode"], as_dict=True)
    places = {(Setting(*key[:-1]), str(key[-1])): rows for key, rows in turns.items()}
    return [
        _column(setting, mode, places[setting, mode], mine, baseline, book)
        for (setting, mode), mine in by_place.items()
    ]


def _column(
    setting: Setting,
    mode: str,
    rows: pl.DataFrame,
    mine: Mapping[str, Mapping[str, ScoreCell]],
    baseline: str,
    book: TaskBook,
) -> Sheet:
    by_method = rows.partition_by(["method"], as_dict=True, maintain_order=True)
    by_task = rows.partition_by(["task"], as_dict=True)
    return Sheet(
        setting,
        mode,
        {str(key[0]): turns for key, turns in by_method.items()},
        mine,
        pool.floors_of(rows, setting.form, book),
        {str(key[0]): part_names(str(key[0]), turns, book) for key, turns in by_task.items()},
        baseline,
        book,
    )


def why_missing(cell: ScoreCell | None) -> str:
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


def _average(column: Sheet, method: str, name: str) -> Average:
    mine, rows = column.cells[method], column.turns[method]
    reasons = {task: why_missing(mine.get(task)) for task in column.book.tasks_in(name)}
    counted = [task for task, why in reasons.items() if not why]
    scored = rows.filter(pl.col("task").is_in(counted))
    shares, plain = column.shares(counted), column.shares(counted, corrects=False)
    raw = pool.score(scored, plain) if counted else None
    average = Average(
        setting=column.setting,
        mode=column.mode,
        method=method,
        name=name,
        strict=pool.mean(scored, shares) if counted else GAP,
        official=pool.mean(scored, plain, "official") if counted else GAP,
        difference=None,
        tasks=tuple(counted),
        missing={task: why for task, why in reasons.items() if why},
        raw=raw.mean if raw is not None else None,
        planned_turns=column.planned(reasons),
        sessions=min((mine[task].strict.sessions for task in counted), default=0),
        noted=_sum(mine[task].noted for task in counted),
        difference_missing=tuple(reasons),
    )
    if method == column.baseline or column.baseline not in column.turns:
        return average
    return _compared(average, column, counted)


def _compared(average: Average, column: Sheet, counted: Sequence[str]) -> Average:
    """With the difference to the baseline, over the turns and tasks that both have."""
    found = between(column, average.method, column.baseline, counted)
    absent = tuple(task for task in column.book.tasks_in(average.name) if task not in found.tasks)
    return replace(
        average,
        difference=found.difference,
        difference_missing=absent,
        shared=found.one,
        baseline_shared=found.other,
    )


@dataclass(frozen=True, slots=True)
class Between:
    """Two methods over the turns that both have: difference, both means, tasks, room to lose."""

    difference: Difference
    one: Estimate = GAP
    other: Estimate = GAP
    tasks: tuple[str, ...] = ()


def between(column: Sheet, one: str, other: str, tasks: Sequence[str]) -> Between:
    """The difference of two methods on an average of these tasks, as far as both have them."""
    mine = column.turns[one].filter(pl.col("task").is_in(tasks))
    both = pairs(mine, column.turns[other])
    shared = tuple(task for task in tasks if _has_parts(both, task, column.parts))
    if not shared:
        return Between(Difference(estimate=GAP))
    both = both.filter(pl.col("task").is_in(shared))
    shares = column.shares(shared)
    changes, base = pool.changes(both, shares), pool.score(both, shares, "strict_base")
    assert changes is not None, "every shared task has turns of each of its parts"
    difference = difference_of(
        changes, base=base, scale=shares.scale, same_turns=same_answers(both)
    )
    return Between(
        difference, pool.mean(both, shares), pool.mean(both, shares, "strict_base"), shared
    )


def _has_parts(both: pl.DataFrame, task: str, parts: Mapping[str, Sequence[str]]) -> bool:
    """Whether a task has turns of each of its sub-tasks."""
    found = set(both.filter(pl.col("task") == task)["part"].to_list())
    return task in parts and found >= set(parts[task])


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(total)
