"""For all tests: what is loaded once is left alone by the collector, and pages have no charts.

Charts are drawn by a process each; tests/report, where they are what is tested, draws them.
"""

from __future__ import annotations

import gc

import pytest
from hypothesis import settings

from scbench.report.drawing import SWITCH

settings.register_profile("scbench", deadline=None)  # no test may fail for being slow
settings.load_profile("scbench")


def pytest_collection_finish() -> None:
    """A run collects garbage between its models: the modules loaded by now are none, and walking
    them each time took a third of the time of all tests.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_charts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "tests/report" not in request.path.as_posix():
        monkeypatch.setenv(SWITCH, "off")
