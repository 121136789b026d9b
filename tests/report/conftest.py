"""One run for the tests of every medium: eight methods, a gap, failures, a simulated method, a mix,
costs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "stats"))

from factory import run
from report_sample import CHANCES, COSTS, STAGES, TASKS

from scbench.report.drawing import Drawing, Spec
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


def undrawn(specs: Sequence[Spec | None]) -> list[Drawing]:
    return [Drawing(text="<svg/>")] * len(specs)


@pytest.fixture(scope="module", autouse=True)
def no_pictures(request: pytest.FixtureRequest) -> Iterator[None]:
    """Charts are made everywhere, and drawn, by a process a page, where pictures are tested."""
    if request.path.stem in ("test_page", "test_page_figure", "test_hostile", "test_browser"):
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        module = sys.modules["scbench.report.page.document"]
        patch.setattr(module, "drawings", undrawn)
        patch.setattr(module, "bundle", lambda: "")
        yield
