"""Means over lines, and the numbers the released runner would print."""

from __future__ import annotations

from typing import Any

import pytest

from scbench.scoring import means, official_table

Scored = dict[str, Any]


def item(
    task: str,
    value: float | None,
    turn: int = 0,
    subtask: str | None = None,
    mode: str = "multi-turn",
    why: str = "failed",
) -> Scored:
    row: Scored = {
        "task": f"scbench_{task}",
        "subtask": subtask,
        "mode": mode,
        "turn_idx": turn,
        "scores": {"strict": value, "official": value},
    }
    return row if value is not None else {**row, "why": {"strict": why, "official": why}}


def mix(*values: tuple[str, float, int]) -> list[Scored]:
    return [item("summary_with_needles", value, turn, subtask) for subtask, value, turn in values]


SESSION = mix(("summary", 0.4, 0), ("passkey", 1, 1), ("summary", 0.3, 2), ("passkey", 0, 3))


def table(lines: list[Scored], rule: str = "strict") -> dict[str | None, tuple[float | None, int]]:
    return {row.subtask: (row.mean, row.n) for row in means(lines) if row.rule == rule}


def test_mix_is_the_mean_of_its_sub_task_means() -> None:
    assert table(SESSION) == {
        "summary": (pytest.approx(0.35), 2),
        "passkey": (0.5, 2),
        None: (pytest.approx(0.425), 4),
    }


def test_released_pairs_are_zero_where_a_sub_task_has_no_item() -> None:
    (row,) = official_table(SESSION)
    assert row.turns == (0, 1, 2, 3)
    assert row.values == ((0.4, 0.0), (0.0, 1.0), (0.3, 0.0), (0.0, 0.0))
    assert row.text == "40.000,0.000,0.000,100.000,30.000,0.000,0.000,0.000"


def test_mix_without_one_sub_task_is_a_gap() -> None:
    lines = SESSION[:1] + SESSION[2:3]
    assert table(lines) == {
        "summary": (pytest.approx(0.35), 2),
        "passkey": (None, 0),
        None: (None, 2),
    }
    assert {row.subtask: dict(row.gaps) for row in means(lines) if row.rule == "strict"}[
        "passkey"
    ] == {"no items": 1}
    assert official_table(lines)[0].values == ((0.4, 0.0), (0.3, 0.0))


def test_every_item_weighs_the_same_when_sessions_have_different_turns() -> None:
    keys = [("passkey", value, turn) for turn, value in enumerate([1, 1, 1, 1, 0, 0])]
    mean, n = table(mix(*keys))["passkey"]
    assert (round(mean or 0, 3), n) == (0.667, 6)


def test_failed_turn_is_left_out_of_the_mean_and_zero_in_the_second_figure() -> None:
    lines = [item("kv", 1.0), item("kv", None), item("kv", None, why="the options are missing")]
    row = means(lines)[0]
    assert (row.mean, row.n, dict(row.gaps), row.mean_failed_as_zero) == (
        1.0,
        1,
        {"failed": 1, "the options are missing": 1},
        0.5,
    )


def test_tasks_and_modes_are_apart_and_strict_comes_first() -> None:
    lines = [item("kv", 1.0), item("vt", 0.5), item("kv", 0.0, mode="multi-request")]
    assert [(row.task, row.mode, row.rule, row.mean) for row in means(lines)] == [
        ("kv", "multi-turn", "strict", 1.0),
        ("kv", "multi-turn", "official", 1.0),
        ("vt", "multi-turn", "strict", 0.5),
        ("vt", "multi-turn", "official", 0.5),
        ("kv", "multi-request", "strict", 0.0),
        ("kv", "multi-request", "official", 0.0),
    ]


def test_released_table_goes_by_turn_in_order_of_appearance_and_pools_requests() -> None:
    lines = [item("kv", 1.0, 1), item("kv", 0.0, 0), item("kv", 0.0, 1), item("kv", None, 2)]
    lines += [item("kv", 1.0, turn, mode="multi-request") for turn in range(3)]
    turns, requests = official_table(lines)
    assert (turns.turns, turns.values, turns.text) == ((1, 0), ((0.5,), (0.0,)), "50.000,0.000")
    assert (requests.turns, requests.values, requests.text) == ((None,), ((1.0,),), "100.000")


def test_released_runner_stops_where_its_scorer_raises() -> None:
    (row,) = official_table(
        [item("mf", None, why="the published scorer stops here: TypeError"), item("mf", 1.0)]
    )
    assert (row.values, row.text) == (((None,),), "stopped")


def test_no_lines_have_no_means() -> None:
    assert means([]) == []
    assert official_table([]) == []
