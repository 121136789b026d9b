"""The time left is right within a quarter after the first tenth, on real runs played again.

Recorded by tests/run/record_forecast.py on two CPU cores: a language model with long cost passes,
many short sessions of one small model, and three models one after the other.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from scbench.grid.forecast import Forecast, Work

DATA = Path(__file__).parent / "data"
RUNS = ("forecast-smollm2.json", "forecast-lab.json", "forecast-three-models.json")
FIRST = 0.12  # of the run, after which it counts: once the piece that ends the first tenth is done
NEARLY = 0.03  # of the run: to be wrong by so little is to be right, near the end
ALLOWED = 0.25
STEPS = 100


def replayed(name: str) -> tuple[list[tuple[float, float]], float]:
    """(seconds passed, seconds left as told) at every event and every hundredth of the run, and the
    seconds of the whole."""
    run: dict[str, Any] = json.loads((DATA / name).read_text())
    forecast = Forecast([Work(**work) for work in run["works"]])
    told: list[tuple[float, float]] = []
    before_s = 0.0
    step_s = run["told"][-1][1] / STEPS
    for kind, now_s, *rest in run["told"]:
        for at in range(math.ceil(before_s / step_s), math.floor(now_s / step_s) + 1):
            if (left_s := forecast.left_s(at * step_s)) is not None:
                told.append((at * step_s, left_s))
        before_s = now_s
        if kind == "plan":
            forecast.plan(rest[0], [Work(**work) for work in rest[1]])
        elif kind == "begin":
            forecast.begin(rest[0], rest[1], now_s)
        else:
            forecast.end(now_s, worked=rest[0])
        left_s = forecast.left_s(now_s)
        if left_s is not None:
            told.append((now_s, left_s))
    return told, run["told"][-1][1]


def errors(name: str) -> list[tuple[float, float]]:
    """(share of the run, error of the time left as a share of it) where it counts."""
    told, whole_s = replayed(name)
    return [
        (now_s / whole_s, left_s / (whole_s - now_s) - 1.0)
        for now_s, left_s in told
        if FIRST <= now_s / whole_s < 1.0
    ]


@pytest.mark.parametrize("name", RUNS)
def test_the_time_left_is_right_within_a_quarter_after_the_first_tenth(name: str) -> None:
    found = errors(name)
    assert len(found) > 10
    wrong = [
        (round(share, 2), round(error, 2))
        for share, error in found
        if abs(error) > ALLOWED and abs(error) * (1 - share) > NEARLY
    ]
    assert wrong == []
