"""A report as a folder of files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from scbench.report.latex import latex
from scbench.report.markdown import markdown
from scbench.report.page import page
from scbench.report.tabular import cost_csv, csv, turns_csv
from scbench.stats import CostRow, Solves, summarise
from scbench.types import Record


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
) -> dict[str, Path]:
    """Write report.md, results.csv, turns.csv, cost.csv, tables.tex and index.html; returns their paths by name.

    A report is a pure function of its input: files are replaced, nothing is appended. Arguments as in `stats.summarise`.
    """
    summary = summarise(
        records, cost_rows, stages=stages, baseline=baseline, gate=gate, solves=solves
    )
    texts = {
        "report.md": markdown(summary, manifest),
        "results.csv": csv(summary),
        "turns.csv": turns_csv(summary),
        "cost.csv": cost_csv(summary),
        "tables.tex": latex(summary),
        "index.html": page(summary, manifest),
    }
    folder.mkdir(parents=True, exist_ok=True)
    written: dict[str, Path] = {}
    for name, text in texts.items():
        written[name] = folder / name
        written[name].write_text(text, encoding="utf-8")
    return written
