"""Somebody who wants to hear of every record as it is made; what fails there costs no record."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from typing import TypeAlias

from scbench.types import Record

OnRecord: TypeAlias = Callable[[Record], object]
MOST_TOLD = 3


class Listener:
    """Calls `act` with each record, after that is on the disk; it writes to the streams of the
    moment in which this is made.

    An exception there is told, at most three times, and the run goes on: a tracker that is out of
    reach for a minute must not end an hour of work. Ctrl-C inside it stops the run as elsewhere.
    """

    def __init__(self, act: OnRecord | None, say: Callable[[str], None]) -> None:
        self._act = act
        self._say = say
        self.failed = 0
        # While a run plays, what is written goes to its log: what is made before hears the program.
        self._streams = sys.stdout, sys.stderr

    def hear(self, record: Record) -> None:
        if self._act is None:
            return
        try:
            with redirect_stdout(self._streams[0]), redirect_stderr(self._streams[1]):
                self._act(record)
        except Exception as err:
            self.failed += 1
            if self.failed <= MOST_TOLD:
                where = traceback.extract_tb(err.__traceback__)[-1]
                last = ", and is not told of again" if self.failed == MOST_TOLD else ""
                self._say(
                    f"on_record failed ({type(err).__name__}: {err}; {where.filename}, line "
                    f"{where.lineno}){last}; the record is kept and the run goes on"
                )
