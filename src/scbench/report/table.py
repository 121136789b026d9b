"""A table before it has a medium: terminal, Markdown, LaTeX and HTML all draw this one value."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One cell, in words. Empty strings are not drawn."""

    main: str
    interval: str = ""
    n: str = ""
    delta: str = ""  # difference to the baseline, with its sign
    delta_interval: str = ""
    official: str = ""  # the same mean under the published scorer
    aside: str = ""  # side values, such as the floor of a summary
    marks: str = ""  # keys of `Table.notes`
    tone: str = ""  # better, worse: a significant difference
    verdict: str = ""  # what the difference comes to, in words

    @property
    def line(self) -> str:
        """Everything on one line."""
        second = f"Δ {self.delta} {self.delta_interval}".strip() if self.delta else ""
        parts = [f"{self.main}{self.marks} {self.interval}".strip(), second, self.verdict, self.n]
        parts += [f"official {self.official}" if self.official else "", self.aside]
        return " · ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    name: str
    group: str = ""  # rows of one group stand together under its name
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    title: str
    group: str = ""
    n: str = ""  # of the whole column, where all rows share it
    is_average: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """`label` is a short stable name for anchors and \\label."""

    title: str
    label: str
    corner: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = field(default=())

    def column_groups(self) -> list[tuple[str, int]]:
        """Neighbouring columns of one group, with how many."""
        groups: list[tuple[str, int]] = []
        for column in self.columns:
            if groups and groups[-1][0] == column.group:
                groups[-1] = (column.group, groups[-1][1] + 1)
            else:
                groups.append((column.group, 1))
        return groups

    def take(self, group: str) -> Table:
        """Only the columns of one group."""
        kept = [place for place, column in enumerate(self.columns) if column.group == group]
        return Table(
            title=f"{self.title}: {group}" if group else self.title,
            label=f"{self.label}-{group.lower().replace('.', '-').replace(' ', '-')}",
            corner=self.corner,
            columns=tuple(self.columns[place] for place in kept),
            rows=tuple(
                Row(
                    name=row.name,
                    group=row.group,
                    entries=tuple(row.entries[place] for place in kept),
                )
                for row in self.rows
            ),
            notes=self.notes,
        )
