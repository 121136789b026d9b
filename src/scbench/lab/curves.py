"""How well training goes: sums over a window of steps, one JSON line per window, and a line for
whoever watches.

Accuracy is under teacher forcing. Where every row is shown once, the tokens of a window had not
been trained on, so its accuracy is already that of held-out data (of the same lengths and tasks).
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.status import Status
from torch import Tensor

from scbench.console import Spectator
from scbench.errors import CannotWrite
from scbench.lab.batches import Batch

SUMS = ("loss", "tokens", "right", "answers", "exact")  # columns of a window
LINE_EVERY_S = 30.0


def new_window(tasks: int, device: torch.device) -> Tensor:
    """Sums per task, float64 [tasks, len(SUMS)]."""
    return torch.zeros(tasks, len(SUMS), dtype=torch.float64, device=device)


@torch.no_grad()
def add(window: Tensor, batch: Batch, logits: Tensor, losses: Tensor) -> None:
    """Add a batch, whose flagged tokens got these logits [flagged, vocab] and losses [flagged]; an
    answer is exact if every token is right.
    """
    right = logits.argmax(-1) == batch.wanted
    ones, answers = torch.ones_like(losses), batch.task.shape[0]
    wrong = torch.zeros(answers, device=window.device).index_add_(0, batch.answer, (~right).float())
    task = batch.task[batch.answer]
    for column, values, place in (
        (0, losses, task),
        (1, ones, task),
        (2, right, task),
        (3, torch.ones_like(wrong), batch.task),
        (4, wrong == 0, batch.task),
    ):
        window[:, column].index_add_(0, place, values.double())


def summary(window: Tensor, names: Sequence[str]) -> dict[str, Any]:
    """`loss` over all tokens, `exact` over all answers, and `tasks`: name -> loss, token
    (accuracy), exact, answers; absent tasks left out.
    """
    sums = window.cpu()
    tasks = {
        name: {
            "loss": round(row[0] / row[1], 4),
            "token": round(row[2] / row[1], 4),
            "exact": round(row[4] / row[3], 4),
            "answers": int(row[3]),
        }
        for name, row in zip(names, sums.tolist(), strict=True)
        if row[3]
    }
    total = sums.sum(0).tolist()
    return {
        "loss": round(total[0] / max(total[1], 1), 5),
        "token": round(total[2] / max(total[1], 1), 4),
        "exact": round(total[4] / max(total[3], 1), 4),
        "tasks": tasks,
    }


class Curves:
    """`curves.jsonl`: a line per window. Opening it with the lines of a checkpoint drops those
    written after that checkpoint.
    """

    def __init__(self, path: Path, lines: Sequence[str] = ()) -> None:
        self.path, self.lines = path, list(lines)
        self._write("w", "".join(line + "\n" for line in self.lines))

    def add(self, point: dict[str, Any]) -> None:
        self.lines.append(json.dumps(point, separators=(",", ":")))
        self._write("a", self.lines[-1] + "\n")

    def _write(self, how: str, text: str) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open(how, encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise CannotWrite(f"{self.path} cannot be written ({error})") from error


class Watch:
    """One living line on a terminal; elsewhere a plain line every half minute. A closed stderr ends
    the showing, not the training.
    """

    def __init__(self, *, quiet: bool = False, console: Console | None = None) -> None:
        self._console = console or Spectator(stderr=True, soft_wrap=True)
        self._status: Status | None = None
        self._quiet, self._last_s = quiet, time.monotonic()

    def show(self, text: str, *, now: bool = False) -> None:
        """Show the state; without a terminal only if half a minute has passed, or `now`."""
        if self._quiet:
            return
        try:
            self._show(text, now)
        except (OSError, ValueError):
            self._quiet = True

    def _show(self, text: str, now: bool) -> None:
        if self._console.is_terminal and not now:
            if self._status is None:
                self._status = self._console.status(text)
                self._status.start()
            self._status.update(text)
        elif now or time.monotonic() - self._last_s >= LINE_EVERY_S:
            self._last_s = time.monotonic()
            self._console.print(text, highlight=False, markup=False)

    def close(self) -> None:
        if self._status is not None:
            self._status.stop()


def spell_s(seconds: float) -> str:
    """`1:02:03` or `2:03`."""
    whole = int(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def worst(point: dict[str, Any], count: int = 3) -> str:
    """The tasks with the lowest exact accuracy of a window: `vt 3 %, kv 12 %`."""
    ranked = sorted(point["tasks"].items(), key=lambda item: item[1]["exact"])
    return ", ".join(f"{name} {100 * found['exact']:.0f} %" for name, found in ranked[:count])
