"""Made-up reports as material for summaries: their themes, key facts and prose."""

from __future__ import annotations

from scbench.tasks.materials.reports.page import Page
from scbench.tasks.materials.reports.plan import ReportKnobs, ReportPlan, Settled, plan_reports
from scbench.tasks.materials.reports.words import ANIMALS, COLOURS, TITLE_MARKS

__all__ = [
    "ANIMALS",
    "COLOURS",
    "TITLE_MARKS",
    "Page",
    "ReportKnobs",
    "ReportPlan",
    "Settled",
    "plan_reports",
]
