"""A paper's table in each medium: Markdown and CSV with one number a column, LaTeX as papers set
it."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from scbench.report.latex import floating, group_line, limits
from scbench.report.paper.tables import PaperNumber, PaperRow, PaperTable
from scbench.report.plain_markdown import drawn
from scbench.report.schema import REAL, TEXT, WHOLE, Field, framed
from scbench.report.shown import markdown_text, tex_text
from scbench.report.words import GAP, interval, percent
from scbench.stats import Estimate

NUMBER = [
    Field("table", TEXT, "the table's name"),
    Field("model", TEXT, "the model's name"),
    Field("method", TEXT, "canonical spelling"),
    Field("column", TEXT, "an ability, a task, a turn, a budget"),
    Field("ours", REAL, "our number, 0..1"),
    Field("low", REAL, "its lower 95 % limit"),
    Field("high", REAL, "its upper 95 % limit"),
    Field("n", WHOLE, "turns"),
    Field("published", REAL, "the published number of the same setting, 0..1"),
    Field("source", TEXT, "where it was published"),
]
HEADS = ("model", "method", "column", "ours", "low", "high", "n", "published", "source")
TEXTS = {"model", "method", "column", "source"}


def numbers(tables: Sequence[PaperTable]) -> pl.DataFrame:
    """Every number of every table, a row each."""
    rows = [
        {
            "table": table.name,
            "model": row.group,
            "method": row.method,
            "column": column,
            "ours": one.ours.value,
            "low": one.ours.low,
            "high": one.ours.high,
            "n": one.ours.n,
            "published": one.published,
            "source": one.source or None,
        }
        for table in tables
        for row in table.rows
        for column, one in row.numbers.items()
    ]
    return framed(rows, NUMBER)


def markdown(tables: Sequence[PaperTable]) -> str:
    """A row a number; what was published stands in a column of its own."""
    lines = ["# The paper's tables", "", "Points of 100 with 95 % limits. Written by scbench.", ""]
    for table in tables:
        lines += [f"## {markdown_text(table.title)}", ""]
        rows = [
            _row(row, column, row.numbers[column])
            for row in table.rows
            for column in table.columns
            if column in row.numbers and not row.numbers[column].ours.is_gap
        ]
        heads = [
            head
            for head in HEADS
            if head not in ("published", "source") or any(row.get(head) for row in rows)
        ]
        lines += [*drawn(heads, TEXTS, rows), ""]
        lines += [*(f"- {markdown_text(note)}" for note in table.notes), ""]
    return "\n".join(lines)


def _row(row: PaperRow, column: str, one: PaperNumber) -> dict[str, str]:
    return {
        "model": row.group,
        "method": row.method,
        "column": column,
        "ours": percent(one.ours.value),
        "low": percent(one.ours.low),
        "high": percent(one.ours.high),
        "n": str(one.ours.n),
        "published": "" if one.published is None else percent(one.published),
        "source": one.source,
    }


def latex(tables: Sequence[PaperTable]) -> str:
    """Tables with limits as sub- and superscript; a published row stands under ours, marked."""
    head = "% Needs \\usepackage{booktabs,graphicx}. Written by scbench report --paper."
    return "\n\n".join([head, *map(_float, tables)]) + "\n"


def _float(table: PaperTable) -> str:
    body: list[str] = []
    group = ""
    for row in table.rows:
        if row.group != group:
            body.append(group_line(row.group, 1 + len(table.columns)))
            group = row.group
        ours = [_cell(row.numbers.get(column)) for column in table.columns]
        body.append(" & ".join([tex_text(row.method), *ours]) + r" \\")
        if row.has_published:
            body.append(_published(row, table.columns))
    tabular = [
        rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
        r"\toprule",
        " & ".join(["method", *map(tex_text, table.columns)]) + r" \\",
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return floating(tabular, table.title, f"tab:paper-{table.name}", table.notes)


def _cell(one: PaperNumber | None) -> str:
    estimate = one.ours if one is not None else Estimate(value=None)
    if estimate.is_gap:
        return tex_text(GAP)
    return limits(percent(estimate.value), interval(estimate))


def _published(row: PaperRow, columns: Sequence[str]) -> str:
    """What was published of this row, in italics and named as such."""
    known = [row.numbers.get(column) for column in columns]
    source = next(one.source for one in known if one is not None and one.source)
    cells = [
        ""
        if one is None or one.published is None
        else rf"\textit{{{tex_text(percent(one.published))}}}"
        for one in known
    ]
    name = rf"\quad\textit{{published ({tex_text(source)})}}"
    return " & ".join([name, *cells]) + r" \\"
