"""A report as a folder of files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from scbench.errors import BadConfig
from scbench.files import cannot_write, write_atomically
from scbench.report.latex import latex
from scbench.report.markdown import markdown
from scbench.report.page import BESIDE, PageSource, page_files
from scbench.report.plain_markdown import tables_markdown
from scbench.report.shown import csv_text
from scbench.report.tabular import cost_csv, parquet, table, turns_csv
from scbench.stats import CostRow, Solves, summarise
from scbench.task_cards import TaskCard
from scbench.types import Record

FILES = (
    "report.md",
    "results.csv",
    "results.parquet",
    "turns.csv",
    "cost.csv",
    "tables.md",
    "tables.tex",
    "index.html",
)
MARK = ".scbench"  # says that a folder outside any run is ours to write reports into


def write_all(
    records: Sequence[Record],
    cost_rows: Iterable[CostRow | Mapping[str, object]],
    manifest: Mapping[str, object],
    folder: Path,
    *,
    stages: Mapping[str, tuple[str, str]] | None = None,
    baseline: str = "dense",
    gate: float | None = None,
    solves: Solves | None = None,
    task_cards: Mapping[str, TaskCard] | None = None,
    source: PageSource | None = None,
) -> dict[str, Path]:
    """Write report.md, results.csv and .parquet, turns.csv, cost.csv, tables.md and .tex, then
    index.html; returns their paths by name.

    A report is a pure function of its input: files are replaced whole, nothing is appended, links
    are not followed. `source` has the answers that the page shows. Other arguments as in
    `stats.summarise`. Raises BadConfig for a folder with somebody's own files of these names,
    CannotWrite.
    """
    summary = summarise(
        records,
        cost_rows,
        stages=stages,
        baseline=baseline,
        gate=gate,
        solves=solves,
        task_cards=task_cards,
    )
    results = table(summary)
    # Tables first: what draws a page may be killed, and they are on the disk by then.
    tables = {
        "report.md": markdown(summary, manifest),
        "results.csv": csv_text(results),
        "turns.csv": turns_csv(summary),
        "cost.csv": cost_csv(summary),
        "tables.md": tables_markdown(summary),
        "tables.tex": latex(summary),
    }
    refuse_somebodys(folder, FILES)
    written = write_whole({**_encoded(tables), "results.parquet": parquet(results)}, folder)
    written |= write_whole(_encoded(page_files(summary, manifest, source=source)), folder)
    for stale in set(folder.glob(BESIDE.format("*"))) - set(written.values()):
        stale.unlink(missing_ok=True)  # of a page that had more samples
    return written


def _encoded(texts: Mapping[str, str]) -> dict[str, bytes]:
    return {name: text.encode("utf-8", "backslashreplace") for name, text in texts.items()}


def write_whole(files: Mapping[str, bytes], folder: Path) -> dict[str, Path]:
    """Write files of a report by name into `folder`, each whole; returns their paths.

    Raises BadConfig for a folder with somebody's own files of these names, CannotWrite.
    """
    refuse_somebodys(folder, files)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise cannot_write(err, folder) from err
    if not is_of_a_run(folder):
        write_atomically(folder / MARK, b"scbench writes reports here\n")
    for name, data in files.items():
        write_atomically(folder / name, data)
    return {name: folder / name for name in files}


def is_of_a_run(folder: Path) -> bool:
    """Whether a run has written into it."""
    return any((folder / name).exists() for name in ("manifest.json", "records.jsonl"))


def refuse_somebodys(folder: Path, texts: Iterable[str]) -> None:
    """Raise BadConfig where a file would be replaced that no report of ours can have written."""
    if is_of_a_run(folder) or (folder / MARK).exists():
        return
    there = [name for name in texts if (folder / name).exists() or (folder / name).is_symlink()]
    if there:
        raise BadConfig(
            f"{str(folder)!r} holds {', '.join(there)}, which no report of scbench wrote; "
            "name a new folder, or an empty one"
        )
