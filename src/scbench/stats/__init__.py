"""From records to the paper's tables: means, intervals clustered by session, paired differences, averages, curves.

Knows neither tasks nor models nor how records came to be, and never imports torch. `summarise` is the door.
"""

from __future__ import annotations

from scbench.stats.averages import Average
from scbench.stats.cells import NOT_RUN, Cell, Setting
from scbench.stats.costs import COST_FIELDS, CostRow, Spread, cost_row
from scbench.stats.curves import CurvePoint, Trend
from scbench.stats.frame import frame
from scbench.stats.intervals import Estimate
from scbench.stats.paired import ALPHA, Difference
from scbench.stats.paper import ABILITIES, OVERALL, tasks_of, title_of
from scbench.stats.summary import SIMULATED, MethodInfo, Share, Solves, Summary, summarise

__all__ = [
    "ABILITIES",
    "ALPHA",
    "COST_FIELDS",
    "NOT_RUN",
    "OVERALL",
    "SIMULATED",
    "Average",
    "Cell",
    "CostRow",
    "CurvePoint",
    "Difference",
    "Estimate",
    "MethodInfo",
    "Setting",
    "Share",
    "Solves",
    "Spread",
    "Summary",
    "Trend",
    "cost_row",
    "frame",
    "summarise",
    "tasks_of",
    "title_of",
]
