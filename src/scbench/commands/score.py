"""`scbench score`: answers that were made anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from scbench.console import out, plain, say
from scbench.errors import Unknown


def score(
    file: Annotated[
        Path,
        typer.Argument(
            help="JSON lines with task, prediction, gold, ...; or the published runner's "
            "prediction_*.jsonl"
        ),
    ],
    to: Annotated[
        Path | None,
        typer.Option(
            "--out", help="where to write the lines with scores; default: FILE with .scored.jsonl"
        ),
    ] = None,
) -> None:
    """Score answers made anywhere, by the strict and the published rules."""
    from scbench import scoring
    from scbench.files import write_atomically

    if not file.is_file():
        raise Unknown(
            f"there is no file {str(file)!r}; give a file of JSON lines (see `scbench score "
            f"--help`)"
        )
    lines = scoring.score_file(file)
    target = to or file.with_suffix(".scored.jsonl")
    write_atomically(target, b"".join(map(scoring.written, lines)))
    table = Table("task", "mode", "rule", "mean", "n", "gaps")
    for mean in scoring.means(lines):
        gaps = ", ".join(f"{count} {why}" for why, count in mean.gaps.items())
        table.add_row(
            plain(f"{mean.task}: {mean.subtask}" if mean.subtask else mean.task),
            plain(mean.mode),
            plain(mean.rule),
            "–" if mean.mean is None else f"{100 * mean.mean:.1f}",
            str(mean.n),
            plain(gaps),
        )
    out.print(table)
    say(f"written: {target}")
