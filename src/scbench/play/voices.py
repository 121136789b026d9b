"""What methods, and libraries, write to the terminal while a run plays: kept by name in its log.

A live line on the terminal is torn by anything else that is written there. So stdout and stderr
are listened to while a run plays: every line goes to `said.log` in the run's folder, behind the
name of the method that played, and the first of each is shown beside the live line.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from types import TracebackType

from scbench.files import cannot_write

LOG = "said.log"
NOBODY = "during the run"  # what libraries write, or code of ours


class Voices:
    """`with Voices(folder, show) as voices:`, then `with voices.of("mine.py:Mine"):` around what a
    method does. `show` gets the first line of each name. Not `is_on`: nothing is listened to."""

    def __init__(self, folder: Path, show: Callable[[str], None], *, is_on: bool = True) -> None:
        self.path = folder / LOG
        self.is_on = is_on
        self._show = show
        self._ears: dict[str, _Ear] = {}
        self._whole = ExitStack()

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """What is written meanwhile was written by `name`."""
        if not self.is_on:
            yield
            return
        ear = self._ears.setdefault(name, _Ear(lambda line: self._hear(name, line)))
        with redirect_stdout(ear), redirect_stderr(ear):
            try:
                yield
            finally:
                ear.end_line()

    def _hear(self, name: str, line: str) -> None:
        try:
            with self.path.open("a", encoding="utf-8", errors="backslashreplace") as log:
                log.write(f"{name}: {line}\n")
        except OSError as error:
            raise cannot_write(error, self.path) from error
        ear = self._ears[name]
        if not ear.is_known:
            ear.is_known = True
            self._show(f"{name} wrote: {line} (all that it writes is in {self.path})")

    def __enter__(self) -> Voices:
        self._whole.enter_context(self.of(NOBODY))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._whole.close()
        for ear in self._ears.values():  # a log handler that was made meanwhile may hold one
            ear.hear = _to_terminal


def _to_terminal(line: str) -> None:
    print(line, file=sys.stderr)


class _Ear(io.TextIOBase):
    """A text stream that hands on whole lines."""

    encoding = "utf-8"

    def __init__(self, hear: Callable[[str], None]) -> None:
        super().__init__()
        self.hear = hear
        self.is_known = False  # whether its first line was shown
        self.buffer = _Bytes(self)
        self._rest = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        # A bar draws itself anew after a carriage return; each state of it is a line here.
        *lines, self._rest = re.split(r"[\r\n]+", self._rest + text)
        for line in filter(None, lines):
            self.hear(line)
        return len(text)

    def end_line(self) -> None:
        """What was written without a line's end is a line, too."""
        line, self._rest = self._rest, ""
        if line:
            self.hear(line)


class _Bytes(io.RawIOBase):
    """`sys.stdout.buffer` of an ear."""

    def __init__(self, ear: _Ear) -> None:
        super().__init__()
        self._ear = ear

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        return self._ear.write(bytes(data).decode(errors="backslashreplace")) and len(data)
