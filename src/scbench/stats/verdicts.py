"""Verdicts on all differences of a report, corrected for how many there are.

Three families in each setting, over methods and both modes: the tasks' cells (all tasks at once),
the four abilities, and Overall, the question that a report puts first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from scbench.stats.averages import Average, Sheet
from scbench.stats.cells import ScoreCell
from scbench.stats.difference import Case, Difference, corrected, families
from scbench.stats.paper import OVERALL
from scbench.stats.standing import MARGIN

One = TypeVar("One", ScoreCell, Average)


def judged_cells(
    cells: Sequence[ScoreCell], columns: Sequence[Sheet], *, margin: float = MARGIN
) -> list[ScoreCell]:
    """The same cells; those of sub-tasks are a family of their own."""
    by_place = {(column.setting, column.mode): column for column in columns}
    return _judged(
        cells,
        [(cell.setting, cell.part != "") for cell in cells],
        [_of_cell(cell, by_place[cell.setting, cell.mode]) for cell in cells],
        margin,
    )


def judged_averages(averages: Sequence[Average], *, margin: float = MARGIN) -> list[Average]:
    return _judged(
        averages,
        [(one.setting, one.name == OVERALL) for one in averages],
        [_of_average(one) for one in averages],
        margin,
    )


def _judged(
    every: Sequence[One], keys: Sequence[object], cases: Sequence[Case | None], margin: float
) -> list[One]:
    found = list(every)
    for places in families(keys):
        compared = [(place, case) for place in places if (case := cases[place]) is not None]
        differences = corrected([case for _, case in compared], margin=margin)
        for (place, _), difference in zip(compared, differences, strict=True):
            found[place] = replace(found[place], difference=difference)
    return found


def _of_cell(cell: ScoreCell, column: Sheet) -> Case | None:
    if cell.difference is None:
        return None
    parts = (cell.part,) if cell.part else column.parts[cell.task]
    floor = sum(column.floors.get((cell.task, part), 0.0) for part in parts) / len(parts)
    level = cell.baseline_shared.value
    is_open = cell.is_measurable and level is not None
    return Case(
        difference=cell.difference,
        sessions=cell.difference.estimate.sessions,
        headroom=(level - floor) / (1.0 - floor) if is_open and level is not None else None,
    )


def _of_average(average: Average) -> Case | None:
    if average.difference is None:
        return None
    return Case(
        difference=average.difference,
        sessions=average.sessions,
        headroom=average.baseline_shared.value,
    )


def judged_one(
    difference: Difference,
    *,
    sessions: int,
    headroom: float | None,
    family: int = 1,
    margin: float = MARGIN,
) -> Difference:
    """A comparison that stands alone, or is one of `family` that are asked together."""
    case = Case(difference=difference, sessions=sessions, headroom=headroom)
    return corrected([case], margin=margin, size=family)[0]
