"""The score tables: method by task with the paper's averages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scbench.report import agreed, marks
from scbench.report.marks import LACKS, SIGNIFICANT, count
from scbench.report.score_notes import notes
from scbench.report.table import Column, Entry, Row, Table
from scbench.report.words import GAP, interval, percent, signed, signed_interval
from scbench.stats import (
    ABILITIES,
    OTHER_TASKS,
    OVERALL,
    Average,
    Difference,
    MethodInfo,
    ScoreCell,
    Setting,
    Standing,
    Summary,
    TaskBook,
)
from scbench.stats.cells import CUT

AVERAGES = "Averages"
HELD = "Held, % of dense"  # bytes; the column beside the overall average
LOADED = "Loaded, % of dense"  # bytes per decode step
BYTES = (HELD, LOADED)
SIDES = {
    "floor": "floor",
    "fact_recall": "facts",
    "leak": "leak",
    "rouge": "ROUGE",
    CUT: "cut short",
}  # what a reader needs beside a summary's score, and how many answers met their limit
SIDE_IS_SHARE = {"floor", "fact_recall", "rouge", CUT}


def stage_title(method: MethodInfo) -> str:
    return " · ".join(word for word in (method.stage, method.category) if word) or "stage not given"


def score_table(summary: Summary, setting: Setting, mode: str) -> Table:
    """Every task of a setting in one mode; the averages stand first, the overall average at their
    end.
    """
    tasks = summary.tasks_in(setting)
    columns: list[tuple[str, str]] = []  # group, task or the average's own name
    for ability in ABILITIES:
        columns += [(ability, task) for task in tasks if summary.book.ability_of(task) == ability]
        columns.append((AVERAGES, ability))
    groups = {task: summary.book.group_of(task) for task in tasks}
    columns += [(group, task) for task, group in groups.items() if group not in ABILITIES]
    columns.append((AVERAGES, OVERALL))
    columns += [(AVERAGES, name) for name in _beside_averages(summary, setting, mode)]
    own = {group: place for place, group in enumerate(sorted({*groups.values()} - {*ABILITIES}))}
    columns.sort(
        key=lambda column: (
            column[0] != AVERAGES,
            column[0] == OTHER_TASKS,
            own.get(column[0], -1),
        )
    )
    methods = summary.methods_in(setting)
    rows = [
        Row(
            name=method.label,
            group=stage_title(method),
            entries=tuple(_entry(summary, setting, mode, method, *one) for one in columns),
        )
        for method in methods
    ]
    heads, rows = _lift_n(columns, rows, summary.book)
    return Table(
        title=f"{mode}, {setting.label}",
        label=f"scores-{mode}",
        corner="method",
        columns=heads,
        rows=tuple(rows),
        notes=tuple(notes(summary, setting, mode, rows)),
    )


def _beside_averages(summary: Summary, setting: Setting, mode: str) -> list[str]:
    """The columns that stand beside the averages: agreement and bytes, where they were measured."""
    mine = [share for share in summary.shares if share.setting == setting]
    names = list(agreed.COLUMNS) if agreed.is_measured(summary, setting, mode) else []
    names += [HELD] if mine else []
    return names + ([LOADED] if any(share.loaded is not None for share in mine) else [])


def _entry(
    summary: Summary, setting: Setting, mode: str, method: MethodInfo, group: str, name: str
) -> Entry:
    if name in agreed.COLUMNS:
        return agreed.entry(summary.agreement(setting, mode, method.name), name)
    if name in BYTES:
        share = summary.share(setting, method.name)
        if share is None:
            return Entry(main=GAP)
        return Entry(main=percent(share.ratio if name == HELD else share.loaded))
    if group == AVERAGES:
        average = summary.average(setting, mode, method.name, name)
        if average is None:
            return Entry(main=GAP, marks=LACKS)
        return average_entry(average, summary.baseline)
    cell = summary.cell(setting, mode, method.name, name)
    if cell is not None:
        return cell_entry(cell, summary.baseline)
    planned = summary.planned_turns(setting, mode, name)
    return Entry(main=GAP, marks=LACKS if planned else "", n=count(0, planned))


def cell_entry(cell: ScoreCell, baseline: str) -> Entry:
    return Entry(
        main=percent(cell.strict.value),
        interval=interval(cell.strict),
        n=count(cell.strict.n, cell.planned_turns),
        official=_official(cell),
        aside="; ".join([*_beside_baseline(cell, baseline), *_sides(cell)]),
        marks=marks.of_cell(cell),
        **_delta(cell.difference),
    )


def _delta(paired: Difference | None) -> dict[str, str]:
    """The difference, its interval, its verdict and the tone of it."""
    if paired is None or paired.is_gap:
        return {}
    judged = paired.judged
    tone = ""
    if judged is not None and judged.standing in (Standing.BETTER, Standing.WORSE):
        tone = str(judged.standing)
    return {
        "delta": signed(paired.value) + (SIGNIFICANT if tone else ""),
        "delta_interval": signed_interval(paired.estimate),
        "verdict": judged.text if judged is not None else "",
        "tone": tone,
    }


def _official(one: ScoreCell | Average) -> str:
    """The published scorer's mean, with its own count where that is another."""
    own = f" ({count(one.official.n, one.planned_turns)})"
    return percent(one.official.value) + (own if one.official.n != one.strict.n else "")


def _beside_baseline(one: ScoreCell | Average, baseline: str) -> list[str]:
    """The two means that Δ is the difference of, where they are not those that stand in the
    table.
    """
    if one.shared.is_gap or not (one.has_gaps or one.shared.n < one.strict.n):
        return []
    base = f"{baseline} {percent(one.baseline_shared.value)}"
    if one.shared.n == one.strict.n:
        return [f"{base} on these"]
    return [f"{percent(one.shared.value)} against {base} on the {one.shared.n} turns both have"]


def _sides(cell: ScoreCell) -> list[str]:
    return [
        f"{word} {percent(cell.sides[name]) if name in SIDE_IS_SHARE else format(cell.sides[name], '.2f')}"
        for name, word in SIDES.items()
        if name in cell.sides
    ]


def average_entry(average: Average, baseline: str) -> Entry:
    return Entry(
        main=percent(average.strict.value),
        interval=interval(average.strict),
        n=count(average.strict.n, average.planned_turns),
        official=_official(average),
        aside="; ".join(_beside_baseline(average, baseline)),
        marks=marks.of_average(average),
        **_delta(average.difference),
    )


def _lift_n(
    columns: Sequence[tuple[str, str]], rows: Sequence[Row], book: TaskBook
) -> tuple[tuple[Column, ...], list[Row]]:
    """Where all methods scored all turns, n moves from the cells to the head of the column.

    A count of gaps stays at its number.
    """
    heads: list[Column] = []
    shared: list[bool] = []
    for place, (group, name) in enumerate(columns):
        counts = {row.entries[place].n for row in rows}
        shared.append(len(counts) == 1 and not any(" of " in one for one in counts))
        title = name if group == AVERAGES else book.title_of(name)
        heads.append(
            Column(
                title=title,
                group=group,
                n=counts.pop() if shared[place] else "",
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
