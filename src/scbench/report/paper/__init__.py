"""The paper's tables and figures from any run (docs/paper.md): `paper_files` writes them.

Published numbers stand beside ours where the setting is the same, and nowhere else.
"""

from __future__ import annotations

from scbench.report.paper.files import inline_figures, paper_files
from scbench.report.paper.tables import paper_tables

__all__ = ["inline_figures", "paper_files", "paper_tables"]
