"""Scoring: from an answer's text and what its turn wanted to a Score, by the strict and by the
published rules.

Pure functions; neither torch nor network. Models judge nothing here, and a crash never becomes a
zero.
"""

from __future__ import annotations

from scbench.scoring.file import score_file, written
from scbench.scoring.grade import SUBTASKS, grade
from scbench.scoring.lines import score_lines, wanted_from_line
from scbench.scoring.table import Mean, Published, means, official_table

__all__ = [
    "SUBTASKS",
    "Mean",
    "Published",
    "grade",
    "means",
    "official_table",
    "score_file",
    "score_lines",
    "wanted_from_line",
    "written",
]
