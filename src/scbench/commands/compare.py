"""`scbench compare`: what changed between two runs, item by item."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from scbench.console import counted, out, plain, say, tell
from scbench.errors import BadConfig

if TYPE_CHECKING:
    import polars

    from scbench.against.baseline import Baseline
    from scbench.api import Result
    from scbench.stats.two_runs import PairedRow

SHOWN_CHARS = 40
Spot = tuple[str, str, str, int]  # session, mode, method, turn


def compare(
    before: Annotated[Path, typer.Argument(help="folder of the earlier run, or a baseline file")],
    after: Annotated[Path, typer.Argument(help="folder of the later run")],
    allow_different: Annotated[
        bool,
        typer.Option(
            "--allow-different", help="go on with the items in common where the runs are unlike"
        ),
    ] = False,
    by_task: Annotated[bool, typer.Option("--by-task", help="a row a task too")] = False,
    most: Annotated[int, typer.Option("--most", help="flipped items to list")] = 10,
    to: Annotated[
        Path | None,
        typer.Option("--to", help="CSV file for all flipped items; default: none is written"),
    ] = None,
) -> None:
    """Say what changed between two runs: differences with intervals, and the
    items that flipped.

    `scbench compare runs/before runs/after` compares every method and mode
    that both played, turn by turn of the same sessions, the later minus the
    earlier. Runs that differ in model, tasks, lengths, sessions, prompts or
    scorers are refused, with what differs. To hold a run to a bound, as CI
    does: `scbench gate`. docs/compare.md has an example of each.
    """
    from scbench import api
    from scbench.against.likeness import differs, unlike
    from scbench.report.shown import csv_text
    from scbench.stats.two_runs import EVERY

    later = api.open_run(after)
    earlier = opened(before)
    found = later.against(earlier, allow_different=allow_different)
    was = earlier if not isinstance(earlier, api.Result) else earlier.baseline()
    now = later.baseline()
    for line in [*unlike(was.likeness, now.likeness), *differs(was.likeness, now.likeness)]:
        tell(line, label="differs")
    for names, which in ((found.only_before, "earlier"), (found.only_after, "later")):
        if names:
            tell(f"only in the {which} run: {', '.join(names)}", label="not compared")
    rows = [row for row in found.rows if by_task or row.name == EVERY]
    for setting in dict.fromkeys(row.setting for row in rows):
        say(f"{setting.label}: {after} minus {before}, points above chance")
        out.print(_table([row for row in rows if row.setting == setting], by_task=by_task))
    flipped = found.flipped()
    say(_sum(found.items, flipped))
    told = _told(flipped, earlier, later)
    if most > 0 and not told.is_empty():
        out.print(_items(told.head(most)))
    if to is not None:
        _write(to, csv_text(told))
        say(f"{counted(told.height, 'flipped item')}: {to}")


def opened(path: Path) -> Result | Baseline:
    """A run's folder or a baseline's file."""
    from scbench import api
    from scbench.against.baseline import read_baseline

    if path.is_dir():
        return api.open_run(path)
    if not path.exists():
        raise BadConfig(f"{str(path)!r} does not exist; give a run's folder, or a baseline file")
    return read_baseline(path)


def _table(rows: list[PairedRow], *, by_task: bool) -> Table:
    heads = ("method", "mode", *(["tasks"] if by_task else []), "before", "after", "Δ")
    table = Table(*heads, "95 %", "verdict", "items", "lower", "higher", pad_edge=False)
    for row in rows:
        estimate, judged = row.difference.estimate, row.difference.judged
        lost = f", {sum(row.lost.values()):,} lost their score" if row.lost else ""
        table.add_row(
            plain(row.method),
            row.mode,
            *([plain(row.name)] if by_task else []),
            points(row.before.value),
            points(row.after.value),
            points(estimate.value, sign="+"),
            ""
            if estimate.low is None
            else f"{points(estimate.low, sign='+')} to {points(estimate.high, sign='+')}",
            "" if judged is None else judged.text,
            f"{estimate.n:,}{lost}",
            f"{row.flips[0]:,}",
            f"{row.flips[1]:,}",
        )
    return table


def points(value: float | None, *, sign: str = "") -> str:
    """0.487 as 48.7, with a real minus."""
    if value is None:
        return "–"
    rounded = round(100.0 * value, 1) + 0.0
    return format(rounded, f"{sign if rounded else ''}.1f").replace("-", "−")


def _sum(items: polars.DataFrame, flipped: polars.DataFrame) -> str:
    lower = int((flipped["change"] < 0.0).sum())
    words = items.filter(items["same_answer"].not_()).height - flipped.height
    return (
        f"{counted(items.height, 'item')} in common: {lower:,} score lower, "
        f"{flipped.height - lower:,} higher, {max(0, words):,} other words with the same score"
    )


def _told(flipped: polars.DataFrame, earlier: Result | Baseline, later: Result) -> polars.DataFrame:
    """The flipped items with question, gold and both answers, as far as the folders hold them."""
    import polars as pl

    if flipped.is_empty():
        return flipped
    now = _samples(later)
    was = _samples(earlier) if hasattr(earlier, "folder") else {}
    rows = []
    for item in flipped.iter_rows(named=True):
        spot = (item["session"], item["mode"], item["method"], item["turn"])
        mine, theirs = now.get(spot, {}), was.get(spot, {})
        rows.append(
            {
                **item,
                "question": mine.get("question"),
                "gold": mine.get("gold"),
                "answer_before": theirs.get("answer"),
                "answer_after": mine.get("answer"),
            }
        )
    return pl.DataFrame(rows, infer_schema_length=None)


def _samples(run: Any) -> dict[Spot, Mapping[str, Any]]:
    """What a run asked and was told, first samples only."""
    rows = run.samples().iter_rows(named=True)
    return {
        (row["session"], row["mode"], row["method"], row["turn"]): row
        for row in rows
        if row["sample"] == 0
    }


def _items(told: polars.DataFrame) -> Table:
    table = Table("method", "mode", "item", "score", "gold", "before", "after", pad_edge=False)
    for row in told.iter_rows(named=True):
        table.add_row(
            plain(row["method"]),
            row["mode"],
            plain(f"{row['task']} {row['seed']} turn {row['turn'] + 1}"),
            f"{points(row['before'])} → {points(row['after'])}",
            *(plain(_short(row[name])) for name in ("gold", "answer_before", "answer_after")),
        )
    return table


def _short(text: str | None) -> str:
    if text is None:
        return "–"
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_CHARS else f"{line[: SHOWN_CHARS - 1]}…"


def _write(path: Path, text: str) -> None:
    from scbench.files import write_atomically

    write_atomically(path, text.encode("utf-8", "backslashreplace"))
