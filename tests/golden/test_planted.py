"""The golden run sees a planted one-line change, and is not moved by a comment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from golden.planted import HARMLESS, PLANTED, Planted

TESTS = Path(__file__).parents[1]
PACKAGE = TESTS.parent / "src" / "scbench"
MOVED = "numbers of the golden run moved"


def changed(planted: Planted, folder: Path) -> Path:
    """A copy of the package with that one line changed."""
    shutil.copytree(PACKAGE, folder / "scbench")
    file = folder / "scbench" / planted.file
    text = file.read_text(encoding="utf-8")
    found = text.count(planted.old)
    assert found == 1, (
        f"{planted.old!r} stands {found} times in {planted.file}, and must once; "
        f"write the change {planted.name!r} of tests/golden/planted.py for the code as it is"
    )
    file.write_text(text.replace(planted.old, planted.new), encoding="utf-8")
    return folder


def looked_at(planted: Planted, folder: Path) -> tuple[int, str]:
    """Exit status and words of the golden run over the changed copy."""
    place = os.pathsep.join([str(changed(planted, folder)), str(TESTS)])
    done = subprocess.run(
        [sys.executable, "-m", "golden", *planted.words()],
        env={**os.environ, "PYTHONPATH": place},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_a_planted_line_turns_the_golden_run_red(planted: Planted, tmp_path: Path) -> None:
    status, words = looked_at(planted, tmp_path)
    assert status == 1, words
    assert MOVED in words, words
    assert f"{planted.part}: {planted.sees}" in words, words
    moved = words.partition(MOVED)[2]
    for method in planted.methods[:1]:  # or all of them, where the run does not even begin
        assert method.partition("[")[0] in moved or "methods: all" in moved, words


@pytest.mark.slow
def test_a_comment_leaves_it_green(tmp_path: Path) -> None:
    status, words = looked_at(HARMLESS, tmp_path)
    assert status == 0, words
    assert "0 moved" in words


def test_a_planted_line_that_is_no_longer_there_is_asked_for_by_name(tmp_path: Path) -> None:
    gone = Planted(
        name="gone", file="errors.py", old="no such line", new="", part="scores", sees=""
    )
    with pytest.raises(AssertionError, match=r"stands 0 times in errors\.py.*'gone'"):
        changed(gone, tmp_path)


def test_every_planted_line_stands_in_the_code_once() -> None:
    counts = {
        planted.name: (PACKAGE / planted.file).read_text(encoding="utf-8").count(planted.old)
        for planted in (*PLANTED, HARMLESS)
    }
    assert {name: count for name, count in counts.items() if count != 1} == {}
    assert len(PLANTED) >= 12
