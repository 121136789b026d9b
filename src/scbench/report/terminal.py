"""The report for a terminal, drawn with rich."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table as RichTable
from rich.text import Text

from scbench.console import plain
from scbench.report.brief import brief
from scbench.report.costs import cost_tables
from scbench.report.gaps import gap_table
from scbench.report.scores import score_table
from scbench.report.table import Entry, Table
from scbench.stats import Summary

__all__ = ["brief", "full", "terminal"]

STYLES = {"better": "green", "worse": "red", "": ""}
NAME_WIDTH, CELL_WIDTH = (
    24,
    25,
)  # characters a method and a score with its interval on one line need


def full(summary: Summary) -> Group:
    """All tables, for `--full`: averages, tasks, costs and gaps as one rich renderable.

    The end of a run is `brief`. `Console().print(full(summary))` prints it.
    """
    drawn: list[RenderableType] = []
    for setting in summary.settings:
        for mode in summary.modes_in(setting):
            table = score_table(summary, setting, mode)
            groups = [name for name, _ in table.column_groups()]
            drawn += [Drawn(table.take(group)) for group in groups]
            drawn += [plain(note, style="dim") for note in table.notes]
    for table in cost_tables(summary):
        drawn += [Drawn(table), *(plain(note, style="dim") for note in table.notes)]
    gaps = gap_table(summary)
    if gaps.rows:
        drawn += [Drawn(gaps), *(plain(note, style="dim") for note in gaps.notes)]
    return Group(*(drawn or [Text("no records, nothing to report")]))


terminal = full  # the name that a report's other media have


@dataclass(frozen=True, slots=True)
class Drawn:
    """A table without its notes; scores stand on two lines if the terminal is wide enough, else on
    four.
    """

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        is_wide = NAME_WIDTH + CELL_WIDTH * len(self.table.columns) <= options.max_width
        yield draw(self.table, joint=" " if is_wide else "\n")


def draw(table: Table, *, joint: str = "\n") -> RichTable:
    drawn = RichTable(
        title=plain(table.title), title_justify="left", header_style="bold", pad_edge=False
    )
    drawn.add_column(plain(table.corner), overflow="fold")
    for column in table.columns:
        drawn.add_column(plain(f"{column.title} {column.n}".strip()), justify="right")
    group = ""
    for row in table.rows:
        if row.group != group and row.group:
            drawn.add_row(plain(row.group, style="italic dim"), *([""] * len(table.columns)))
            group = row.group
        drawn.add_row(plain(row.name), *(cell_text(entry, joint) for entry in row.entries))
    return drawn


def cell_text(entry: Entry, joint: str) -> Text:
    """The value with its interval, then the difference with its own; n only where it differs
    between methods.
    """
    text = plain(f"{entry.main}{entry.marks}")
    for line in (entry.interval, entry.n):
        if line:
            text.append(plain(f"{joint}{line}", style="dim"))
    if entry.aside:
        text.append(plain("\n" + entry.aside.replace("; ", "\n"), style="dim"))
    if entry.delta:
        text.append(f"\nΔ {entry.delta}", style=STYLES[entry.tone])
        text.append(f"{joint}{entry.delta_interval}", style="dim")
    if entry.verdict:
        text.append("\n" + entry.verdict, style=STYLES[entry.tone] or "dim")
    return text
