"""How a score moves over the turns of a session: curve, first turn against later ones, slope."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt
from typing import TypeAlias

import numpy as np
import polars as pl

from scbench.stats.cells import Setting, clusters_of, noted, part_index, part_names, session_index
from scbench.stats.frame import SETTING
from scbench.stats.intervals import GAP, NOTHING, TAIL, Estimate, combine, mean_of
from scbench.stats.paired import Difference, difference_of
from scbench.stats.paper import ABILITIES, parts_of, tasks_of
from scbench.stats.quantiles import t_quantile


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """The mean of one turn index over sessions.

    `task` may also be an ability: the mean of its tasks at that turn.

    `gap_turns` of the sessions that any method played up to here have no score of this one.
    """

    setting: Setting
    mode: str
    method: str
    task: str
    part: str
    turn: int  # 0-based
    estimate: Estimate
    gap_turns: int = 0
    noted: Mapping[str, int] = field(default_factory=dict)  # as of a cell

    @property
    def planned_turns(self) -> int:
        return self.estimate.n + self.gap_turns


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """First turn against later turns, and the slope in score per turn.

    In a mix both are taken within each sub-task, then averaged.
    """

    setting: Setting
    mode: str
    method: str
    task: str
    first: Estimate
    later: Estimate
    change: Difference  # later minus first, over sessions that have both
    slope: Estimate
    first_planned: int = 0  # turns that would have a score if none were missing
    later_planned: int = 0
    noted: Mapping[str, int] = field(default_factory=dict)  # as of a cell

    @property
    def has_gaps(self) -> bool:
        return self.first.n < self.first_planned or self.later.n < self.later_planned


Place: TypeAlias = tuple[Setting, str, str]  # setting, mode, task
COLUMN = [*SETTING, "mode", "task"]


def curves(table: pl.DataFrame) -> list[CurvePoint]:
    """Every task's points; a mix has those of its sub-tasks, which alternate."""
    points: list[CurvePoint] = []
    for key, rows in table.partition_by(COLUMN, as_dict=True, maintain_order=True).items():
        for part in part_names(str(key[-1]), rows):
            mine = rows.filter(pl.col("subtask") == part) if part else rows
            points += _line(_place(key), part, mine, ("",))
    return points


def mix_curves(table: pl.DataFrame) -> list[CurvePoint]:
    """The points of a mix as a whole: `turn` is the n-th of each sub-task; the mean is over both."""
    points: list[CurvePoint] = []
    nth = pl.col("turn").rank("dense").over("session", "subtask").cast(pl.Int64) - 1
    for key, rows in table.partition_by(COLUMN, as_dict=True, maintain_order=True).items():
        task = str(key[-1])
        if parts_of(task):
            ranked = rows.with_columns(nth.alias("nth"))
            points += _line(_place(key), "", ranked, part_names(task, rows), turn="nth")
    return points


def _place(key: tuple[object, ...]) -> Place:
    return Setting(*key[:-2]), str(key[-2]), str(key[-1])  # type: ignore[arg-type]


def _line(
    place: Place, part: str, rows: pl.DataFrame, parts: tuple[str, ...], *, turn: str = "turn"
) -> list[CurvePoint]:
    """The points of all methods on one task or sub-task."""
    setting, mode, task = place
    counts = rows.group_by(turn).agg(pl.struct("session", "turn").n_unique().alias("count"))
    planned = {int(index): int(count) for index, count in counts.iter_rows()}
    by_point = rows.sort(turn).partition_by(["method", turn], as_dict=True, maintain_order=True)
    points = []
    for key, mine in by_point.items():
        estimate = mean_of(clusters_of(mine, "strict", parts))
        points.append(
            CurvePoint(
                setting=setting,
                mode=mode,
                method=str(key[0]),
                task=task,
                part=part,
                turn=int(key[1]),
                estimate=estimate,
                gap_turns=planned[int(key[1])] - estimate.n,
                noted=noted(mine),
            )
        )
    return points


def ability_curves(points: Sequence[CurvePoint], weak: Collection[Place] = ()) -> list[CurvePoint]:
    """Curves of the paper's categories, over the tasks of the table's averages.

    These are all that any method ran, without those in `weak`; a turn is drawn if all of them have
    it, and a method that lacks a score there has gaps. `points` are those of whole tasks: `curves`
    and, for the mixes, `mix_curves`.
    """
    grid: dict[tuple[Setting, str], dict[str, dict[int, dict[str, CurvePoint]]]] = {}
    for point in points:
        if not point.part and (point.setting, point.mode, point.task) not in weak:
            tasks = grid.setdefault((point.setting, point.mode), {})
            tasks.setdefault(point.task, {}).setdefault(point.turn, {})[point.method] = point
    found: list[CurvePoint] = []
    for tasks in grid.values():
        for ability in ABILITIES:
            ran = [tasks[task] for task in tasks_of(ability) if task in tasks]
            turns = set[int].intersection(*(set(one) for one in ran)) if ran else set()
            for turn in sorted(turns):
                found += _ability_points(ability, [one[turn] for one in ran])
    return found


def _ability_points(ability: str, tasks: Sequence[Mapping[str, CurvePoint]]) -> list[CurvePoint]:
    """The points of all methods at one turn, from each task's by method."""
    planned = sum(max(point.planned_turns for point in task.values()) for task in tasks)
    found = []
    for method in dict.fromkeys(name for task in tasks for name in task):
        mine = [task[method] for task in tasks if method in task]
        scored = [point for point in mine if not point.estimate.is_gap]
        if not scored:
            continue
        estimates = [point.estimate for point in scored]
        mean = combine(estimates, [1.0] * len(estimates), floor=0.0, ceiling=1.0)
        notes: dict[str, int] = {}
        for point in scored:
            notes |= {name: notes.get(name, 0) + count for name, count in point.noted.items()}
        gaps = planned - mean.n
        found.append(
            replace(scored[0], task=ability, part="", estimate=mean, gap_turns=gaps, noted=notes)
        )
    return found


def trends(table: pl.DataFrame) -> list[Trend]:
    found: list[Trend] = []
    for key, column in table.partition_by(COLUMN, as_dict=True, maintain_order=True).items():
        place = _place(key)
        parts = part_names(place[2], column)
        turn = pl.col("turn")  # 1 = the first turn of its sub-task, whoever has a score for it
        nth = turn.rank("dense").over("session", "subtask") if len(parts) > 1 else turn + 1
        ranked = column.with_columns(nth.alias("place"))
        is_first = pl.col("place") == 1
        planned = [
            ranked.filter(where).select("session", "turn").n_unique()
            for where in (is_first, ~is_first)
        ]
        by_method = ranked.partition_by(["method"], as_dict=True, maintain_order=True)
        for (method,), rows in by_method.items():
            first, later = rows.filter(is_first), rows.filter(~is_first)
            found.append(
                Trend(
                    setting=place[0],
                    mode=place[1],
                    method=str(method),
                    task=place[2],
                    first=mean_of(clusters_of(first, "strict", parts)),
                    later=mean_of(clusters_of(later, "strict", parts)),
                    change=_change(first, later, parts),
                    slope=slope(rows, parts),
                    first_planned=planned[0],
                    later_planned=planned[1],
                    noted=noted(rows),
                )
            )
    return found


def _change(first: pl.DataFrame, later: pl.DataFrame, parts: tuple[str, ...]) -> Difference:
    keys = ["session", "subtask"] if len(parts) > 1 else ["session"]
    scored = pl.col("strict").is_not_null()
    start = first.filter(scored).group_by(keys).agg(pl.col("strict").mean())
    end = later.filter(scored).group_by(keys).agg(pl.col("strict").mean())
    both = end.join(start, on=keys, suffix="_first").sort(keys)
    if both.height == 0:
        return Difference(estimate=GAP)
    values = (both["strict"] - both["strict_first"]).to_numpy()
    return difference_of(
        values, session_index(both), part_index(both, parts), part_count=len(parts)
    )


def slope(rows: pl.DataFrame, parts: tuple[str, ...]) -> Estimate:
    """Least-squares slope over the turn index, within each session (and sub-task).

    So hard sessions do not tilt it. The interval is Student's t on the sessions' influences.
    Without any spread between sessions there is no interval, not a zero one.
    """
    group = ["session", "subtask"] if len(parts) > 1 else ["session"]
    scored = rows.filter(pl.col("strict").is_not_null()).with_columns(
        (pl.col("turn") - pl.col("turn").mean().over(group)).alias("x"),
        (pl.col("strict") - pl.col("strict").mean().over(group)).alias("y"),
    )
    if scored.height == 0 or (scale := float((scored["x"] ** 2).sum())) < NOTHING:
        return GAP
    x, y = scored["x"].to_numpy(), scored["y"].to_numpy()
    value = float((x * y).sum()) / scale
    influence = np.bincount(session_index(scored), weights=x * (y - value * x)) / scale
    sessions = influence.size
    plain = Estimate(
        value=value,
        n=scored.height,
        sessions=sessions,
        how="one-session" if sessions < 2 else "no-spread",
    )
    if sessions < 2:
        return plain
    variance = sessions / (sessions - 1) * float((influence**2).sum())
    if variance < NOTHING:
        return plain
    reach = t_quantile(1.0 - TAIL, float(sessions - 1)) * sqrt(variance)
    return replace(plain, low=value - reach, high=value + reach, how="t")
