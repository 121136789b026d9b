"""What a method prints while it plays is kept under its name, and tears no live line."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from strangers import write

import scbench
from scbench.grid.progress import QUIET_S, Progress
from scbench.play.voices import LOG, NOBODY, Voices

GRID = {"model": "toy", "tasks": "kv", "length": "512", "sessions": 1, "turns": 1}


def said(folder: Path) -> list[str]:
    return (folder / LOG).read_text().splitlines()


@pytest.mark.parametrize("quiet", [False, True])
def test_what_a_method_prints_is_kept_with_its_name_and_shown_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], quiet: bool
) -> None:
    methods = f"dense,loud={write(tmp_path, 'speaks')}"
    result = scbench.run(**GRID, methods=methods, out=tmp_path / "run", quiet=quiet)
    assert result.outcome is not None
    assert result.outcome.turns_failed == 0
    lines = said(tmp_path / "run")
    assert {line.partition(": ")[0] for line in lines} == {"loud[tau=1/4]"}
    assert lines[:2] == ["loud[tau=1/4]: a word", "loud[tau=1/4]: an open end bytes"]
    shown = capsys.readouterr()
    assert shown.out == ""
    told = [line for line in shown.err.splitlines() if "wrote" in line]
    line = f"loud[tau=1/4] wrote: a word (all that it writes is in {tmp_path / 'run' / LOG})"
    assert told == ([] if quiet else [line])


def test_a_silent_run_has_no_log(tmp_path: Path) -> None:
    scbench.run(**GRID, methods="dense", out=tmp_path / "run", quiet=True)
    assert not (tmp_path / "run" / LOG).exists()


def test_the_first_line_of_each_name_stands_above_the_bar(tmp_path: Path) -> None:
    now_s, screen = [0.0], io.StringIO()
    console = Console(file=screen, force_terminal=True, width=200, color_system=None)
    progress = Progress(2, console=console, clock=lambda: now_s[0], ticks=False)
    with progress, Voices(tmp_path, progress.say) as voices:
        now_s[0] = QUIET_S + 1
        progress.advance(1)  # the bar is drawn
        with voices.of("mine"):
            print("one")
            print("two")
            progress.tick()
    assert "mine wrote: one (all" in screen.getvalue()
    assert "two" not in screen.getvalue()
    assert said(tmp_path) == ["mine: one", "mine: two"]


def test_a_log_handler_that_was_made_meanwhile_writes_to_the_terminal_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sys.stdout, sys.stderr
    shown: list[str] = []
    with Voices(tmp_path, shown.append) as voices:
        print("a library", end="")
        with voices.of("mine"):
            handler = logging.StreamHandler()
            logging.getLogger("mine").addHandler(handler)
            logging.getLogger("mine").warning("a record")
    assert (sys.stdout, sys.stderr) == before
    assert said(tmp_path) == ["mine: a record", f"{NOBODY}: a library"]
    assert [line.partition(" wrote")[0] for line in shown] == ["mine", NOBODY]
    logging.getLogger("mine").warning("later")
    logging.getLogger("mine").removeHandler(handler)
    assert capsys.readouterr().err == "later\n"


def test_warnings_of_python_are_heard(tmp_path: Path) -> None:
    code = (
        "import sys, warnings; from pathlib import Path; from scbench.play.voices import Voices\n"
        "with Voices(Path(sys.argv[1]), lambda line: None) as voices, voices.of('mine'):\n"
        "    warnings.warn('odd', RuntimeWarning)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert said(tmp_path)[0].startswith("mine: ")
    assert said(tmp_path)[0].endswith("RuntimeWarning: odd")


def test_a_debugger_has_the_terminal_to_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Voices(tmp_path, print, is_on=False) as voices, voices.of("mine"):
        print("(Pdb)")
    assert capsys.readouterr().out == "(Pdb)\n"
    assert not (tmp_path / LOG).exists()
