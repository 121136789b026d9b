"""The table of gaps: every reason for a missing score, and where its traceback lies."""

from __future__ import annotations

from scbench.report import marks
from scbench.report.table import Column, Entry, Row, Table
from scbench.report.words import GAP, percent
from scbench.stats import ScoreCell, Setting, Summary

TITLES = (
    "setting",
    "mode",
    "task",
    "turns without score, by reason",
    "scored turns",
    "mean",
    "mean, failures as 0",
)


def gap_table(summary: Summary) -> Table:
    """Cells that lack a score, then methods without any record of a task."""
    cells = [cell for cell in summary.cells if cell.part == "" and cell.has_gaps]
    rows = [Row(name=cell.method, entries=_entries(summary, cell)) for cell in cells]
    for setting in summary.settings:
        for mode in summary.modes_in(setting):
            rows += _without_record(summary, setting, mode)
    used = "".join(entry.marks for row in rows for entry in row.entries)
    return Table(
        title="Gaps",
        label="gaps",
        corner="method",
        columns=tuple(Column(title=title) for title in TITLES),
        rows=tuple(rows),
        notes=tuple(marks.note_lines(used, {}, 0)),
    )


def _entries(summary: Summary, cell: ScoreCell) -> tuple[Entry, ...]:
    words = (cell.setting.label, cell.mode, summary.book.title_of(cell.task), reasons(cell))
    scored = marks.count(cell.strict.n, cell.planned_turns).removeprefix("n ")
    return (
        *(Entry(main=text) for text in (*words, scored)),
        Entry(main=percent(cell.strict.value), marks=marks.of_cell(cell)),
        Entry(main=percent(cell.failed_as_zero.value), marks=marks.of_notes(cell.noted)),
    )


def reasons(cell: ScoreCell) -> str:
    """Why turns have no score, how many for each reason, and the files of the tracebacks."""
    found = []
    for reason, count in cell.gaps.items():
        files = cell.traces.get(reason, ())
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        found.append(f"{reason}: {count}" + (f" (traceback: {files[0]}{more})" if files else ""))
    return ", ".join(found) or "a sub-task has no turns"


def _without_record(summary: Summary, setting: Setting, mode: str) -> list[Row]:
    rows = []
    for method in summary.methods_in(setting):
        absent = [
            task
            for task in summary.tasks_in(setting)
            if summary.cell(setting, mode, method.name, task) is None
        ]
        if absent:
            planned = sum(summary.planned_turns(setting, mode, task) for task in absent)
            titles = ", ".join(summary.book.title_of(task) for task in absent)
            words = (setting.label, mode, titles, "no record at all", f"0 of {planned}", GAP, GAP)
            rows.append(Row(name=method.name, entries=tuple(Entry(main=text) for text in words)))
    return rows
