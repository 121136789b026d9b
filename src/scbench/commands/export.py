"""`scbench export`: a run for other programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scbench.console import counted, say
from scbench.errors import BadConfig

if TYPE_CHECKING:
    from scbench.api import Result

Files = Iterator[tuple[str, bytes]]


def export(
    run: Annotated[Path, typer.Argument(help="folder of a run")],
    kind: Annotated[
        str, typer.Option("--format", help="parquet, csv, or inspect (logs for `inspect view`)")
    ] = "parquet",
    to: Annotated[
        Path | None,
        typer.Option("--to", help="folder to write into; default: a folder of the format's name"),
    ] = None,
) -> None:
    """Write a run for other programs: tables as Parquet or CSV, or logs of
    Inspect.

    `scbench export runs/x --format parquet` writes results, turns, cost and
    samples; docs/schema.md says what each column is. `scbench export runs/x
    --format inspect --to logs` writes a log a task, mode and method; then,
    with inspect-ai installed, `inspect view --log-dir logs`.
    """
    from scbench import api
    from scbench.report.files import write_whole

    if kind not in MAKERS:
        raise BadConfig(f"--format {kind!r} is not known; it is one of {', '.join(MAKERS)}")
    result = api.open_run(run)
    folder = Path(to or Path(run) / kind)
    files = dict(MAKERS[kind](result))
    write_whole(files, folder)
    say(f"{counted(len(files), 'file')} in {folder}")


def _parquet(result: Result) -> Files:
    from scbench.report.tabular import parquet

    return ((f"{name}.parquet", parquet(table)) for name, table in result.tables().items())


def _csv(result: Result) -> Files:
    from scbench.report.shown import csv_text

    return (
        (f"{name}.csv", csv_text(table).encode("utf-8", "backslashreplace"))
        for name, table in result.tables().items()
    )


def _inspect(result: Result) -> Files:
    from scbench.export.inspect_log import logs
    from scbench.ledger import manifest
    from scbench.sample_rows import sessions_of

    records = result.records()
    sessions = sessions_of(result.folder, records)
    return logs(records, sessions, result.summary(), manifest.read(result.folder))


MAKERS: dict[str, Callable[[Result], Files]] = {
    "parquet": _parquet,
    "csv": _csv,
    "inspect": _inspect,
}
