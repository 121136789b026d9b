"""The paper's tables and figures as files: tables first, then what a drawing process gives."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

from scbench.report.chart_parts import Chart
from scbench.report.drawing import PNG, Drawing, drawings
from scbench.report.files import write_whole
from scbench.report.notebook import InlineFigure
from scbench.report.paper import drawn
from scbench.report.paper.figures import paper_figures
from scbench.report.paper.tables import paper_tables
from scbench.report.shown import csv_text, markdown_text
from scbench.report.tabular import parquet
from scbench.stats import Summary


def paper_files(summaries: Sequence[Summary], folder: Path) -> dict[str, Path]:
    """Write paper.md, paper.tex, paper.csv and .parquet, then each figure as SVG and PNG, and
    figures.md, which names them and says why one is missing.

    Tables are on the disk before anything is drawn, and what draws is a process of its own: if it
    dies, pictures are missing and no table is. Errors as `report.files.write_whole`.
    """
    tables = paper_tables(summaries)
    numbers = drawn.numbers(tables)
    texts = {
        "paper.md": drawn.markdown(tables),
        "paper.tex": drawn.latex(tables),
        "paper.csv": csv_text(numbers),
    }
    files = {name: text.encode("utf-8", "backslashreplace") for name, text in texts.items()}
    written = write_whole({**files, "paper.parquet": parquet(numbers)}, folder)
    return written | write_whole(_pictures(paper_figures(summaries)), folder)


def inline_figures(summaries: Sequence[Summary]) -> dict[str, InlineFigure]:
    """Each figure by its file's name, for a notebook; nothing is written."""
    figures = paper_figures(summaries)
    answers = iter(drawings([chart.spec for chart in figures.values() if chart.spec]))
    found = {}
    for name, chart in figures.items():
        drawing = next(answers) if chart.spec else Drawing(why=chart.caption)
        found[name] = InlineFigure(chart.title, drawing.text, drawing.why)
    return found


def _pictures(figures: Mapping[str, Chart]) -> dict[str, bytes]:
    """SVG and PNG of each, and the page that names them."""
    lines = ["# Figures", ""]
    whole = {name: chart for name, chart in figures.items() if chart.spec}
    specs = [spec for chart in whole.values() for spec in (chart.spec, {PNG: chart.spec})]
    answers = iter(drawings(specs))
    files: dict[str, bytes] = {}
    for name, chart in figures.items():
        lines += [f"## {markdown_text(chart.title)}", ""]
        if not chart.spec:
            lines += [f"No picture: {markdown_text(chart.caption)}", ""]
            continue
        svg, png = next(answers), next(answers)
        if svg.text:
            files[f"{name}.svg"] = svg.text.encode()
            lines += [f"![{markdown_text(chart.title)}]({name}.svg)", ""]
        if png.text:
            files[f"{name}.png"] = base64.b64decode(png.text)
        lines += [f"No picture: {markdown_text(why)}" for why in (svg.why, png.why) if why]
        lines += [markdown_text(chart.caption), ""]
    return {**files, "figures.md": "\n".join(lines).encode("utf-8", "backslashreplace")}
