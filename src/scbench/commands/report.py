"""`scbench report`: the tables and the page of a run again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scbench.commands.shown import show
from scbench.console import say
from scbench.errors import BadConfig

if TYPE_CHECKING:
    from scbench.api import Result


def report(
    folder: Annotated[Path, typer.Argument(help="folder of a run (its --out)")],
    to: Annotated[
        Path | None, typer.Option("--to", help="where to write; default: into the run's folder")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="print every table")] = False,
    paper: Annotated[
        bool,
        typer.Option(
            "--paper", help="the paper's tables and figures instead, into the folder `paper`"
        ),
    ] = False,
    also: Annotated[
        list[Path] | None,
        typer.Option("--also", help="another run in the same tables of --paper; default: none"),
    ] = None,
) -> None:
    """Make the tables and the page of a run again, from its journal alone (no
    torch, no model).

    `scbench report runs/x --paper` writes what a paper needs: models by
    methods by abilities, all tasks, by turn, by budget, query seen or hidden,
    as LaTeX, Markdown, CSV and Parquet, each figure as SVG and PNG; published
    numbers beside ours where the setting is theirs (docs/paper.md).
    """
    from scbench.api import open_run

    result = open_run(folder)
    if paper:
        _paper([result, *map(open_run, also or ())], to or folder / "paper")
        return
    if also:
        raise BadConfig("--also joins runs in the tables of --paper; add --paper, or leave it away")
    written = result.report(to)
    for path in written.values():
        say(path)
    show(result, is_full=full, page=written["index.html"])


def _paper(results: Sequence[Result], folder: Path) -> None:
    from scbench.report.paper import paper_files

    for path in paper_files([result.summary() for result in results], folder).values():
        say(path)
