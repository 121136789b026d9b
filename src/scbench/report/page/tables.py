"""The score tables as the page's data: what each cell prints, and the number to sort and colour by.

The words are those of `score_table`, which every other medium draws too.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import compress
from typing import Any

from scbench.report import agreed
from scbench.report.scores import AVERAGES, BYTES, HELD, score_table
from scbench.report.table import Column, Entry, Table
from scbench.report.words import GAP
from scbench.stats import Difference, Ruling, Setting, Summary

NONE = "n 0"  # of a column: no method has a turn of it
# What a cell has, in this order; the page reads them by place.
CELL = (
    "value", "delta", "low", "high", "standing", "more", "main", "marks", "interval", "n",
    "delta_text", "delta_interval", "verdict", "official", "aside",
)  # fmt: skip


def tables(summary: Summary) -> list[dict[str, Any]]:
    """A table for every setting and mode, by place of the setting."""
    return [
        _table(summary, place, setting, mode)
        for place, setting in enumerate(summary.settings)
        for mode in summary.modes_in(setting)
    ]


def _table(summary: Summary, place: int, setting: Setting, mode: str) -> dict[str, Any]:
    drawn = score_table(summary, setting, mode)
    methods = [info.name for info in summary.methods_in(setting)]
    tasks = {summary.book.title_of(task): task for task in summary.tasks_in(setting)}
    columns = [_column(column, tasks) for column in drawn.columns]
    has_value = [
        any(row.entries[place].main != GAP or row.entries[place].n for row in drawn.rows)
        and column["n"] != NONE
        for place, column in enumerate(columns)
    ]
    return {
        "setting": place,
        "mode": mode,
        "columns": list(compress(columns, has_value)),
        "methods": methods,
        "rows": [
            [
                _cell(summary, setting, mode, method, column, entry)
                for column, entry in compress(zip(columns, row.entries, strict=True), has_value)
            ]
            for method, row in zip(methods, drawn.rows, strict=True)
        ],
        "notes": list(drawn.notes),
    }


def _column(column: Column, tasks: Mapping[str, str]) -> dict[str, Any]:
    kind, name = "task", tasks.get(column.title, column.title)
    if column.title in agreed.COLUMNS:
        kind = "agreement"
    elif column.title in BYTES:
        kind = "bytes"
    elif column.group == AVERAGES:
        kind = "average"
    return {
        "kind": kind,
        "name": name,
        "title": column.title,
        "group": column.group,
        "n": column.n,
    }


def _cell(
    summary: Summary,
    setting: Setting,
    mode: str,
    method: str,
    column: Mapping[str, Any],
    entry: Entry,
) -> list[Any]:
    value, difference, ruling = _numbers(summary, setting, mode, method, column)
    estimate = difference.estimate if difference is not None else None
    return [
        _rounded(value),
        _rounded(estimate.value if estimate is not None else None),
        _rounded(estimate.low if estimate is not None else None),
        _rounded(estimate.high if estimate is not None else None),
        str(ruling.standing) if ruling is not None else "",
        ruling.more_sessions if ruling is not None else 0,
        entry.main,
        entry.marks,
        entry.interval,
        entry.n,
        entry.delta,
        entry.delta_interval,
        entry.verdict,
        entry.official,
        entry.aside,
    ]


def _numbers(
    summary: Summary, setting: Setting, mode: str, method: str, column: Mapping[str, Any]
) -> tuple[float | None, Difference | None, Ruling | None]:
    """Value, difference and verdict behind a cell; as the summary has them."""
    name = str(column["name"])
    if column["kind"] == "bytes":
        share = summary.share(setting, method)
        if share is None:
            return None, None, None
        return (share.ratio if name == HELD else share.loaded), None, None
    if column["kind"] == "agreement":
        return _agreement(summary, setting, mode, method, name)
    found = (
        summary.average(setting, mode, method, name)
        if column["kind"] == "average"
        else summary.cell(setting, mode, method, name)
    )
    if found is None:
        return None, None, None
    difference = found.difference
    return found.strict.value, difference, difference.judged if difference is not None else None


def _agreement(
    summary: Summary, setting: Setting, mode: str, method: str, name: str
) -> tuple[float | None, Difference | None, Ruling | None]:
    one = summary.agreement(setting, mode, method)
    if one is None:
        return None, None, None
    if name == agreed.KL:
        return one.kl.value, None, one.kl_judged
    if name == agreed.TOP1:
        return one.top1.value, None, one.top1_judged
    return one.nll_difference.value, None, None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def plain_table(table: Table) -> dict[str, Any]:
    """Any other table, in words."""
    return {
        "title": table.title,
        "corner": table.corner,
        "columns": [column.title for column in table.columns],
        "rows": [[row.name, *(entry.line for entry in row.entries)] for row in table.rows],
        "notes": list(table.notes),
    }
