"""Progress: silent when short, sparing when nobody watches, honest about what is left, and gone
after Ctrl-C.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import threading

import pytest
from rich.console import Console

from scbench.console import Spectator
from scbench.grid.progress import LINE_EVERY_S, Progress, spell_s


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Stage:
    """A Progress with a clock we turn and a console we read."""

    def __init__(self, total_units: float, *, terminal: bool = False, quiet: bool = False) -> None:
        self.clock, self.out = Clock(), io.StringIO()
        console = Console(
            file=self.out,
            force_terminal=terminal,
            width=120,
            color_system=None,
            force_interactive=terminal,
        )
        self.progress = Progress(
            total_units, console=console, clock=self.clock, ticks=False, quiet=quiet
        )

    def work(self, seconds: float, units: float) -> None:
        self.clock.now_s += seconds
        self.progress.advance(units)

    @property
    def lines(self) -> list[str]:
        return self.out.getvalue().splitlines()


@pytest.mark.parametrize("terminal", [False, True])
def test_a_short_job_shows_nothing(terminal: bool) -> None:
    stage = Stage(10, terminal=terminal)
    with stage.progress as progress:
        for _ in range(10):
            progress.step("x")
            stage.work(0.2, 1)
    assert stage.out.getvalue() == ""


def test_without_a_terminal_lines_are_at_least_ten_seconds_apart() -> None:
    stage = Stage(100)
    with stage.progress:
        for _ in range(100):
            before = len(stage.lines)
            stage.work(1.0, 1)
            assert len(stage.lines) - before <= 1
    assert 2 <= len(stage.lines) - 1 <= 100 / LINE_EVERY_S
    assert stage.lines[-1] == "run done in 1:40"
    assert not any("\x1b" in line for line in stage.lines)


def test_a_long_job_says_less_and_less() -> None:
    stage = Stage(8 * 3600)
    with stage.progress:
        for _ in range(8 * 360):
            stage.work(10.0, 10)
    assert len(stage.lines) < 8 * 60 + 60


def test_the_time_left_follows_the_units_and_not_the_count() -> None:
    stage = Stage(100)
    with stage.progress as progress:
        assert progress.left_s is None
        for _ in range(5):  # five of six steps, but a tenth of the work
            stage.work(2.0, 2)
        assert progress.left_s == pytest.approx(90.0)


def test_the_time_left_runs_down_between_advances() -> None:
    stage = Stage(100)
    with stage.progress as progress:
        stage.work(10.0, 10)
        stage.clock.now_s += 30
        assert progress.left_s == pytest.approx(60.0)
        stage.clock.now_s += 300
        assert progress.left_s == 0.0


def test_work_that_ends_in_one_instant_does_not_fool_the_estimate() -> None:
    stage = Stage(100)
    with stage.progress as progress:
        for _ in range(5):
            stage.clock.now_s += 10
            for _ in range(10):
                progress.advance(1)
        assert progress.left_s == pytest.approx(50.0, rel=0.15)


def test_a_run_that_slows_down_is_noticed() -> None:
    stage = Stage(1000)
    with stage.progress as progress:
        for _ in range(500):
            stage.work(1.0, 1)
        for _ in range(50):
            stage.work(10.0, 1)
        overall_s = 1000 / 550 * 450
        assert progress.left_s is not None
        assert progress.left_s > 2 * overall_s


def test_work_found_done_is_taken_out_of_the_total() -> None:
    stage = Stage(100)
    with stage.progress as progress:
        progress.grow(-50)
        stage.work(10.0, 10)
        assert (progress.percent, progress.left_s) == (20.0, pytest.approx(40.0))
        progress.grow(-1000)
        assert (progress.percent, progress.left_s) == (100.0, 0.0)


def test_more_work_than_planned_never_passes_100_percent() -> None:
    stage = Stage(10)
    with stage.progress as progress:
        stage.work(5.0, 25)
        assert (progress.percent, progress.left_s) == (100.0, 0.0)


def test_a_plan_of_nothing_is_done() -> None:
    assert Stage(0).progress.percent == 100.0


def interrupted(stage: Stage) -> None:
    with stage.progress:
        stage.work(5.0, 25)
        raise KeyboardInterrupt


def test_ctrl_c_says_how_far_it_came_and_passes_on() -> None:
    stage = Stage(100)
    with pytest.raises(KeyboardInterrupt):
        interrupted(stage)
    assert stage.lines == ["run stopped at 25 % after 0:05"]


def test_ctrl_c_gives_the_cursor_back() -> None:
    stage = Stage(100, terminal=True)
    with pytest.raises(KeyboardInterrupt):
        interrupted(stage)
    assert "\x1b[?25l" in stage.out.getvalue()
    assert stage.out.getvalue().rindex("\x1b[?25h") > stage.out.getvalue().rindex("\x1b[?25l")


def test_a_terminal_shows_share_time_left_and_step() -> None:
    stage = Stage(100, terminal=True)
    with stage.progress as progress:
        stage.work(10.0, 25)
        progress.step("kv 4K [snapkv] dense")
        assert (
            "run 25 %, 0:10 passed, about 0:30 left: kv 4K [snapkv] dense" in stage.out.getvalue()
        )


def test_quiet_says_nothing_at_all() -> None:
    stage = Stage(100, quiet=True)
    with stage.progress as progress:
        stage.work(50.0, 25)
        progress.say("a gap")
    assert stage.out.getvalue() == ""


def test_what_is_said_is_not_read_as_markup() -> None:
    stage = Stage(100)
    with stage.progress as progress:
        progress.say("quest[budget_tokens=64] [/] refused")
    assert stage.lines == ["quest[budget_tokens=64] [/] refused"]


def test_a_broken_pipe_ends_the_display_and_not_the_run() -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    clock = Clock()
    with Progress(10, console=Spectator(file=Broken()), clock=clock, ticks=False) as progress:
        progress.say("x")
        clock.now_s += 60
        progress.advance(5)
        assert progress.done_units == 5


def test_advances_from_many_threads_are_all_counted() -> None:
    stage = Stage(8000)
    stage.clock.now_s += 60
    with stage.progress as progress:
        threads = [
            threading.Thread(target=lambda: [progress.advance(1) for _ in range(1000)])
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert progress.done_units == 8000


@pytest.mark.slow
def test_a_job_without_advances_still_says_it_lives_and_its_thread_ends_with_it() -> None:
    code = """
import io, threading, time
from rich.console import Console
from scbench.grid import progress
progress.QUIET_S, progress.LINE_EVERY_S, progress._TICK_S = 0.05, 0.05, 0.02
out = io.StringIO()
with progress.Progress(10, console=Console(file=out)) as shown:
    shown.step("slow")
    time.sleep(0.5)
assert threading.active_count() == 1
print(out.getvalue())
"""
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert re.search(r"run 0 %, 0:0[01] passed: slow", got.stdout)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (7.4, "0:07"), (59.6, "1:00"), (63, "1:03"), (7509, "2:05:09")],
)
def test_times_are_spelled_like_a_clock(seconds: float, text: str) -> None:
    assert spell_s(seconds) == text
