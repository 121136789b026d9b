"""The report as Markdown that reads well unrendered too."""

from __future__ import annotations

from collections.abc import Mapping

from scbench.report.again import commands, readable
from scbench.report.costs import cost_tables, facts
from scbench.report.equal import equal_facts
from scbench.report.gaps import gap_table
from scbench.report.scores import score_table
from scbench.report.shown import fenced
from scbench.report.shown import markdown_text as escape
from scbench.report.table import Table
from scbench.report.trends import trend_table
from scbench.stats import Summary


def markdown(summary: Summary, manifest: Mapping[str, object] | None = None) -> str:
    lines = [
        "# scbench report",
        "",
        *(
            f"- {name}: {escape(text)}"
            for name, text in (*facts(summary), *equal_facts(manifest or {}))
        ),
        "",
    ]
    for setting in summary.settings:
        lines += [f"## {escape(setting.label)}", ""]
        for mode in summary.modes_in(setting):
            table = score_table(summary, setting, mode)
            groups = [name for name, _ in table.column_groups()]
            for group in groups:
                lines += [f"### {mode}: {group}", "", *draw(table.take(group)), ""]
            lines += [*(f"- {escape(note)}" for note in table.notes), ""]
        for mode in summary.modes_in(setting):
            table = trend_table(summary, setting, mode)
            lines += [
                f"### {mode}: first turn and later turns",
                "",
                *draw(table),
                "",
                *(f"- {escape(note)}" for note in table.notes),
                "",
            ]
    for table in cost_tables(summary):
        lines += [
            f"## {escape(table.title)}",
            "",
            *draw(table),
            "",
            *(f"- {escape(note)}" for note in table.notes),
            "",
        ]
    gaps = gap_table(summary)
    lines += [
        "## Gaps",
        "",
        *(draw(gaps) if gaps.rows else ["None: every planned turn has a score."]),
        "",
        *(f"- {escape(note)}" for note in gaps.notes),
        *([""] if gaps.notes else []),
    ]
    if manifest:
        lines += ["## How to run this again", ""]
        for what, command in commands(manifest):
            lines += [f"{what}:", "", *fenced(command, "sh"), ""]
        lines += ["## Manifest", "", *fenced(readable(manifest), "json"), ""]
    return "\n".join(lines)


def draw(table: Table) -> list[str]:
    """A pipe table; a group of rows is named in a column of its own if there are groups."""
    grouped = any(row.group for row in table.rows)
    heads = [
        table.corner,
        *(["stage"] if grouped else []),
        *(
            f"{column.title} {f'({column.n})' if column.n else ''}".strip()
            for column in table.columns
        ),
    ]
    lines = [
        f"| {' | '.join(map(escape, heads))} |",
        f"|{'|'.join(['---'] * (2 if grouped else 1) + ['---:'] * len(table.columns))}|",
    ]
    for row in table.rows:
        cells = [
            row.name,
            *([row.group] if grouped else []),
            *(entry.line for entry in row.entries),
        ]
        lines.append(f"| {' | '.join(map(escape, cells))} |")
    return lines
