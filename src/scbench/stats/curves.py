"""How a score moves over the turns of a session: the curve, first turn against later ones, and the slope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np
import polars as pl

from scbench.stats.cells import Setting, clusters_of, part_index, part_names, session_index
from scbench.stats.frame import SETTING
from scbench.stats.intervals import GAP, NOTHING, TAIL, Estimate, combine, mean_of
from scbench.stats.paired import Difference, difference_of
from scbench.stats.paper import ABILITIES, MULTI, tasks_of
from scbench.stats.quantiles import t_quantile


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """The mean of one turn index over sessions; `task` may also be an ability (mean of its tasks at that turn)."""

    setting: Setting
    mode: str
    method: str
    task: str
    part: str
    turn: int  # 0-based
    estimate: Estimate
    gap_turns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """First turn against later turns, and the slope in score per turn. In a mix both are taken within each sub-task, then averaged."""

    setting: Setting
    mode: str
    method: str
    task: str
    first: Estimate
    later: Estimate
    change: Difference  # later minus first, over sessions that have both
    slope: Estimate


def curves(table: pl.DataFrame) -> list[CurvePoint]:
    points: list[CurvePoint] = []
    keys = [*SETTING, "mode", "method", "task", "turn"]
    for key, rows in table.partition_by(keys, as_dict=True, maintain_order=True).items():
        mode, method, task = map(str, key[-4:-1])
        for part in part_names(task, rows):
            mine = rows.filter(pl.col("subtask") == part) if part else rows
            if mine.height:
                points.append(
                    CurvePoint(
                        setting=Setting(*key[:-4]),
                        mode=mode,
                        method=method,
                        task=task,
                        part=part,
                        turn=int(key[-1]),
                        estimate=mean_of(clusters_of(mine, "strict", ("",))),
                        gap_turns=mine["strict"].null_count(),
                    )
                )
    return points


def ability_curves(points: Sequence[CurvePoint]) -> list[CurvePoint]:
    """Curves of the paper's categories, as far as every task of the category that ran has a score at the turn.

    The mixes are left out: their sub-tasks alternate, so neighbouring turns would not measure the same thing.
    """
    by_curve: dict[tuple[Setting, str, str], dict[str, dict[int, CurvePoint]]] = {}
    for point in points:
        by_curve.setdefault((point.setting, point.mode, point.method), {}).setdefault(
            point.task, {}
        )[point.turn] = point
    found: list[CurvePoint] = []
    for (setting, mode, method), tasks in by_curve.items():
        for ability in (name for name in ABILITIES if name != MULTI):
            ran = [tasks[task] for task in tasks_of(ability) if task in tasks]
            shared = set.intersection(*(set(one) for one in ran)) if ran else set()
            for turn in sorted(shared):
                estimates = [one[turn].estimate for one in ran]
                if all(not estimate.is_gap for estimate in estimates):
                    mean = combine(estimates, [1.0] * len(estimates), floor=0.0, ceiling=1.0)
                    found.append(
                        CurvePoint(
                            setting=setting,
                            mode=mode,
                            method=method,
                            task=ability,
                            part="",
                            turn=turn,
                            estimate=mean,
                        )
                    )
    return found


def trends(table: pl.DataFrame) -> list[Trend]:
    found: list[Trend] = []
    keys = [*SETTING, "mode", "method", "task"]
    place = (
        pl.col("turn").rank("dense").over("session", "subtask")
    )  # 1 = the first turn of its sub-task, scored or not
    for key, rows in table.partition_by(keys, as_dict=True, maintain_order=True).items():
        mode, method, task = map(str, key[-3:])
        parts = part_names(task, rows)
        ranked = rows.with_columns((place if len(parts) > 1 else pl.col("turn") + 1).alias("place"))
        first, later = ranked.filter(pl.col("place") == 1), ranked.filter(pl.col("place") > 1)
        found.append(
            Trend(
                setting=Setting(*key[:-3]),
                mode=mode,
                method=method,
                task=task,
                first=mean_of(clusters_of(first, "strict", parts)),
                later=mean_of(clusters_of(later, "strict", parts)),
                change=_change(first, later, parts),
                slope=slope(rows, parts),
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
    """Least-squares slope over the turn index, within each session (and sub-task), so that hard sessions do not tilt it.

    The interval is Student's t on the sessions' influences. Without any spread between sessions there is no interval, not a zero one.
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
