"""The score tables: method by task with the paper's averages, and how scores move over the turns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import polars as pl

from scbench.report.table import Column, Entry, Row, Table
from scbench.report.words import GAP, interval, percent, signed, signed_interval
from scbench.stats import (
    ABILITIES,
    ALPHA,
    OVERALL,
    SIMULATED,
    Average,
    Cell,
    MethodInfo,
    Setting,
    Summary,
    Trend,
    tasks_of,
    title_of,
)
from scbench.stats.frame import SETTING
from scbench.types import BEYOND_TRAINED

PARTIAL, SIGNIFICANT, FAILED, LOST, WEAK = "†", "*", "§", "¶", "◦"
OTHER = "Other tasks"
AVERAGES = "Averages"
HELD = "Held, % of dense"  # bytes; the column beside the overall average
SIDES = {
    "floor": "floor",
    "fact_recall": "facts",
    "leak": "leak",
}  # what a reader needs next to ROUGE
SIDE_IS_SHARE = {"floor", "fact_recall"}


def stage_title(method: MethodInfo) -> str:
    return " · ".join(word for word in (method.stage, method.category) if word) or "stage not given"


def score_table(summary: Summary, setting: Setting, mode: str) -> Table:
    """Every task of a setting in one mode; the averages stand first, the overall average at their end."""
    tasks = summary.tasks_in(setting)
    columns: list[tuple[str, str]] = []  # group, task or the average's own name
    for ability in ABILITIES:
        columns += [(ability, task) for task in tasks_of(ability) if task in tasks]
        columns.append((AVERAGES, ability))
    columns += [
        (OTHER, task)
        for task in tasks
        if not any(task in tasks_of(ability) for ability in ABILITIES)
    ]
    columns.append((AVERAGES, OVERALL))
    if any(share.setting == setting for share in summary.shares):
        columns.append((AVERAGES, HELD))
    columns.sort(key=lambda column: (column[0] != AVERAGES, column[0] == OTHER))
    methods = summary.methods_in(setting)
    rows = [
        Row(
            name=method.label,
            group=stage_title(method),
            entries=tuple(_entry(summary, setting, mode, method, *one) for one in columns),
        )
        for method in methods
    ]
    heads, rows = _lift_n(columns, rows)
    return Table(
        title=f"{mode}, {setting.label}",
        label=f"scores-{mode}",
        corner="method",
        columns=heads,
        rows=tuple(rows),
        notes=tuple(_notes(summary, setting, mode, rows)),
    )


def _entry(
    summary: Summary, setting: Setting, mode: str, method: MethodInfo, group: str, name: str
) -> Entry:
    if name == HELD:
        ratios = [
            share.ratio
            for share in summary.shares
            if (share.setting, share.method) == (setting, method.name)
        ]
        return Entry(main=percent(ratios[0] if ratios else None))
    if group == AVERAGES:
        average = summary.average(setting, mode, method.name, name)
        return average_entry(average) if average else Entry(main=GAP)
    cell = summary.cell(setting, mode, method.name, name)
    return (
        cell_entry(cell, is_baseline=method.name == summary.baseline) if cell else Entry(main=GAP)
    )


def cell_entry(cell: Cell, *, is_baseline: bool = False) -> Entry:
    estimate, paired = cell.strict, cell.difference
    marks = [
        FAILED if any(why.startswith("failed") for why in cell.gaps) else "",
        LOST if cell.truncated_turns else "",
        WEAK if not cell.is_measurable else "",
    ]
    tone = ""
    if paired and paired.is_significant and paired.estimate.value:
        tone = "better" if paired.estimate.value > 0 else "worse"
    return Entry(
        main=percent(estimate.value),
        interval=interval(estimate),
        n=f"n {estimate.n}",
        delta=""
        if is_baseline or paired is None
        else signed(paired.estimate.value) + (SIGNIFICANT if tone else ""),
        delta_interval="" if is_baseline or paired is None else signed_interval(paired.estimate),
        official=percent(cell.official.value),
        aside="; ".join(_sides(cell)),
        marks="".join(marks),
        tone=tone,
    )


def _sides(cell: Cell) -> list[str]:
    return [
        f"{word} {percent(cell.sides[name]) if name in SIDE_IS_SHARE else format(cell.sides[name], '.2f')}"
        for name, word in SIDES.items()
        if name in cell.sides
    ]


def average_entry(average: Average) -> Entry:
    gone = average.difference
    return Entry(
        main=percent(average.strict.value),
        interval=interval(average.strict),
        n=f"n {average.strict.n}",
        delta=signed(gone.value) if gone and not gone.is_gap else "",
        delta_interval=signed_interval(gone) if gone and not gone.is_gap else "",
        official=percent(average.official.value),
        marks=PARTIAL if average.missing and not average.strict.is_gap else "",
    )


def _lift_n(
    columns: Sequence[tuple[str, str]], rows: Sequence[Row]
) -> tuple[tuple[Column, ...], list[Row]]:
    """Where all methods scored equally many turns, n moves from the cells to the head of the column."""
    heads: list[Column] = []
    shared: list[bool] = []
    for place, (group, name) in enumerate(columns):
        counts = {row.entries[place].n for row in rows}
        shared.append(len(counts) == 1)
        title = name if group == AVERAGES else title_of(name)
        heads.append(
            Column(
                title=title,
                group=group,
                n=counts.pop() if len(counts) == 1 else "",
                is_average=group == AVERAGES,
            )
        )
    lifted = [
        replace(
            row,
            entries=tuple(
                replace(one, n="") if shared[place] else one
                for place, one in enumerate(row.entries)
            ),
        )
        for row in rows
    ]
    return tuple(heads), lifted


def _notes(summary: Summary, setting: Setting, mode: str, rows: Iterable[Row]) -> list[str]:
    """What the marks that really occur mean, and what each gap and each incomplete average lacks."""
    entries = [entry for row in rows for entry in row.entries]
    used = "".join(entry.marks + entry.delta for entry in entries)
    mine = [
        cell
        for cell in summary.cells
        if (cell.setting, cell.mode, cell.part) == (setting, mode, "")
    ]
    sessions = sorted({cell.strict.sessions for cell in mine})
    span = f"{sessions[0]}–{sessions[-1]}" if len(sessions) > 1 else "".join(map(str, sessions))
    notes = [
        f"Strict scores in percent with 95 % intervals over sessions ({span} sessions a task); n counts scored turns."
    ]
    notes.append("Official: the same mean under the published scorer.")
    if any(entry.delta for entry in entries):
        notes.append(
            f"Δ: paired difference to {summary.baseline} in points, on the same turns.{_out_of_reach(mine)}"
        )
    if bases := sorted({share.basis for share in summary.shares if share.setting == setting}):
        notes.append(f"Held: share of the bytes of: {'; '.join(bases)}.")
    if beyond := _beyond(summary, setting, mode):
        notes.append(f"Beyond the length the model was trained for ({BEYOND_TRAINED}): {beyond}.")
    if summary.baseline not in {cell.method for cell in mine}:
        notes.append(f"No differences: {summary.baseline}, the baseline, has no records here.")
    if SIGNIFICANT in used:
        notes.append(
            f"{SIGNIFICANT} p < 0.05, sign-flip permutation over sessions, Holm-corrected over the methods of the column."
        )
    if any(SIMULATED in row.name for row in rows):
        notes.append(f"{SIMULATED} simulated: the method masked entries instead of freeing them.")
    if WEAK in used:
        why = (
            "by its card full attention does not solve it, or was not measured so far out"
            if summary.gate is None
            else f"{summary.baseline} stays under {percent(summary.gate)}"
        )
        notes.append(f"{WEAK} not measurable with this model: {why}; left out of the averages.")
    if FAILED in used:
        notes.append(
            f"{FAILED} some turns failed and are no part of the mean. With failures as 0: {_zeroed(mine)}."
        )
    if LOST in used:
        notes.append(
            f"{LOST} some prompts were cut. Only turns whose evidence survived: {_survived(mine)}."
        )
    if PARTIAL in used:
        notes += [
            f"{PARTIAL} average over fewer tasks than the paper's; {line}."
            for line in _incomplete(summary, setting, mode)
        ]
    lines = [
        f"{cell.method} on {title_of(cell.task)}: {_reasons(cell)}"
        for cell in mine
        if cell.strict.is_gap
    ]
    if lines:
        notes.append(f"{GAP} no score. " + "; ".join(lines) + ".")
    return notes


def _beyond(summary: Summary, setting: Setting, mode: str) -> str:
    """The share of a table's turns that a model answered with a window beyond its training; empty if it was not."""
    keep = [pl.col(name) == getattr(setting, name) for name in SETTING]
    mine = summary.turns.filter(*keep, pl.col("mode") == mode)
    beyond = mine.filter(pl.col("notes").str.contains(BEYOND_TRAINED, literal=True)).height
    return f"{beyond:,} of {mine.height:,} turns" if beyond else ""


def _out_of_reach(cells: Sequence[Cell]) -> str:
    """Says so where even a difference of one sign in every session could not be significant: 2 / 2^sessions, times the methods."""
    methods = len({cell.method for cell in cells if cell.difference})
    most = max((cell.difference.estimate.sessions for cell in cells if cell.difference), default=0)
    if not methods or methods * 2.0 / 2.0**most < ALPHA:
        return ""
    return f" With {most} sessions and {methods} methods no difference can be significant after Holm's correction; run more sessions."


def _reasons(cell: Cell) -> str:
    return (
        ", ".join(f"{reason} ({count})" for reason, count in cell.gaps.items())
        or "a sub-task has no turns"
    )


def _zeroed(cells: Sequence[Cell]) -> str:
    return "; ".join(
        f"{cell.method} on {title_of(cell.task)} {percent(cell.failed_as_zero.value)} (n {cell.failed_as_zero.n})"
        for cell in cells
        if any(why.startswith("failed") for why in cell.gaps)
    )


def _survived(cells: Sequence[Cell]) -> str:
    return "; ".join(
        f"{cell.method} on {title_of(cell.task)} {percent(cell.survived.value)} (n {cell.survived.n}, {cell.truncated_turns} turns cut)"
        for cell in cells
        if cell.truncated_turns
    )


def _incomplete(summary: Summary, setting: Setting, mode: str) -> list[str]:
    """Methods that lack the same tasks for the same reasons share a line."""
    lines: dict[str, list[str]] = {}
    for method in summary.methods_in(setting):
        average = summary.average(setting, mode, method.name, OVERALL)
        if average and average.missing:
            by_reason: dict[str, list[str]] = {}
            for task, why in average.missing.items():
                by_reason.setdefault(why, []).append(title_of(task))
            text = "; ".join(f"{', '.join(tasks)} {why}" for why, tasks in by_reason.items())
            lines.setdefault(text, []).append(method.name)
    return [f"{', '.join(names)}: {text}" for text, names in lines.items()]


def trend_table(summary: Summary, setting: Setting, mode: str) -> Table:
    """First turn against later turns per task, and the slope in points per turn."""
    mine = {
        (one.method, one.task): one
        for one in summary.trends
        if (one.setting, one.mode) == (setting, mode)
    }
    tasks = summary.tasks_in(setting)
    rows = []
    for method in summary.methods_in(setting):
        entries = []
        for task in tasks:
            trend = mine.get((method.name, task))
            entries.append(_trend_entry(trend) if trend else Entry(main=GAP))
        rows.append(Row(name=method.label, group=stage_title(method), entries=tuple(entries)))
    return Table(
        title=f"First turn and later turns, {mode}, {setting.label}",
        label=f"turns-{mode}",
        corner="method",
        columns=tuple(Column(title=title_of(task)) for task in tasks),
        rows=tuple(rows),
        notes=(
            "First turn → mean of later turns, in percent. Δ: later minus first, over sessions that have both. Slope: points per turn, within "
            "sessions (no interval where all sessions move alike). In the mixes all are taken within each sub-task. In multi-request mode the "
            "order of turns means nothing, so changes there show noise.",
        ),
    )


def _trend_entry(trend: Trend) -> Entry:
    change, slope = trend.change.estimate, trend.slope
    return Entry(
        main=f"{percent(trend.first.value)} → {percent(trend.later.value)}",
        n=f"n {trend.first.n} + {trend.later.n}",
        delta="" if change.is_gap else signed(change.value),
        delta_interval=signed_interval(change),
        aside="" if slope.is_gap else f"slope {signed(slope.value)} {signed_interval(slope)}",
    )
