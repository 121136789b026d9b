"""A cell that is missing never lifts a mean."""

from __future__ import annotations

from dataclasses import replace

import pytest
from factory import record, run, session
from lacking import LACKS, records

from scbench.errors import BadRecord
from scbench.stats import ABILITIES, OVERALL, Average, ScoreCell, Summary, frame, summarise
from scbench.types import BEYOND_TRAINED, KEPT_OLD, NOT_BINDING, Cost, Score

MT = "multi-turn"


def cell(summary: Summary, method: str, task: str = "kv") -> ScoreCell:
    found = summary.cell(summary.settings[0], MT, method, task)
    assert found is not None
    return found


def average(summary: Summary, method: str, name: str = OVERALL) -> Average:
    found = summary.average(summary.settings[0], MT, method, name)
    assert found is not None
    return found


@pytest.fixture(scope="module", params=LACKS)
def lacking(request: pytest.FixtureRequest) -> Summary:
    return summarise(records(request.param), resamples=0)


def test_a_method_equal_wherever_it_has_a_score_is_equal_in_every_difference(
    lacking: Summary,
) -> None:
    found = [average(lacking, "x", name).difference for name in (*ABILITIES, OVERALL)]
    assert [one and one.value for one in found] == [pytest.approx(0.0)] * 5


def test_a_mean_above_the_baselines_has_gaps_and_a_count(lacking: Summary) -> None:
    pairs: list[tuple[ScoreCell | Average, ScoreCell | Average]] = [
        (cell(lacking, "x", task), cell(lacking, "dense", task)) for task in lacking.tasks
    ]
    pairs += [
        (average(lacking, "x", name), average(lacking, "dense", name))
        for name in (*ABILITIES, OVERALL)
    ]
    for mine, base in pairs:
        assert not base.has_gaps
        if (mine.strict.value or 0.0) > (base.strict.value or 0.0) + 1e-12:
            assert mine.has_gaps
        if mine.has_gaps:
            assert mine.strict.n < mine.planned_turns == base.strict.n


@pytest.mark.parametrize(
    ("lack", "mean", "n"),
    [
        ("kv failed", 0.8, 220),
        ("hard sessions failed", 0.775, 228),
        ("half unscored", 0.8 - 0.4 / 12, 230),
        ("nothing", 0.75, 240),
    ],
)
def test_an_average_says_how_many_of_the_planned_turns_it_has(
    lack: str, mean: float, n: int
) -> None:
    found = average(summarise(records(lack), resamples=0), "x")
    assert found.raw == pytest.approx(mean)
    assert (found.strict.n, found.planned_turns, found.has_gaps) == (n, 240, n < 240)


def test_the_difference_is_that_of_the_two_means_over_the_turns_both_have(
    lacking: Summary,
) -> None:
    for one in (cell(lacking, "x", "vt"), *(average(lacking, "x", name) for name in ABILITIES)):
        mine, base = one.shared.value, one.baseline_shared.value
        assert mine is not None
        assert base is not None
        assert one.difference is not None
        difference = one.difference.estimate
        assert difference.value == pytest.approx(mine - base)
        assert one.shared.n == one.baseline_shared.n == difference.n


def test_a_baseline_with_gaps_is_compared_over_what_it_has_and_marked() -> None:
    swapped = {"dense": "x", "x": "dense"}
    rows = [
        replace(one, method=swapped[one.method], key=one.key + "s")
        for one in records("hard sessions failed")
    ]
    found = summarise(rows, resamples=0)
    assert average(found, "dense").has_gaps
    assert not average(found, "x").has_gaps
    assert average(found, "x").difference.value == pytest.approx(0.0)  # type: ignore[union-attr]
    x = average(found, "x")
    assert x.shared.value == pytest.approx(x.baseline_shared.value)
    assert x.shared.value != pytest.approx(x.strict.value)


def test_a_task_that_only_others_ran_counts_among_the_planned_turns() -> None:
    rows = run(tasks=("kv", "vt"), sessions=2)
    rows = [one for one in rows if not (one.task == "vt" and one.method == "snapkv")]
    found = average(summarise(rows, resamples=0), "snapkv", "Retr.String")
    assert (found.strict.n, found.planned_turns) == (8, 16)


def test_tasks_that_nobody_can_measure_are_no_gap() -> None:
    rows = run(tasks=("kv", "vt"), sessions=2)
    found = summarise(rows, resamples=0, solves=lambda model, task, length, mode: task == "vt")
    assert (average(found, "snapkv").planned_turns, average(found, "snapkv").has_gaps) == (8, False)


def test_a_sub_tasks_turn_without_a_record_is_a_gap_of_that_sub_task() -> None:
    whole = session([0.2, 1.0, 0.4, 1.0], task="summary_with_needles")
    part = session([0.2, 1.0, 0.4, 1.0], task="summary_with_needles", method="x")[:2]
    summary = summarise([*whole, *part], resamples=0)
    found = summary.cell(summary.settings[0], MT, "x", "summary_with_needles", "passkey")
    assert found is not None
    assert (found.strict.n, found.planned_turns) == (1, 2)


def test_methods_with_gaps_stand_below_those_without_in_their_group() -> None:
    stages = dict.fromkeys(("a", "b", "c"), ("compression", "KV dropping"))
    rows = [one for name in ("dense", "a", "b", "c") for one in session([1.0, 0.0], method=name)]
    rows = [one for one in rows if not (one.method == "a" and one.turn == 1)]
    summary = summarise(rows, stages=stages, resamples=0)
    order = [method.name for method in summary.methods_in(summary.settings[0])]
    assert order == ["dense", "b", "c", "a"]


def weighted(summary: Summary, method: str, name: str, mode: str) -> float:
    points = [
        point
        for point in summary.ability_curves
        if (point.method, point.task, point.mode) == (method, name, mode)
    ]
    return sum(float(point.estimate.value or 0.0) for point in points) / len(points)


@pytest.mark.parametrize("weak", [(), ("mf", "vt", "repoqa_and_kv")])
def test_a_categorys_curve_has_the_tasks_the_gate_and_the_mean_of_its_average(
    weak: tuple[str, ...],
) -> None:
    rows = run(sessions=4, turns=4)
    summary = summarise(
        rows, resamples=0, solves=lambda model, task, length, mode: task not in weak
    )
    drawn = {(point.method, point.task, point.mode) for point in summary.ability_curves}
    averages = [one for one in summary.averages if one.name != OVERALL]
    assert drawn == {(one.method, one.name, one.mode) for one in averages}
    for one in averages:
        mean = weighted(summary, one.method, one.name, one.mode)
        assert mean == pytest.approx(one.strict.value), (one.name, one.method)


def test_a_curve_of_a_method_with_gaps_says_at_each_turn_how_many_it_has() -> None:
    summary = summarise(records("kv failed"), resamples=0)
    counts = {
        (point.method, point.turn): (point.estimate.n, point.planned_turns)
        for point in summary.ability_curves
        if point.task == "Retr.String"
    }
    assert counts == {
        (name, turn): (15 if name == "dense" else 10, 15)
        for name in ("dense", "x")
        for turn in range(4)
    }


def test_notes_that_mark_a_number_are_counted_in_cells_averages_curves_and_trends() -> None:
    rows = [
        *session([1.0, 0.0, 1.0], notes=(NOT_BINDING, KEPT_OLD)),
        *session([1.0, None], number=1, notes=(BEYOND_TRAINED,)),
    ]
    summary = summarise(rows, resamples=0)
    expected = {KEPT_OLD: 3, BEYOND_TRAINED: 1, NOT_BINDING: 3}
    assert cell(summary, "dense").noted == average(summary, "dense").noted == expected
    assert summary.trends[0].noted == expected
    assert summary.curves[0].noted == {KEPT_OLD: 1, BEYOND_TRAINED: 1, NOT_BINDING: 1}


def test_a_cells_failures_name_their_tracebacks_by_reason() -> None:
    assert cell(summarise(records("kv failed"), resamples=0), "x").traces == {
        "failed: crashed": ("failures/abc.txt",)
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"prompt_tokens": 2**64},
        {"turn": -(2**70)},
        {"cost": Cost(stored_tokens=10**400)},
        {"cost": Cost(held_bytes=2**63)},
        {"strict": Score(value=1.0, rule="strict/1", side={"floor": 10**400})},
    ],
)
def test_a_number_that_no_table_holds_is_refused_in_words(wrong: dict[str, object]) -> None:
    with pytest.raises(BadRecord, match=r"2\^63"):
        frame([replace(record(), **wrong)])  # type: ignore[arg-type]


def test_a_cost_row_that_failed_is_no_share_and_no_measurement() -> None:
    row = {"model": "toy", "method": "x", "length_tokens": 1024, "failure": "crashed: no"}
    summary = summarise(run(tasks=("kv",), sessions=2), [row], resamples=0)
    assert [one.failure for one in summary.costs] == ["crashed: no"]
    assert "x" in [method.name for method in summary.methods]
    assert {share.method for share in summary.shares} == {"dense", "snapkv"}
