"""Tables, plots and the page, from a `stats.Summary`. Knows nothing of how records came to be; never imports torch.

`terminal`, `markdown`, `csv`, `latex` and `page` draw one summary each in their medium; `write_all` writes them all to a folder.
"""

from __future__ import annotations

from scbench.report.files import write_all
from scbench.report.latex import latex
from scbench.report.markdown import markdown
from scbench.report.page import page
from scbench.report.tabular import cost_csv, csv, turns_csv
from scbench.report.terminal import terminal

__all__ = ["cost_csv", "csv", "latex", "markdown", "page", "terminal", "turns_csv", "write_all"]
