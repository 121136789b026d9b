"""What docs/python.md shows is what Python says."""

from __future__ import annotations

import doctest
import inspect
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Unpack

import pytest

import scbench
from scbench.errors import BadConfig
from scbench.grid.plan import Plan
from scbench.grid.settings import Settings
from scbench.grid.words import ALIASES
from scbench.options import RunWords, flags

DOC = Path(__file__).parents[2] / "docs" / "python.md"


def test_the_lines_of_the_page_give_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = doctest.testfile(str(DOC), module_relative=False, encoding="utf-8")
    assert found.attempted >= 24
    assert found.failed == 0


def test_a_plan_is_reached_from_the_package_and_says_its_types() -> None:
    names = {"Plan": Plan, "RunWords": RunWords, **vars(scbench)}
    given = inspect.get_annotations(scbench.plan, eval_str=True, globals=names)
    assert given["words"] == Unpack[RunWords]
    assert given["return"] is Plan
    assert given["price_per_hour"] == float | None


def test_the_package_is_imported_without_torch() -> None:
    code = "import sys, scbench; assert callable(scbench.plan); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_setting_has_a_word_and_every_word_is_a_setting_or_a_commands_own() -> None:
    """Said once: a setting that is added without a word, or a word that nothing reads,
    fails here.
    """
    words = {ALIASES.get(name, name) for name in flags()}
    settings = {field.name for field in fields(Settings)}
    assert settings <= words
    assert words - settings == {"preset", "detect", "config", "extend", "quiet", "full"}


def test_an_object_that_is_no_method_is_refused_by_its_kind() -> None:
    with pytest.raises(BadConfig, match="methods has a float"):
        scbench.run(model="toy", methods=["dense", 0.25])
