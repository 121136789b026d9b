"""The tables as Markdown with one number a column, to paste into a page or to read by a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scbench.report import marks
from scbench.report.shown import markdown_text as escape
from scbench.report.words import GAP, percent, signed
from scbench.stats import Average, Estimate, ScoreCell, Setting, Share, Summary

HEADS = (
    "method",
    "task",
    "score",
    "low",
    "high",
    "n",
    "Δ",
    "Δ low",
    "Δ high",
    "verdict",
    "official",
    "held",
    "marks",
)
TEXTS = {"method", "task", "verdict", "marks"}


def tables_markdown(summary: Summary) -> str:
    """A table for each setting and mode: a row a method and task, averages first."""
    lines = [
        "Scores, their 95 % limits and differences to dense (Δ) in points of 100; averages are "
        "corrected for chance. held: bytes, % of dense's. Written by scbench report.",
        "",
    ]
    for setting in summary.settings:
        for mode in summary.modes_in(setting):
            lines += [f"## {escape(setting.label)}, {escape(mode)}", ""]
            rows = _rows(summary, setting, mode)
            lines += drawn(HEADS, TEXTS, rows)
            lines.append("")
            signs = {sign for row in rows for sign in row["marks"]} & marks.WORDS.keys()
            lines += [f"- {sign} {escape(marks.WORDS[sign])}" for sign in sorted(signs)]
            lines.append("")
    return "\n".join(lines)


def drawn(heads: Sequence[str], texts: set[str], rows: Sequence[Mapping[str, str]]) -> list[str]:
    """The lines of one table; numbers stand to the right, an absent one is a dash."""
    ends = ("---" if head in texts else "---:" for head in heads)
    body = (f"| {' | '.join(escape(row.get(head, '')) for head in heads)} |" for row in rows)
    return [f"| {' | '.join(map(escape, heads))} |", f"|{'|'.join(ends)}|", *body]


def _rows(summary: Summary, setting: Setting, mode: str) -> list[dict[str, str]]:
    rows = []
    for method in summary.methods_in(setting):
        share = summary.share(setting, method.name)
        for average in summary.averages:
            place = (average.setting, average.mode, average.method)
            if place == (setting, mode, method.name) and average.planned_turns:
                signs = marks.of_average(average)
                rows.append(_row(method.label, average.name, average, signs, share))
        for task in summary.tasks_in(setting):
            cell = summary.cell(setting, mode, method.name, task)
            if cell is not None:
                title = summary.book.title_of(task)
                rows.append(_row(method.label, title, cell, marks.of_cell(cell), share))
    return rows


def _row(
    method: str, task: str, one: ScoreCell | Average, signs: str, share: Share | None
) -> dict[str, str]:
    paired = one.difference
    judged = paired.judged if paired is not None else None
    change = paired.estimate if paired is not None else Estimate(value=None)
    return {
        "method": method,
        "task": task,
        "score": percent(one.strict.value),
        "low": percent(one.strict.low),
        "high": percent(one.strict.high),
        "n": str(one.strict.n),
        "Δ": signed(change.value),
        "Δ low": signed(change.low),
        "Δ high": signed(change.high),
        "verdict": judged.text if judged is not None else GAP,
        "official": percent(one.official.value),
        "held": percent(share.ratio if share is not None else None),
        "marks": signs,
    }
