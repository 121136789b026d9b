"""From records to the paper's tables: means, intervals by session, paired differences, verdicts.

Knows neither tasks nor models nor how records came to be, and never imports torch. `summarise` is
the door.
"""

from __future__ import annotations

from scbench.stats.agreement import KL_MARGIN, TOP1_MARGIN, Agreement
from scbench.stats.averages import Average
from scbench.stats.cells import NOT_RUN, ScoreCell, Setting
from scbench.stats.costs import COST_FIELDS, CostRow, Spread, cost_row
from scbench.stats.curves import CurvePoint, Trend
from scbench.stats.difference import Difference
from scbench.stats.frame import frame
from scbench.stats.intervals import ALPHA, Estimate
from scbench.stats.lengths import LengthPoint
from scbench.stats.paper import ABILITIES, OTHER_TASKS, OVERALL, PAPER_BOOK, TaskBook
from scbench.stats.power import detectable_points, sessions_for
from scbench.stats.shares import Share
from scbench.stats.standing import HEADROOM, MARGIN, Ruling, Standing
from scbench.stats.summary import SIMULATED, MethodInfo, Solves, Summary, summarise

__all__ = [
    "ABILITIES",
    "ALPHA",
    "COST_FIELDS",
    "HEADROOM",
    "KL_MARGIN",
    "MARGIN",
    "NOT_RUN",
    "OTHER_TASKS",
    "OVERALL",
    "PAPER_BOOK",
    "SIMULATED",
    "TOP1_MARGIN",
    "Agreement",
    "Average",
    "CostRow",
    "CurvePoint",
    "Difference",
    "Estimate",
    "LengthPoint",
    "MethodInfo",
    "Ruling",
    "ScoreCell",
    "Setting",
    "Share",
    "Solves",
    "Spread",
    "Standing",
    "Summary",
    "TaskBook",
    "Trend",
    "cost_row",
    "detectable_points",
    "frame",
    "sessions_for",
    "summarise",
]
