"""What a model is shown and in which doses (phases), and how fast it learns at each step.

A data folder holds `phase-0/`, `phase-1/`, ... and the phases are consumed in that order. Without
doses, every row is shown once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from scbench.errors import BadConfig, BadRecord
from scbench.reading import read_json_file

DECAYS = ("cosine", "linear")


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A dose of one phase's rows: those with at most `longest_tokens` of context, about `tokens` of
    them, tasks in proportion to `weights`.

    `tokens=None` shows every row once (then weights cannot be met, and are refused). With `tokens`,
    each task gets its share of them (a task that `weights` leaves out gets none; no weights at all:
    the shares of the data); a task with too few rows shows them again, reshuffled.
    """

    tokens: int | None = None
    longest_tokens: int | None = None
    weights: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        if self.tokens is not None and self.tokens < 1:
            raise BadConfig(
                f"a phase of {self.tokens} tokens: give at least 1, or None for every row once"
            )
        if self.weights and self.tokens is None:
            raise BadConfig(
                "a phase with weights also needs tokens: how many to draw in those proportions"
            )
        if any(not (weight >= 0 and math.isfinite(weight)) for _, weight in self.weights):
            raise BadConfig(f"weights {dict(self.weights)}: each is a finite number of at least 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One `Phase` for each `phase-N` folder in order; folders beyond them show every row once."""

    phases: tuple[Phase, ...] = ()

    def phase(self, number: int) -> Phase:
        return self.phases[number] if number < len(self.phases) else Phase()


EVERY_ROW_ONCE = Schedule()


def read(path: Path) -> Schedule:
    """A schedule from JSON: `{"phases": [{"tokens": 2000000, "longest_tokens": 256, "weights":
    {"kv": 2, "vt": 1}}, ...]}`.
    """
    try:
        raw = read_json_file(path)
        return Schedule(phases=tuple(_phase(one) for one in raw["phases"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, BadRecord) as error:
        raise BadConfig(
            f"{path} is not a schedule ({error}); it holds "
            + '{"phases": [{"tokens": ..., ...}, ...]}'
        ) from error


def _phase(raw: Mapping[str, Any]) -> Phase:
    known = {field.name for field in fields(Phase)}
    if stray := sorted(raw.keys() - known):
        raise BadConfig(f"a phase has no {', '.join(stray)}; it takes {', '.join(sorted(known))}")
    return Phase(**{**raw, "weights": tuple(raw.get("weights", {}).items())})


def rate(step: int, *, steps: int, warmup_steps: int, floor_ratio: float, decay: str) -> float:
    """The factor on all learning rates at `step` (from 0): linear warm-up to 1, then cosine or
    linear down to `floor_ratio` at the last.
    """
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    passed = min((step - warmup_steps) / max(steps - 1 - warmup_steps, 1), 1.0)
    left = 0.5 * (1 + math.cos(math.pi * passed)) if decay == "cosine" else 1 - passed
    return floor_ratio + (1 - floor_ratio) * left
