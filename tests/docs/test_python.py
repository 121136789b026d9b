"""What docs/python.md shows is what Python says."""

from __future__ import annotations

import doctest
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import scbench
from scbench.run.plan import Plan

DOC = Path(__file__).parents[2] / "docs" / "python.md"


def test_the_lines_of_the_page_give_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = doctest.testfile(str(DOC), module_relative=False, encoding="utf-8")
    assert found.attempted >= 9
    assert found.failed == 0


def test_a_plan_is_reached_from_the_package_and_says_its_types() -> None:
    given = inspect.get_annotations(
        scbench.plan, eval_str=True, globals={"Plan": Plan, **vars(scbench)}
    )
    assert given["return"] is Plan
    assert given["price_per_hour"] == float | None


def test_the_package_is_imported_without_torch() -> None:
    code = "import sys, scbench; assert callable(scbench.plan); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
