"""Tables, plots and the page, from a `stats.Summary`; never imports torch.

Knows nothing of how records came to be. `brief` is the end of a run, in 25 lines; `full` (also
called `terminal`), `markdown`, `csv`, `latex` and `page` draw everything, each in its medium;
`write_all` writes the files into a folder.
"""

from __future__ import annotations

from scbench.report.brief import brief
from scbench.report.files import write_all
from scbench.report.latex import latex
from scbench.report.markdown import markdown
from scbench.report.page import page, page_files
from scbench.report.tabular import cost_csv, csv, turns_csv
from scbench.report.terminal import full, terminal

__all__ = [
    "brief",
    "cost_csv",
    "csv",
    "full",
    "latex",
    "markdown",
    "page",
    "page_files",
    "terminal",
    "turns_csv",
    "write_all",
]
