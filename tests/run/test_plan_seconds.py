"""How long a plan says a run takes, against runs that were timed."""

from __future__ import annotations

from typing import Any

import pytest

from scbench import api
from scbench.grid import preflight, rates, workload
from scbench.grid.plan import Plan
from scbench.play import gold

SMALL: dict[str, Any] = {
    "model": "toy",
    "tasks": "kv",
    "methods": "dense,snapkv",
    "sessions": 2,
    "turns": 2,
    "length": "512",
}
GRID_4K = {"tasks": "kv,mf", "methods": "dense,snapkv[tau=1/4],quest[tau=1/4]", "length": "4k"}
# Seconds of the whole command, beginning to page, on two cores at the rate beside them.
TIMED: list[tuple[dict[str, Any], float, float]] = [
    (SMALL, 1.2e11, 14.0),
    ({**SMALL, **GRID_4K, "sessions": 8, "turns": None}, 1.4e11, 46.0),
    ({**SMALL, "model": "smollm2-135m", "sessions": 1}, 1.2e11, 43.0),
    (
        {
            **SMALL,
            "model": "smollm2-135m",
            "methods": "dense,snapkv[tau=1/4]",
            "turns": 3,
            "length": "2k",
        },
        1.27e11,
        127.0,
    ),
]


def plan_at(monkeypatch: pytest.MonkeyPatch, flops_per_s: float, **words: Any) -> Plan:
    """A plan on a machine of a known rate."""
    rate = rates.Rate(flops_per_s, 1e10, None, "as recorded")
    monkeypatch.setattr(preflight, "measured", lambda device: rate)
    return api.plan(**{name: value for name, value in words.items() if value is not None})


@pytest.mark.parametrize(("words", "flops_per_s", "took_s"), TIMED)
def test_a_timed_run_lies_within_twice_of_its_plan(
    monkeypatch: pytest.MonkeyPatch, words: dict[str, Any], flops_per_s: float, took_s: float
) -> None:
    made = plan_at(monkeypatch, flops_per_s, **words)
    assert took_s / 2 <= made.seconds_low <= took_s
    assert took_s <= made.seconds_high <= 2 * took_s


def test_beginning_and_drawing_the_page_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    once = plan_at(monkeypatch, 1e11, **SMALL)
    more = plan_at(monkeypatch, 1e11, **{**SMALL, "sessions": 8})
    assert once.fixed_s == more.fixed_s
    assert once.fixed_s[0] < once.seconds_low < more.seconds_low


def test_gold_answers_are_planned_where_agreement_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fed = plan_at(monkeypatch, 1e11, **SMALL)
    bare = plan_at(monkeypatch, 1e11, **SMALL, agreement=False)
    assert sum(row.gold_tokens for row in fed.rows) > 0
    assert sum(row.gold_tokens for row in bare.rows) == 0
    assert fed.seconds_high > bare.seconds_high


def test_methods_that_observe_otherwise_are_read_for_apart_in_the_cost_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (alike,) = plan_at(monkeypatch, 1e11, **{**SMALL, "methods": "knorm,keydiff"}).rows
    (apart,) = plan_at(monkeypatch, 1e11, **{**SMALL, "methods": "knorm,snapkv"}).rows
    assert (alike.cost_reads, apart.cost_reads) == (1, 2)


def test_a_plan_counts_as_many_gold_tokens_as_a_run_feeds() -> None:
    assert workload.GOLD_TOKENS == gold.GOLD_TOKENS
