"""A run that is looked at: its page, made anew when the run has grown, and not too often."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from scbench.errors import ScbenchError

Files: TypeAlias = Mapping[str, bytes]
REST_S = 10.0  # a page is at least so old before it is made anew
REST_TIMES = 5.0  # and so many times as old as it took to make: a run needs its cores


@dataclass(frozen=True, slots=True)
class Made:
    """A page as it was made, or `why` there is none."""

    token: str  # of the state it shows
    files: Files
    why: str = ""
    at_s: float = 0.0
    took_s: float = 0.0


class Watched:
    """One run. `state` is a short text that changes when the run grows; `make` makes the files of
    its page; `told` says what a list of runs shows of it."""

    def __init__(
        self,
        name: str,
        *,
        state: Callable[[], str],
        make: Callable[[], Files],
        told: Callable[[], Mapping[str, str]],
        rest_s: float = REST_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.id = hashlib.sha256(name.encode()).hexdigest()[:12]
        self.told = told
        self._state, self._make = state, make
        self._rest_s, self._clock = rest_s, clock
        self._making = threading.Lock()
        self._made: Made | None = None

    def token(self) -> str:
        """That of the page that `page` would give now: another one says that it is worth asking."""
        made = self._made
        state = self._state()
        return state if made is None or self._is_due(made, state) else made.token

    def page(self) -> Made:
        """The newest page; the one before, while somebody else is making a newer one."""
        made = self._made
        if made is not None and not self._is_due(made, self._state()):
            return made
        if not self._making.acquire(blocking=made is None):
            assert made is not None, "only who has a page to show need not wait for one"
            return made
        try:
            made = self._made  # somebody may have made it while this one waited
            state = self._state()
            if made is None or self._is_due(made, state):
                made = self._made = self._make_one(state)
            return made
        finally:
            self._making.release()

    def _is_due(self, made: Made, state: str) -> bool:
        if state == made.token:
            return False
        rest_s = max(self._rest_s, REST_TIMES * made.took_s) if self._rest_s else 0.0
        return self._clock() - made.at_s >= rest_s

    def _make_one(self, state: str) -> Made:
        began = self._clock()
        try:
            files, why = self._make(), ""
        except (ScbenchError, OSError) as err:  # a run that began this moment, a damaged line
            files, why = {}, f"{type(err).__name__}: {err}"
        now = self._clock()
        return Made(token=state, files=files, why=why, at_s=now, took_s=now - began)
