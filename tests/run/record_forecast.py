"""Record what a real run tells its forecast, for test_forecast to play again.

    PYTHONPATH=src:tests python tests/run/record_forecast.py FILE --model lab-transformer ...

Words after FILE are `scbench run`'s, as name=value.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scbench import api
from scbench.grid import runner
from scbench.grid.forecast import Forecast, Work


class Recording(Forecast):
    """A forecast that writes down what it is told, with seconds since the run began."""

    def __init__(self, works: Sequence[Work] = ()) -> None:
        super().__init__(works)
        self.start_s = time.monotonic()
        self.told: list[list[Any]] = []
        LAST.append(self)
        self.works = [asdict(work) for work in works]

    def plan(self, model: str, works: Sequence[Work]) -> None:
        self.told.append(["plan", self._now_s(), model, [asdict(work) for work in works]])
        super().plan(model, works)

    def begin(self, model: str, what: str, now_s: float) -> None:
        self.told.append(["begin", self._now_s(), model, what])
        super().begin(model, what, now_s)

    def end(self, now_s: float, *, worked: bool = True) -> None:
        self.told.append(["end", self._now_s(), worked])
        super().end(now_s, worked=worked)

    def _now_s(self) -> float:
        return round(time.monotonic() - self.start_s, 3)


LAST: list[Recording] = []


def main() -> None:
    to, *words = sys.argv[1:]
    runner.Forecast = Recording  # type: ignore[misc]
    named = dict(word.split("=", 1) for word in words)
    api.run(**{name: int(one) if one.isdigit() else one for name, one in named.items()})
    one = LAST[-1]
    whole = {"words": words, "works": one.works, "told": one.told}
    Path(to).write_text(json.dumps(whole) + "\n")


if __name__ == "__main__":
    main()
