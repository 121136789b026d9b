"""What a run comes to, on a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.table import Table

from scbench.console import out, plain, tell


def show(
    result: Any, outcome: Any = None, *, is_full: bool = False, page: Path | None = None
) -> None:
    """What a run comes to, in one table and a sentence; every table where `is_full`.

    `page` is where its page was written, if not into its folder.
    """
    from scbench.report import brief, terminal

    if not result.records():
        tell("nothing was played; there is no report")
        return
    summary = result.summary()
    if is_full:
        out.print(terminal(summary))
        for one in result.equal_bytes():
            out.print(_equal_table(one))
    for line in result.torn():
        tell(line, label="torn")
    if outcome is not None and not is_full:
        _tell_left_out(outcome)
    if not is_full:
        out.print(brief(summary, page=page or result.folder / "index.html"))


MOST_LEFT_OUT = 3
LEFT_OUT_CHARS = 150


def _tell_left_out(outcome: Any) -> None:
    """What was not played, in a few lines; --full has each whole."""
    lines = [*outcome.gaps, *outcome.does_not_apply]
    for line in lines[:MOST_LEFT_OUT]:
        tell(
            line if len(line) < LEFT_OUT_CHARS else f"{line[:LEFT_OUT_CHARS]}...", label="left out"
        )
    if len(lines) > MOST_LEFT_OUT:
        tell(f"{len(lines) - MOST_LEFT_OUT:,} more; --full names each", label="left out")


def _of(row: Any, found: Any) -> str:
    return f"{100 * row.held_bytes / found.target_bytes:.1f} %"


EQUAL_WORDS = {
    "context": "holds after the context",
    "end": "holds at the session's end",
    "loaded": "loads per step",
}


def _equal_table(found: Any) -> Table:
    """What each method that was asked for became, and the bytes it held of the sample."""
    from scbench.report.words import bytes_text

    model, length = (
        f", {found.model}" * bool(found.model),
        f", {found.length_tokens:,} tokens" * bool(found.length_tokens),
    )
    table = Table(
        "asked for",
        "played",
        "held",
        "of target",
        "verdict",
        title=f"Equal bytes{model}{length}: {found.share} of what dense {EQUAL_WORDS[found.what]}, "
        f"{bytes_text(found.target_bytes)} of {bytes_text(found.reference_bytes)} at "
        f"{found.context_tokens:,} tokens (its cache takes {bytes_text(found.dense_bytes)} here)",
        title_justify="left",
    )
    for row in found.rows:
        is_fitted = row.held_bytes is not None and row.played is not None
        share = "–" if row.asked == "dense" or not is_fitted else _of(row, found)
        held = "–" if row.held_bytes is None else bytes_text(row.held_bytes)
        table.add_row(
            plain(row.asked),
            plain(row.played or "–"),
            held,
            share,
            plain(": ".join(filter(None, (row.verdict, row.why)))),
        )
    return table
