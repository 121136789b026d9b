"""Who keeps a bound on loss and bytes: surely, surely not, or nobody can tell."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from factory import record, run
from test_verdicts import answered

from scbench.stats import Summary, summarise
from scbench.stats.choice import Bounds, Choice, Chosen, choose, more_sessions
from scbench.types import Mode

HELD = {"dense": 1_000, "near": 250, "lossy": 250, "fat": 600, "unsure": 250}
CHANCES: dict[str, Callable[[int], float]] = {
    "dense": lambda turn: 0.95,
    "near": lambda turn: 0.95,
    "fat": lambda turn: 0.95,
    "lossy": lambda turn: 0.3,
    "unsure": lambda turn: 0.9,
}


def world(sessions: int, **chances: Callable[[int], float]) -> Summary:
    made = run(
        tasks=("kv", "vt", "repoqa", "mf"),
        methods=chances or CHANCES,
        sessions=sessions,
        modes=[Mode.MULTI_TURN],
        held_bytes=HELD,
    )
    return summarise(answered(made), resamples=0)


def by_method(summary: Summary, **bounds: float) -> dict[str, Chosen]:
    return {row.method: row for row in choose(summary, Bounds(**{"max_loss": 0.05, **bounds}))}


def test_the_sure_the_surely_not_and_the_unknown_are_told_apart() -> None:
    rows = by_method(world(24))
    assert rows["near"].choice is Choice.KEEPS
    assert rows["lossy"].choice is Choice.BREAKS
    assert rows["unsure"].choice is Choice.UNKNOWN
    assert rows["unsure"].more_sessions > 0
    assert (rows["near"].more_sessions, rows["lossy"].more_sessions) == (0, 0)


def test_a_looser_bound_lets_more_methods_in_and_never_fewer() -> None:
    summary = world(24)
    kept = [
        {name for name, row in by_method(summary, max_loss=loss).items() if row.choice == "keeps"}
        for loss in (0.01, 0.05, 0.2, 0.9)
    ]
    assert all(tight <= loose for tight, loose in pairwise(kept))
    assert "lossy" in kept[-1]


def test_who_holds_more_than_allowed_is_out_whatever_it_loses() -> None:
    rows = by_method(world(24), max_held=0.25)
    assert rows["fat"].choice is Choice.TOO_LARGE
    assert rows["fat"].why == "holds 60.0 % of dense"
    assert rows["near"].choice is Choice.KEEPS
    assert by_method(world(24), max_held=0.6)["fat"].choice is Choice.KEEPS


def test_a_bound_on_what_nobody_measured_decides_nothing() -> None:
    rows = by_method(world(24), max_loaded=0.5)
    assert {row.choice for row in rows.values()} == {Choice.UNMEASURED}
    assert rows["near"].why == "nobody measured what it loads"


def test_where_dense_is_near_chance_nothing_is_kept_or_lost() -> None:
    summary = world(24, dense=lambda turn: 0.02, x=lambda turn: 0.02)
    (row,) = choose(summary, Bounds(max_loss=0.05))
    assert row.choice is Choice.UNMEASURED
    assert "too near to chance" in row.why


def test_more_sessions_are_those_that_tell_the_first_of_the_unknown() -> None:
    rows = choose(world(4), Bounds(max_loss=0.03))
    unknown = [row.more_sessions for row in rows if row.choice is Choice.UNKNOWN]
    assert unknown
    assert more_sessions(rows) == min(unknown)


def test_the_worse_mode_decides() -> None:
    modes = {Mode.MULTI_TURN: 0.95, Mode.MULTI_REQUEST: 0.3}
    records = [
        record
        for mode, chance in modes.items()
        for record in run(
            tasks=("kv", "vt", "repoqa", "mf"),
            methods={"dense": lambda turn: 0.95, "x": lambda turn, chance=chance: chance},
            sessions=24,
            modes=[mode],
        )
    ]
    summary = summarise(answered(records), resamples=0)
    (row,) = choose(summary, Bounds(max_loss=0.05))
    assert (row.choice, row.mode) == (Choice.BREAKS, "multi-request")
    (row,) = choose(summary, Bounds(max_loss=0.05, mode="multi-turn"))
    assert row.choice is Choice.KEEPS


def test_answers_that_are_all_the_same_are_no_proof_that_nothing_can_be_lost() -> None:
    """Two sessions of equal answers leave a loss of 20 points open; many do not."""
    few = by_method(world(2), max_loss=0.03)["near"]
    assert few.choice in (Choice.SAME, Choice.UNKNOWN)
    assert few.high is not None
    assert few.high > 0.03
    assert few.more_sessions > 0
    same = world(2, dense=lambda turn: 0.95, twin=lambda turn: 0.95)
    assert by_method(same, max_loss=0.03)["twin"].choice is Choice.SAME
    many = world(64, dense=lambda turn: 0.95, twin=lambda turn: 0.95)
    assert by_method(many, max_loss=0.03)["twin"].choice is Choice.KEEPS


def test_what_is_surely_worse_by_a_report_is_not_unknown_under_a_bound_far_below_its_loss() -> None:
    """Both are corrected alike (Holm), so no reader meets two kinds of surely."""
    summary = world(6)
    lossy = by_method(summary, max_loss=0.001)["lossy"]
    (setting,) = summary.settings
    average = summary.average(setting, "multi-turn", "lossy", "Overall")
    assert average is not None
    assert average.difference is not None
    assert average.difference.judged is not None
    if average.difference.judged.standing == "worse":
        assert lossy.choice is Choice.BREAKS


def test_without_dense_the_reason_is_that_dense_was_not_played() -> None:
    made = run(tasks=("kv",), methods={"x": lambda turn: 0.5}, sessions=3, modes=[Mode.MULTI_TURN])
    (row,) = choose(summarise(made, resamples=0), Bounds(max_loss=0.05))
    assert row.choice is Choice.UNMEASURED
    assert "dense was not played" in row.why


def test_tasks_that_no_average_counts_are_judged_each_and_the_worst_decides() -> None:
    made = run(
        tasks=("mine", "yours"),
        methods={"dense": lambda turn: 0.95, "near": lambda turn: 0.95, "lossy": lambda turn: 0.3},
        sessions=24,
        modes=[Mode.MULTI_TURN],
        held_bytes=HELD,
    )
    rows = by_method(summarise(answered(made), resamples=0), max_loss=0.2)
    assert rows["near"].choice is Choice.KEEPS
    assert rows["lossy"].choice is Choice.BREAKS
    assert (rows["lossy"].loss or 0.0) > 0.4


def test_a_method_whose_every_turn_failed_is_said_to_have_failed() -> None:
    made = run(
        tasks=("kv",), methods={"dense": lambda turn: 0.95}, sessions=4, modes=[Mode.MULTI_TURN]
    )
    broken = [record(method="bad", session=n, turn=0, turns=1, failure="crashed") for n in range(4)]
    row = by_method(summarise([*answered(made), *broken], resamples=0))["bad"]
    assert row.choice is Choice.UNMEASURED
    assert "no answer of it has a score" in row.why
    assert "crashed" in row.why
