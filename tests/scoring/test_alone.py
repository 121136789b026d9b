"""Code that might end the program that reads it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from scbench.scoring import alone, functions, grade
from scbench.scoring.alone import CannotParse
from scbench.types import Wanted

from .sources import CLIP, FUNCTIONS

WANTED = Wanted(golds=(CLIP,), name="clip", lang="python")


@pytest.mark.parametrize("lang", functions.LANGUAGES)
def test_a_child_finds_what_is_found_here(lang: str) -> None:
    blocks = list(FUNCTIONS[lang].values())
    assert alone._in_a_child("outermost", blocks, lang) == [
        functions.outermost(block, lang) for block in blocks
    ]
    assert alone._in_a_child("first_published", blocks, lang) == [
        functions.first_published(block, lang) for block in blocks
    ]


def test_a_deep_answer_is_read_in_a_child_and_a_plain_one_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(alone, "_in_a_child", lambda what, blocks, lang: asked.append(what) or [[]])
    assert alone.outermost([CLIP], "python") == [[CLIP]]
    assert alone.outermost(["(" * 500], "python") == [[]]
    assert alone.outermost(["x = 1\n" * 5000], "python") == [[]]
    assert asked == ["outermost", "outermost"]


def test_a_parser_that_dies_is_a_gap_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alone, "_CHILD", "import os; os.abort()")
    text = f"```\n{CLIP}\n{'(' * 500}\n```"
    for rule in ("strict", "official"):
        score = grade("repoqa", text, WANTED, rule=rule)  # type: ignore[arg-type]
        assert score.is_gap
        assert "ended with status" in score.why


def test_a_parser_that_does_not_come_back_is_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alone, "_CHILD", "import time; time.sleep(60)")
    monkeypatch.setattr(alone, "_MOST_WALL_S", 0.1)
    with pytest.raises(CannotParse, match=r"took more than 0\.1 s"):
        alone.outermost(["(" * 500], "python")


def test_a_parser_that_works_too_long_is_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = "a.functions.outermost = lambda *_: all(True for _ in iter(int, 1))"
    child = f"import scbench.scoring.alone as a; {busy}; a._MOST_CPU_S = 0.2; a.main()"
    monkeypatch.setattr(alone, "_CHILD", child)
    with pytest.raises(CannotParse, match="of its own time"):
        alone.outermost(["(" * 500], "python")


def test_an_answer_of_many_characters_is_no_zero_in_silence() -> None:
    for rule in ("strict", "official"):
        score = grade("repoqa", "a " * 100_000, WANTED, rule=rule)  # type: ignore[arg-type]
        assert score.is_gap
        assert "at most 65,536" in score.why


def test_the_child_reads_the_package_that_asks() -> None:
    """Its path is that of the one who asks, not what an environment names."""
    code = "import scbench.scoring.alone as a; print(a.outermost(['(' * 500], 'python'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[[]]", done.stderr
