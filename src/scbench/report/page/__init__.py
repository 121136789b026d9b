"""The report as one HTML file that opens offline: its security policy forbids it to fetch.

`document` makes the file, `data` the one value that all views draw from (docs/page.md).
"""

from __future__ import annotations

from scbench.report.page.document import BESIDE, page, page_files
from scbench.report.page.source import Analysed, HeadsHeld, PageSource

__all__ = ["BESIDE", "Analysed", "HeadsHeld", "PageSource", "page", "page_files"]
