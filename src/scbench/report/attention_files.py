"""An analysis of attention as a folder of files: tables, pictures, one page."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import polars as pl

from scbench.errors import BadConfig
from scbench.report.attention import markdown
from scbench.report.attention_charts import charts
from scbench.report.chart_parts import Chart
from scbench.report.drawing import PNG, drawings
from scbench.report.files import is_of_a_run, refuse_somebodys, write_whole
from scbench.stats.attention import AttentionFacts, AttentionTables, means

PAGE, MEANS, FACTS = "analysis.md", "means.csv", "facts.json"
OWN = (PAGE, MEANS, FACTS)  # of the files, those that anyone else might have
PAPER = "#ffffff"  # behind pictures in points, which do not know what they stand on


def write(tables: AttentionTables, facts: AttentionFacts, folder: Path) -> dict[str, Path]:
    """Write the page, means, facts, a parquet file a table, an SVG and a PNG a picture; their paths
    by name.

    Files are replaced whole. Raises BadConfig for the folder of a run, or one with somebody's own
    files of these names; CannotWrite.
    """
    check(folder)
    drawn = charts(tables, facts)
    files = _pictures(drawn)
    shown = [
        (chart.title, f"{name}.svg", chart.caption)
        for name, chart in drawn.items()
        if f"{name}.svg" in files
    ]
    page = {PAGE: markdown(tables, facts, shown).encode("utf-8", "backslashreplace")}
    data = {f"{name}.parquet": _parquet(frame) for name, frame in tables.named().items()}
    data[FACTS] = (json.dumps(asdict(facts), indent=1) + "\n").encode()
    data[MEANS] = means(tables, facts).write_csv().encode()
    return write_whole({**page, **data, **files}, folder)


def check(folder: Path) -> None:
    """Raise BadConfig for a folder that is not for analyses."""
    if is_of_a_run(folder):
        raise BadConfig(
            f"--out {str(folder)!r} is the folder of a run, which an analysis leaves alone; name "
            "another, or none"
        )
    refuse_somebodys(folder, OWN)


def _pictures(drawn: Mapping[str, Chart]) -> dict[str, bytes]:
    """Each chart that can be drawn, as SVG and in points."""
    some = {name: chart.spec for name, chart in drawn.items() if chart.spec}
    vectors = [*some.values()]
    points = [{PNG: {**spec, "background": PAPER}} for spec in vectors]
    made = drawings([*vectors, *points])
    files: dict[str, bytes] = {}
    for at, name in enumerate(some):
        if made[at].text:
            files[f"{name}.svg"] = made[at].text.encode()
        if made[len(some) + at].text:
            files[f"{name}.png"] = base64.b64decode(made[len(some) + at].text)
    return files


def _parquet(frame: pl.DataFrame) -> bytes:
    held = io.BytesIO()
    frame.write_parquet(held)
    return held.getvalue()
