"""How scores move over the turns of a session: the first turn, the later ones, the slope."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from scbench.report import marks
from scbench.report.marks import LACKS, count
from scbench.report.scores import stage_title
from scbench.report.table import Column, Entry, Row, Table
from scbench.report.words import GAP, percent, signed, signed_interval
from scbench.stats import Setting, Summary, Trend


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
        columns=tuple(Column(title=summary.book.title_of(task)) for task in tasks),
        rows=tuple(rows),
        notes=(
            "First turn → mean of later turns, in percent. Δ: later minus first, over sessions "
            "that have both. Slope: points per turn, within sessions (no interval where all "
            "sessions move alike). In the mixes all are taken within each sub-task. In "
            "multi-request mode the order of turns means nothing, so changes there show noise.",
            *_notes(rows, [one for one in mine.values() if one.task in tasks]),
        ),
    )


def _notes(rows: Sequence[Row], trends: Sequence[Trend]) -> list[str]:
    """What the marks that occur mean."""
    used = "".join(entry.marks for row in rows for entry in row.entries)
    lines = [f"{LACKS} some turns have no score; n says over how many of how many turns a mean is."]
    noted = Counter[str]()
    for trend in trends:
        noted.update(trend.noted)
    turns = sum(trend.first_planned + trend.later_planned for trend in trends)
    return (lines if LACKS in used else []) + marks.note_lines(used, noted, turns)


def _trend_entry(trend: Trend) -> Entry:
    change, slope = trend.change.estimate, trend.slope
    return Entry(
        main=f"{percent(trend.first.value)} → {percent(trend.later.value)}",
        n=f"{count(trend.first.n, trend.first_planned)} + "
        + count(trend.later.n, trend.later_planned).removeprefix("n "),
        delta="" if change.is_gap else signed(change.value),
        delta_interval=signed_interval(change),
        aside="" if slope.is_gap else f"slope {signed(slope.value)} {signed_interval(slope)}",
        marks=(LACKS if trend.has_gaps else "") + marks.of_notes(trend.noted),
    )
