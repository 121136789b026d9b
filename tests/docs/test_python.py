"""What docs/python.md shows is what Python says."""

from __future__ import annotations

import doctest
import inspect
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any, Unpack

import pytest

import scbench
from scbench.api import open_run
from scbench.errors import BadConfig, Mismatch
from scbench.grid.plan import Plan
from scbench.grid.settings import Settings
from scbench.grid.words import ALIASES
from scbench.options import RunWords, flags
from scbench.result import Result

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


def test_a_result_shows_itself_in_three_lines(tmp_path: Path) -> None:
    words: RunWords = {"model": "toy", "tasks": "kv", "methods": "dense", "length": 512}
    result = scbench.run(
        **words,
        sessions=1,
        turns=1,
        cost_sessions=0,
        modes="multi-request",
        out=tmp_path,
        quiet=True,
    )
    lines = repr(result).splitlines()
    assert len(lines) == 3
    assert "1 of 1 turns answered" in lines[0]
    assert "toy; kv; dense" in lines[1]
    assert repr(open_run(tmp_path)).splitlines()[1:] == lines[1:]
    assert "no run.toml" in repr(Result(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"sesions": 3}, "sesions: did you mean sessions"),
        ({"lenght": 3}, "did you mean length"),
        ({"nonsense": 3}, "scbench.options.RunWords has them all"),
        ({"model": 3}, r"model is 3 \(int\)"),
        ({"model": ["toy", None]}, r"model has None"),
        ({"model": object()}, "scbench.load"),
        ({"compress_after": "never"}, "--compress-after 'never' .* one of context, first-query"),
    ],
)
@pytest.mark.parametrize("door", [scbench.run, scbench.plan])
def test_a_word_that_is_none_is_told_with_its_neighbours(
    words: dict[str, Any], says: str, door: Any
) -> None:
    with pytest.raises(BadConfig, match=says):
        door(**{"model": "toy", "tasks": "kv", **words})


def test_a_view_says_how_two_methods_are_joined() -> None:
    view = scbench.load("toy").read("a text").under("snapkv[tau=1/4]")
    with pytest.raises(Mismatch, match=r"doc.under\('snapkv\[tau=1/4\]\+kivi'\)"):
        view.under("kivi")
    assert repr(view).startswith("View('snapkv[tau=1/4]'")
    assert len(repr(view)) < 120


def test_a_method_that_is_not_in_a_run_is_told_with_those_that_are_like_it(tmp_path: Path) -> None:
    words: RunWords = {"model": "toy", "tasks": "kv", "methods": "dense,snapkv[tau=1/4]"}
    result = scbench.run(
        **words, length=512, sessions=1, turns=1, cost_sessions=0, out=tmp_path, quiet=True
    )
    with pytest.raises(BadConfig, match=r"did you mean snapkv\[tau=1/4\]"):
        result.compare("snapkv", "dense")
