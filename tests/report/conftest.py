"""One run for the tests of every medium: eight methods, a gap, failures, a simulated method, a mix, costs."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "stats"))

from factory import run
from report_sample import CHANCES, COSTS, STAGES, TASKS

from scbench.stats import Summary, summarise
from scbench.types import Failure, Record


@pytest.fixture(scope="session")
def records() -> list[Record]:
    found: list[Record] = []
    for one in run(tasks=TASKS, methods=CHANCES, sessions=5):
        if one.method == "quest" and one.task == "qa_chn":
            continue
        if one.method == "quest" and one.task == "vt" and one.seed == "0:1":
            one = replace(
                one,
                answer=None,
                failure=Failure(kind="out-of-memory", why=""),
                strict=replace(one.strict, value=None),
            )
        if one.task == "summary" and one.strict.value is not None:
            one = replace(
                one,
                strict=replace(
                    one.strict, value=0.2 + 0.5 * one.strict.value, side={"floor": 0.31}
                ),
            )
        if one.method == "a-shape":
            one = replace(one, cost=replace(one.cost, simulated=True))
        found.append(one)
    return found


@pytest.fixture(scope="session")
def summary(records: list[Record]) -> Summary:
    return summarise(records, COSTS, stages=STAGES)
