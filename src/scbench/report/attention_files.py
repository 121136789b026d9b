"""An analysis of attention as a folder of files: tables, pictures, one page."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from scbench.errors import BadConfig
from scbench.report.attention import markdown
from scbench.report.attention_charts import charts
from scbench.report.chart_parts import Chart
from scbench.report.drawing import PNG, drawings
from scbench.report.files import is_of_a_run, write_whole
from scbench.stats.attention import AttentionFacts, AttentionTables

PAGE = "analysis.md"
PAPER = "#ffffff"  # behind pictures in points, which do not know what they stand on


def write(tables: AttentionTables, facts: AttentionFacts, folder: Path) -> dict[str, Path]:
    """Write analysis.md, a parquet file a table, an SVG and a PNG a picture; paths by name.

    Files are replaced whole. Raises BadConfig for the folder of a run, or one with somebody's own
    files of these names; CannotWrite.
    """
    if is_of_a_run(folder):
        raise BadConfig(
            f"{str(folder)!r} is the folder of a run, which an analysis leaves alone; name another "
            "--out, or none"
        )
    drawn = charts(tables, facts)
    files = _pictures(drawn)
    shown = [
        (chart.title, f"{name}.svg", chart.caption)
        for name, chart in drawn.items()
        if f"{name}.svg" in files
    ]
    page = {PAGE: markdown(tables, facts, shown).encode("utf-8", "backslashreplace")}
    data = {f"{name}.parquet": _parquet(frame) for name, frame in tables.named().items()}
    return write_whole({**page, **data, **files}, folder)


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
