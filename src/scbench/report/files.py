"""A report as a folder of files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from scbench.errors import BadConfig
from scbench.files import cannot_write, write_atomically
from scbench.report.latex import latex
from scbench.report.markdown import markdown
from scbench.report.page import BESIDE, PageSource, page_files
from scbench.report.tabular import cost_csv, csv, turns_csv
from scbench.stats import CostRow, Solves, summarise
from scbench.task_cards import TaskCard
from scbench.types import Record

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
    """Write report.md, results.csv, turns.csv, cost.csv, tables.tex and index.html; returns their
    paths by name.

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
    texts = {
        "report.md": markdown(summary, manifest),
        "results.csv": csv(summary),
        "turns.csv": turns_csv(summary),
        "cost.csv": cost_csv(summary),
        "tables.tex": latex(summary),
    }
    written = write_whole(_encoded(texts), folder)
    # Last, so that no fault of a page costs the tables.
    pages = page_files(summary, manifest, source=source)
    written |= write_whole(_encoded(pages), folder)
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
