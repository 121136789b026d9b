"""How far a run is and when it will end: a bar on a terminal, an occasional line elsewhere, nothing
for what ends at once.

Work is measured in units that the planner estimates (any unit, so long as twice the units take
about twice the time), because a 128K session weighs more than a hundred short ones.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bar
from rich.text import Text

from scbench.console import Spectator
from scbench.grid.forecast import Forecast

QUIET_S = 3.0  # a job that ends sooner shows nothing
LINE_EVERY_S = 30.0  # without a terminal: one line in this time, and fewer as the hours go by
_TICK_S = 0.5
_RECENT = 32  # advances that the recent speed looks back on; several may end in one instant


class Progress:
    """`with Progress(total_units) as progress:`, then `progress.step("kv 4K")` before,
    `progress.advance(units)` after each piece of work.

    Every method may be called from any thread. Leaving the block, by Ctrl-C too, stops the display
    and says what was done. Writes to stderr, so that stdout stays the program's own.
    """

    def __init__(
        self,
        total_units: float,
        *,
        what: str = "run",
        console: Console | None = None,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
        ticks: bool = True,
        forecast: Forecast | None = None,
    ) -> None:
        self.what, self.total_units, self.done_units = what, float(total_units), 0.0
        self.is_stopped = False  # by the user: what is kept is told by who asked
        # The stream of this moment: while a run plays, stderr is listened to (`run.voices`).
        self._console = console or Spectator(file=sys.stderr)
        self._quiet, self._clock, self._ticks = quiet, clock, ticks
        self._lock = threading.RLock()
        self._started_s = self._last_s = self._line_s = clock()
        self._recent: deque[tuple[float, float]] = deque(
            [(self._started_s, 0.0)], maxlen=_RECENT
        )  # (when, units done by then)
        self._doing = ""
        self.forecast = forecast
        self.answers = 0  # made so far, of `planned_answers`; shown where there is a plan of them
        self.planned_answers = 0
        self._shown_percent = 0.0
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def step(self, doing: str) -> None:
        """Say what is being worked on; shown beside the bar."""
        with self._lock:
            self._doing = doing
            self.tick()

    def advance(self, units: float) -> None:
        """Note that this much work is done."""
        with self._lock:
            self.done_units, self._last_s = self.done_units + units, self._clock()
            self.total_units = max(self.total_units, self.done_units)
            self._recent.append((self._last_s, self.done_units))
            self.tick()

    def grow(self, units: float) -> None:
        """Note that there is more work than planned, or (negative) less: work found done already is
        taken out, never counted as fast.
        """
        with self._lock:
            self.total_units = max(self.total_units + units, self.done_units)
            self.tick()

    def say(self, text: str) -> None:
        """Print a line of its own above the bar, such as the name of a gap; shown even by a job
        that is too short for a bar.
        """
        with self._lock:
            if not self._quiet:
                self._show(lambda: self._print(text))

    @property
    def left_s(self) -> float | None:
        """Estimated seconds to the end; None before anything is known of it.

        By the forecast, or else by the mean of overall and recent speed over the units left.
        """
        with self._lock:
            if self.forecast is not None:
                return self.forecast.left_s(self._clock())
            if self.done_units <= 0:
                return None
            overall = (self._last_s - self._started_s) / self.done_units
            then_s, then_units = self._recent[0]
            recent = (
                (self._last_s - then_s) / (self.done_units - then_units)
                if self.done_units > then_units
                else overall
            )
            waited_s = self._clock() - self._last_s  # part of the work under way is done by now
            return max(
                (overall + recent) / 2 * (self.total_units - self.done_units) - waited_s, 0.0
            )

    def tick(self) -> None:
        """Bring the display up to date; a thread calls this twice a second."""
        with self._lock:
            now = self._clock()
            passed_s = now - self._started_s
            if self._quiet or self._over.is_set() or passed_s < QUIET_S:
                return
            if self._console.is_terminal:
                self._show(self._draw)
            elif now - self._line_s >= max(LINE_EVERY_S, min(passed_s / 20, 60.0)):
                self._line_s = now
                self._show(lambda: self._print(self.line()))

    def line(self) -> str:
        """The state in one line: `run 42 %, 1:03 passed, about 1:27 left: kv 4K snapkv`."""
        with self._lock:
            left_s = self.left_s
            left = "" if left_s is None else f", about {spell_s(left_s)} left"
            doing = f": {self._doing}" if self._doing else ""
            passed = spell_s(self._clock() - self._started_s)
            return f"{self.what} {self.percent:.0f} %{self._rate()}, {passed} passed{left}{doing}"

    def _rate(self) -> str:
        """Answers so far, of how many, and in a second."""
        if not self.planned_answers:
            return ""
        passed_s = max(1e-9, self._clock() - self._started_s)
        rate = self.answers / passed_s
        return f", {self.answers:,} of {self.planned_answers:,} answers, {rate:.1f} a second"

    @property
    def percent(self) -> float:
        """Of the units; with a forecast of the time, which never runs backwards."""
        if self.forecast is None:
            whole = self.total_units
            return 100.0 if whole <= 0 else min(100.0 * self.done_units / whole, 100.0)
        left_s = self.forecast.left_s(self._clock())
        if left_s is not None:
            passed_s = self._clock() - self._started_s
            share = 100.0 * passed_s / max(1e-9, passed_s + left_s)
            self._shown_percent = min(100.0, max(self._shown_percent, share))
        return self._shown_percent

    def begin(self, model: str, what: str, doing: str = "") -> None:
        """A piece of the forecast begins."""
        with self._lock:
            if self.forecast is not None:
                self.forecast.begin(model, what, self._clock())
            self.step(doing or f"{model}: {what}")

    def end(self, *, worked: bool = True) -> None:
        """The piece of the forecast is done."""
        with self._lock:
            if self.forecast is not None:
                self.forecast.end(self._clock(), worked=worked)
            self.tick()

    def _draw(self) -> None:
        if self._bar is None:
            columns = TextColumn("{task.fields[line]}", markup=False), BarColumn()
            # rich would put streams of its own in the place of stdout and stderr, too, and put
            # back at the end those that it found when it began: perhaps a method's
            self._bar = Bar(
                *columns,
                console=self._console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._task = self._bar.add_task("", total=100.0, line="")
            self._bar.start()
        assert self._task is not None
        self._bar.update(self._task, completed=self.percent, line=self.line(), refresh=True)

    def _show(self, draw: Callable[[], None]) -> None:
        try:
            draw()
        except (
            OSError,
            ValueError,
        ):  # stderr is closed or its pipe is broken: a run does not end for want of a spectator
            self._quiet = True

    def _print(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)

    def __enter__(self) -> Progress:
        if self._ticks and not self._quiet:
            self._thread = threading.Thread(target=self._beat, name="progress", daemon=True)
            self._thread.start()
        return self

    def _beat(self) -> None:
        while not self._over.wait(_TICK_S):
            self.tick()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            if self._bar is not None:
                self._show(self._bar.stop)
            passed_s = self._clock() - self._started_s
            if self._quiet or passed_s < QUIET_S:
                return
            end = (
                f"done in {spell_s(passed_s)}"
                if kind is None and not self.is_stopped
                else f"stopped at {self.percent:.0f} % after {spell_s(passed_s)}"
            )
            self._show(lambda: self._print(f"{self.what} {end}"))


def spell_s(seconds: float) -> str:
    """`0:07`, `1:03`, `2:05:09`."""
    minutes, rest_s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest_s:02}" if hours else f"{minutes}:{rest_s:02}"
