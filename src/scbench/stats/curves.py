"""How a score moves over the turns of a session: curve, first turn against later ones, slope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt
from typing import TypeAlias

import numpy as np
import polars as pl

from scbench.stats import pool
from scbench.stats.averages import Sheet
from scbench.stats.cells import Setting, clusters_of, noted, part_index, part_names, session_index
from scbench.stats.clusters import SessionClusters
from scbench.stats.difference import Difference, difference_of
from scbench.stats.frame import SETTING
from scbench.stats.intervals import GAP, NOTHING, TAIL, Estimate, mean_of
from scbench.stats.paired import Changes
from scbench.stats.paper import ABILITIES, PAPER_BOOK, TaskBook
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


def curves(table: pl.DataFrame, book: TaskBook = PAPER_BOOK) -> list[CurvePoint]:
    """Every task's points; a mix has those of its sub-tasks, which alternate."""
    points: list[CurvePoint] = []
    for key, rows in table.partition_by(COLUMN, as_dict=True, maintain_order=True).items():
        for part in part_names(str(key[-1]), rows, book):
            mine = rows.filter(pl.col("subtask") == part) if part else rows
            points += _line(_place(key), part, mine, ("",))
    return points


def _place(key: tuple[object, ...]) -> Place:
    return Setting(*key[:-2]), str(key[-2]), str(key[-1])  # type: ignore[arg-type]


def _line(place: Place, part: str, rows: pl.DataFrame, parts: tuple[str, ...]) -> list[CurvePoint]:
    """The points of all methods on one task or sub-task."""
    setting, mode, task = place
    counts = rows.group_by("turn").agg(pl.struct("session", "turn").n_unique().alias("count"))
    planned = {int(index): int(count) for index, count in counts.iter_rows()}
    by_point = rows.sort("turn").partition_by(["method", "turn"], as_dict=True, maintain_order=True)
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


def ability_curves(columns: Sequence[Sheet]) -> list[CurvePoint]:
    """Curves of the paper's categories: the average of the table, turn by turn.

    Over the tasks that any method ran and that can be measured, corrected for chance as there. In a
    mix `turn` is the n-th of each sub-task. A turn is drawn if all the tasks have it; a method that
    lacks a score there has gaps.
    """
    found: list[CurvePoint] = []
    for column in columns:
        ranked = _ranked(column)
        for ability in ABILITIES:
            found += _ability_line(column, ability, ranked)
    return found


def _ranked(column: Sheet) -> dict[str, pl.DataFrame]:
    """Turns by method with `nth`: the turn, counted within the sub-task, whoever played it."""
    rank = pl.col("turn").rank("dense").over("task", "session", "part").cast(pl.Int64) - 1
    nth = pl.when(pl.col("part") == "").then("turn").otherwise(rank).alias("nth")
    rows = pl.concat(column.turns.values()).with_columns(nth)
    by_method = rows.partition_by(["method"], as_dict=True, maintain_order=True)
    return {str(key[0]): mine for key, mine in by_method.items()}


def _ability_line(
    column: Sheet, ability: str, ranked: Mapping[str, pl.DataFrame]
) -> list[CurvePoint]:
    ran = {task for mine in column.cells.values() for task, cell in mine.items()}
    weak = {
        task
        for mine in column.cells.values()
        for task, cell in mine.items()
        if not cell.is_measurable
    }
    tasks = [task for task in column.book.tasks_in(ability) if task in ran - weak]
    if not tasks:
        return []
    mine = {method: rows.filter(pl.col("task").is_in(tasks)) for method, rows in ranked.items()}
    every = pl.concat(mine.values())
    turns = set[int].intersection(
        *(set(every.filter(pl.col("task") == task)["nth"].to_list()) for task in tasks)
    )
    found = []
    for turn in sorted(turns):
        here = {method: rows.filter(pl.col("nth") == turn) for method, rows in mine.items()}
        planned = pl.concat(here.values()).select("task", "session", "turn").n_unique()
        for method, rows in here.items():
            point = _ability_point(column, ability, tasks, method, rows, turn, planned)
            found += [point] if point is not None else []
    return found


def _ability_point(
    column: Sheet,
    ability: str,
    tasks: Sequence[str],
    method: str,
    rows: pl.DataFrame,
    turn: int,
    planned: int,
) -> CurvePoint | None:
    scored = rows.filter(pl.col("strict").is_not_null())
    parts = set(scored.select("task", "part").unique().iter_rows())
    mine = [task for task in tasks if parts >= {(task, part) for part in column.parts[task]}]
    if not mine:
        return None
    scored = scored.filter(pl.col("task").is_in(mine))
    estimate = pool.mean(scored, column.shares(mine))
    return CurvePoint(
        setting=column.setting,
        mode=column.mode,
        method=method,
        task=ability,
        part="",
        turn=turn,
        estimate=estimate,
        gap_turns=planned - estimate.n,
        noted=noted(scored),
    )


def trends(table: pl.DataFrame, book: TaskBook = PAPER_BOOK) -> list[Trend]:
    found: list[Trend] = []
    for key, column in table.partition_by(COLUMN, as_dict=True, maintain_order=True).items():
        place = _place(key)
        parts = part_names(place[2], column, book)
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
    index = session_index(both), part_index(both, parts)
    # Who starts at 100 can only fall. How high the first turn stands is known but for its interval.
    begun = mean_of(
        SessionClusters.of(both["strict_first"].to_numpy(), *index, part_count=len(parts))
    )
    room = (1.0 - (begun.low or 0.0), 1.0 if begun.high is None else begun.high)
    return difference_of(Changes.of(values, *index, part_count=len(parts)), room=room)


def slope(rows: pl.DataFrame, parts: tuple[str, ...]) -> Estimate:
    """Least-squares slope over the turn index, within each session (and sub-task).

    So hard sessions do not tilt it. The interval is Student's t on the sessions' influences, cut
    where scores of 0..1 can rise no steeper: all misses in the first half, all hits in the second.
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
    steepest = float(np.maximum(x, 0.0).sum()) / scale
    low, high = max(value - reach, -steepest), min(value + reach, steepest)
    return replace(plain, low=low, high=high, how="t")
