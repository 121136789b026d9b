"""`scbench check-data`: whether a folder holds the published data, whole and as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from scbench.console import out, plain, say, tell

MOST_SHOWN = 5  # differences of one config


def check_data(
    folder: Annotated[Path, typer.Argument(help="folder with the files of microsoft/SCBench")],
) -> None:
    """Compare counts, lengths and fields of published files with what the published set holds.
    Status 1 where a config differs or none is there; a config that is not there is only named."""
    from scbench.errors import Unknown
    from scbench.tasks.published_set import PUBLISHED, FoundConfig, check_folder

    table, differing, absent = (
        Table("config", "rows", "turns", "characters", "file"),
        0,
        list[str](),
    )
    notes = list[str]()
    for found in check_folder(folder):
        if not isinstance(found, FoundConfig):
            name, why = found
            if isinstance(why, Unknown):
                absent.append(name)
                continue
            differing += 1
            notes.append(f"{name}: {why}")
            continue
        numbers = (f"{n:,}" for n in (found.rows, found.turns, found.characters))
        table.add_row(found.name, *numbers, plain(found.file.name))
        differing += bool(found.differences)
        notes += [f"{found.name}: {one}" for one in found.differences[:MOST_SHOWN]]
        if more := len(found.differences) - MOST_SHOWN:
            notes += [f"{found.name}: and {more:,} more"] if more > 0 else []
    if table.row_count:
        out.print(table)
    for note in notes:
        tell(note, label="differs")
    if absent:
        say(f"not there: {', '.join(absent)}")
    say(f"{len(PUBLISHED) - len(absent) - differing} configs as published, {differing} not")
    if differing or len(absent) == len(PUBLISHED):
        raise typer.Exit(1)
