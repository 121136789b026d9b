"""Query awareness: the same first question, seen before the cache is compressed, or hidden.

In a conversation the paper compresses after context and first question; where requests share a
context, after the bare context. So the first turn of a session asks the same in both modes, and
differs in what a compression knew. Source: SCBench (arXiv 2412.10319), Table 5.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from scbench.stats.averages import Sheet, between
from scbench.stats.cells import Setting, pairs
from scbench.stats.difference import Case, Difference, corrected
from scbench.stats.intervals import Estimate
from scbench.stats.summary import Summary

SEEN, HIDDEN = "multi-turn", "multi-request"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aware:
    """A method's first question, with the query seen and hidden; `difference` is hidden - seen."""

    setting: Setting
    method: str
    seen: Estimate
    hidden: Estimate
    difference: Difference
    tasks: tuple[str, ...]


def awareness(summary: Summary) -> list[Aware]:
    """Of every setting that was played in both modes, over the plain tasks that can be measured.

    The sub-tasks of a mix take turns, so its first question is of one of them: mixes are left out.
    """
    by_place = {(sheet.setting, sheet.mode): sheet for sheet in summary.columns}
    found: list[Aware] = []
    for setting in summary.settings:
        seen, hidden = by_place.get((setting, SEEN)), by_place.get((setting, HIDDEN))
        if seen is not None and hidden is not None:
            found += _judged(_of(summary, seen, hidden))
    return found


def _of(summary: Summary, seen: Sheet, hidden: Sheet) -> list[tuple[Aware, int]]:
    tasks = [
        task
        for task in summary.book.in_order(seen.parts.keys() & hidden.parts.keys())
        if len(seen.parts[task]) == 1
        and all(summary.is_measurable(seen.setting, mode, task) for mode in (SEEN, HIDDEN))
    ]
    found = []
    for info in summary.methods_in(seen.setting):
        if info.name in seen.turns and info.name in hidden.turns:
            one = _one(seen, hidden, info.name, tasks)
            if one is not None:
                found.append(one)
    return found


def _one(seen: Sheet, hidden: Sheet, method: str, tasks: list[str]) -> tuple[Aware, int] | None:
    first = pl.col("turn") == 0
    turns = {
        SEEN: seen.turns[method].filter(first),
        HIDDEN: hidden.turns[method].filter(first),
    }
    sheet = replace(seen, turns=turns, baseline=SEEN)
    found = between(sheet, HIDDEN, SEEN, tasks)
    if found.difference.is_gap:
        return None
    both = pairs(turns[HIDDEN], turns[SEEN]).filter(pl.col("task").is_in(found.tasks))
    sessions = both.group_by("task").agg(pl.col("session").n_unique())["session"].to_list()
    aware = Aware(
        setting=seen.setting,
        method=method,
        seen=found.other,
        hidden=found.one,
        difference=found.difference,
        tasks=found.tasks,
    )
    return aware, min(sessions)


def _judged(found: list[tuple[Aware, int]]) -> list[Aware]:
    """With verdicts, corrected over all methods of a setting."""
    cases = [
        Case(difference=one.difference, sessions=sessions, headroom=one.seen.value)
        for one, sessions in found
    ]
    return [
        replace(one, difference=difference)
        for (one, _), difference in zip(found, corrected(cases), strict=True)
    ]
