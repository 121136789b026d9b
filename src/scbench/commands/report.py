"""`scbench report`: the tables and the page of a run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scbench.commands.shown import show
from scbench.console import say


def report(
    folder: Annotated[Path, typer.Argument(help="folder of a run (its --out)")],
    to: Annotated[
        Path | None, typer.Option("--to", help="where to write; default: into the run's folder")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="print every table")] = False,
) -> None:
    """Make the tables and the page of a run again, from its journal alone (no torch, no model)."""
    from scbench.api import open_run

    result = open_run(folder)
    written = result.report(to)
    for path in written.values():
        say(path)
    show(result, is_full=full, page=written["index.html"])
