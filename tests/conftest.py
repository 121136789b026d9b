"""Pages are drawn without charts, a process each, except where charts are what is tested."""

from __future__ import annotations

import pytest

from scbench.report.drawing import SWITCH


@pytest.fixture(autouse=True)
def no_charts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "tests/report" not in request.path.as_posix():
        monkeypatch.setenv(SWITCH, "off")
