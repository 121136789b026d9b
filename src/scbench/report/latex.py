"""Tables that paste into a paper; they need booktabs and graphicx. Limits of an interval stand as
sub- and superscript, notes under their table, and a table wider than the text is made to fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scbench.report.costs import cost_tables
from scbench.report.scores import score_table
from scbench.report.shown import tex_text as escape
from scbench.report.table import Entry, Table
from scbench.stats import Summary


def latex(summary: Summary) -> str:
    """For each setting and mode: averages, each group of tasks, and the differences to the
    baseline; then the costs.
    """
    blocks = [
        "% Needs \\usepackage{booktabs,graphicx}. Written by scbench report; scores in percent, "
        "95% limits as sub- and superscript."
    ]
    for place, setting in enumerate(summary.settings, start=1):
        for mode in summary.modes_in(setting):
            table = score_table(summary, setting, mode)
            parts = [table.take(name) for name, _ in table.column_groups()]
            for part in parts[1:]:  # the notes of all stand under the first
                parts[parts.index(part)] = replace(
                    part, notes=(f"Marks as in the table of averages, {mode}.",)
                )
            blocks += [draw(part, label=f"{place}", deltas=len(table.rows) > 1) for part in parts]
    blocks += [draw(table, label="cost") for table in cost_tables(summary)]
    return "\n\n".join(blocks) + "\n"


def draw(table: Table, *, label: str, deltas: bool = False) -> str:
    """One table float; with `deltas` every score column is followed by its difference to the
    baseline.
    """
    wide = [
        deltas and any(row.entries[place].delta for row in table.rows)
        for place in range(len(table.columns))
    ]
    layout = "l" + "".join("rr" if two else "r" for two in wide)
    heads = [escape(table.corner)]
    for column, two in zip(table.columns, wide, strict=True):
        title = escape(f"{column.title} ({column.n})" if column.n else column.title)
        heads += [title, r"$\Delta$"] if two else [title]
    body: list[str] = []
    group = ""
    for row in table.rows:
        if row.group != group and row.group:
            body.append(group_line(row.group, len(heads)))
            group = row.group
        cells = [escape(row.name)]
        for entry, two in zip(row.entries, wide, strict=True):
            cells += [score(entry), delta(entry)] if two else [score(entry)]
        body.append(" & ".join(cells) + r" \\")
    tabular = [
        rf"\begin{{tabular}}{{{layout}}}",
        r"\toprule",
        " & ".join(heads) + r" \\",
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return floating(tabular, table.title, f"tab:{label}-{table.label}", table.notes)


def group_line(text: str, columns: int) -> str:
    """A line of a tabular that names the rows below it."""
    return rf"\multicolumn{{{columns}}}{{l}}{{\textit{{{escape(text)}}}}} \\"


FIT = r"\ifdim\width>\linewidth\linewidth\else\width\fi"  # of \resizebox: never made larger


MOST_IN_FLOAT = 600  # signs of notes that stand with their table


def floating(tabular: Sequence[str], title: str, label: str, notes: Sequence[str]) -> str:
    """A tabular in a float with a caption, its notes in small print: below it where they are few,
    else as a paragraph behind the float, for a float of two pages fits none.
    """
    told = " ".join(notes)
    small = [rf"\par\medskip{{\scriptsize\raggedright {escape(told)}\par}}"] if told else []
    is_short = len(told) <= MOST_IN_FLOAT
    return "\n".join(
        [
            r"\begin{table}[t]\centering\footnotesize\setlength{\tabcolsep}{3pt}",
            r"\renewcommand{\arraystretch}{1.25}",
            rf"\caption{{{escape(title)}}}",
            rf"\label{{{label}}}",
            rf"\resizebox{{{FIT}}}{{!}}{{%",
            *tabular,
            "}",
            *(small if is_short else []),
            r"\end{table}",
            *([] if is_short else small),
        ]
    )


def score(entry: Entry) -> str:
    own = f" ({escape(entry.n)})" if entry.n else ""
    beside = f" {{\\scriptsize {escape(entry.aside)}}}" if entry.aside else ""
    return limits(entry.main, entry.interval) + escape(entry.marks) + own + beside


def delta(entry: Entry) -> str:
    return limits(entry.delta, entry.delta_interval) if entry.delta else ""


def limits(value: str, interval: str) -> str:
    """48.7 and [40.1, 57.2] as 48.7 with 40.1 below and 57.2 above; other words in small print
    behind it.
    """
    if interval.startswith("["):
        low, high = interval.strip("[]").split(", ")
        star = "^{*}" if value.endswith("*") else ""
        number = value.rstrip("*").replace("−", "-")
        return f"${number}_{{{low.replace('−', '-')}}}^{{{high.replace('−', '-')}}}$" + (
            f"${star}$" if star else ""
        )
    return escape(value) + (rf" {{\scriptsize {escape(interval)}}}" if interval else "")
