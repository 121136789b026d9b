from __future__ import annotations

from dataclasses import replace

import pytest
from factory import ALL_TASKS, record, run, session
from hypothesis import given, settings
from hypothesis import strategies as st

from scbench.errors import BadConfig, BadRecord
from scbench.stats import NOT_RUN, OVERALL, ScoreCell, Spread, Summary, cost_row, frame, summarise
from scbench.types import Cost, Form, Mode, Record

MT = "multi-turn"


def only_cell(
    records: list[Record], task: str, part: str = "", method: str = "dense", mode: str = MT
) -> ScoreCell:
    summary = summarise(records, resamples=0)
    found = summary.cell(summary.settings[0], mode, method, task, part)
    assert found is not None
    return found


def average(summary: Summary, name: str, method: str = "dense", mode: str = MT):  # type: ignore[no-untyped-def]
    found = summary.average(summary.settings[0], mode, method, name)
    assert found is not None
    return found


def test_gap_is_left_out_of_the_mean_and_counted_by_reason() -> None:
    rows = [
        *session([1.0, 0.0, 1.0]),
        record(turn=3, turns=5, failure="out-of-memory"),
        record(turn=4, turns=5, value=None, why="no gold"),
    ]
    cell = only_cell(rows, "kv")
    assert cell.strict.value == pytest.approx(2 / 3)
    assert cell.strict.n == 3
    assert cell.gaps == {"failed: out-of-memory": 1, "no gold": 1, NOT_RUN: 2} or cell.gaps == {
        "failed: out-of-memory": 1,
        "no gold": 1,
    }


def test_failures_count_as_zero_only_in_the_second_figure() -> None:
    rows = [*session([1.0, 1.0, 1.0]), record(turn=3, turns=4, failure="crashed")]
    cell = only_cell(rows, "kv")
    assert (cell.strict.value, cell.failed_as_zero.value) == (1.0, 0.75)


def test_turns_without_any_record_are_a_gap() -> None:
    rows = [record(turn=0, turns=5), record(turn=1, turns=5)]
    assert only_cell(rows, "kv").gaps == {NOT_RUN: 3}


def test_sessions_only_another_method_ran_are_a_gap() -> None:
    rows = [
        *session([1.0, 1.0], number=0),
        *session([1.0, 1.0], number=1),
        *session([1.0, 1.0], number=0, method="snapkv"),
    ]
    assert only_cell(rows, "kv", method="snapkv").gaps == {NOT_RUN: 2}


def test_mix_is_the_mean_of_its_two_sub_task_means() -> None:
    values = [0.40, 1.0, 0.30, 0.0]
    cell = only_cell(session(values, task="summary_with_needles"), "summary_with_needles")
    assert cell.strict.value == pytest.approx(0.425)
    assert only_cell(
        session(values, task="summary_with_needles"), "summary_with_needles", "summary"
    ).strict.value == pytest.approx(0.35)


def test_mix_weighs_sub_tasks_alike_however_many_turns_they_have() -> None:
    rows = [
        record(task="repoqa_and_kv", turn=t, turns=6, value=v, subtask="kv")
        for t, v in enumerate([1.0, 1.0, 1.0, 1.0, 0.0])
    ]
    rows.append(record(task="repoqa_and_kv", turn=5, turns=6, value=0.0, subtask="repoqa"))
    assert only_cell(rows, "repoqa_and_kv").strict.value == pytest.approx(0.4)


def test_mix_without_one_of_its_sub_tasks_is_a_gap() -> None:
    rows = [
        record(task="summary_with_needles", turn=t, turns=4, value=0.4, subtask="summary")
        for t in (0, 2)
    ]
    assert only_cell(rows, "summary_with_needles").strict.is_gap
    assert only_cell(rows, "summary_with_needles", "summary").strict.value == pytest.approx(0.4)
    assert only_cell(rows, "summary_with_needles", "summary").strict.n == 2


def test_overall_is_the_plain_mean_of_four_categories() -> None:
    values = {"kv": 0.9, "prefix_suffix": 0.3, "vt": 0.6, "repoqa": 0.1, "mf": 0.7}
    rows = [
        one
        for task in ALL_TASKS
        for number in (0, 1)
        for one in session([values.get(task, 0.5)] * 4, task=task, number=number)
    ]
    summary = summarise(rows, resamples=0)
    assert average(summary, "Retr.String").raw == pytest.approx(0.6)
    assert average(summary, "Retr.Semantic").raw == pytest.approx(0.4)
    assert average(summary, OVERALL).raw == pytest.approx(
        (0.6 + 0.4 + (0.7 + 0.5 + 0.5) / 3 + 0.5) / 4
    )
    assert average(summary, OVERALL).is_complete


def test_averages_are_corrected_for_chance_task_by_task() -> None:
    rows = [
        one
        for number in (0, 1)
        for task, values, side in (
            ("mf", [0.5] * 4, {}),  # by chance 0.05
            ("summary", [0.7] * 4, {"floor": 0.4}),  # the scorer measured its own floor
        )
        for one in session(values, task=task, number=number, side=side)
    ]
    found = average(summarise(rows, resamples=0), "Global")
    assert found.strict.value == pytest.approx((0.45 / 0.95 + 0.3 / 0.6) / 2)
    assert found.raw == pytest.approx(0.6)
    assert found.strict.low <= found.strict.value <= found.strict.high  # type: ignore[operator]


def test_a_score_below_chance_is_a_negative_average_and_not_a_zero() -> None:
    rows = [one for n in (0, 1) for one in session([0.0] * 4, task="many_shot", number=n)]
    found = average(summarise(rows, resamples=0), "Global")
    assert found.strict.value == pytest.approx(-0.2)


def test_average_over_fewer_tasks_names_the_missing_ones() -> None:
    rows = run(tasks=("kv", "vt", "mf"), sessions=3)
    got = average(summarise(rows, resamples=0), "Retr.String")
    assert got.tasks == ("kv", "vt")
    assert got.missing == {"prefix_suffix": "not run"}
    assert "repoqa" in average(summarise(rows, resamples=0), OVERALL).missing


def test_category_without_any_task_is_a_gap() -> None:
    assert average(summarise(run(tasks=("kv",), sessions=2), resamples=0), "Global").strict.is_gap


def test_difference_is_taken_on_the_same_turns_only() -> None:
    rows = [
        *session([1.0, 0.0]),
        *session([0.0, 0.0], number=1),
        *session([1.0, None], method="snapkv"),
        *session([0.0, 1.0], number=1, method="snapkv"),
    ]
    found = only_cell(rows, "kv", method="snapkv").difference
    assert found is not None
    assert found.estimate.value == pytest.approx(1 / 3)
    assert found.estimate.n == 3


def test_baseline_has_no_difference_to_itself() -> None:
    assert only_cell(run(tasks=("kv",)), "kv").difference is None


def test_without_the_baseline_there_is_no_difference() -> None:
    assert only_cell(session([1.0], method="snapkv"), "kv", method="snapkv").difference is None


def test_p_values_are_corrected_over_the_methods_of_a_column() -> None:
    chances = {"dense": lambda t: 0.95, "a": lambda t: 0.2, "b": lambda t: 0.2, "c": lambda t: 0.95}
    summary = summarise(run(tasks=("kv",), methods=chances, sessions=12), resamples=0)
    a = summary.cell(summary.settings[0], MT, "a", "kv")
    assert a is not None
    assert a.difference is not None
    assert a.difference.p_holm >= 2 * a.difference.p  # type: ignore[operator]
    assert a.difference.is_significant


def test_survived_leaves_out_truncated_turns_whose_evidence_is_lost_or_unknown() -> None:
    rows = [
        record(turn=0, turns=4, value=1.0),
        record(turn=1, turns=4, value=1.0, truncated_tokens=9, evidence_survives=True),
        record(turn=2, turns=4, value=0.0, truncated_tokens=9, evidence_survives=False),
        record(turn=3, turns=4, value=0.0, truncated_tokens=9),
    ]
    cell = only_cell(rows, "kv")
    assert (cell.strict.value, cell.survived.value, cell.survived.n, cell.truncated_turns) == (
        0.5,
        1.0,
        2,
        3,
    )


def test_gate_takes_weak_tasks_out_of_the_averages() -> None:
    chances = {"dense": lambda t: 0.5, "snapkv": lambda t: 0.4}
    summary = summarise(
        [
            *run(tasks=("kv", "vt"), methods=chances),
            *[r for n in range(6) for r in session([1.0] * 4, task="prefix_suffix", number=n)],
        ],
        gate=0.9,
    )
    assert summary.cell(summary.settings[0], MT, "snapkv", "kv").is_measurable is False  # type: ignore[union-attr]
    got = average(summary, "Retr.String")
    assert got.tasks == ("prefix_suffix",)
    assert got.missing["kv"] == "not measurable with this model"


def test_what_a_models_card_says_it_cannot_do_is_left_out_too() -> None:
    rows = run(
        tasks=("kv", "vt", "prefix_suffix"),
        methods={"dense": lambda t: 0.95, "snapkv": lambda t: 0.4},
    )
    summary = summarise(
        rows, solves=lambda model, task, length_tokens, mode: {"kv": False, "vt": True}.get(task)
    )
    marks = {
        task: summary.cell(summary.settings[0], MT, "snapkv", task).is_measurable
        for task in ("kv", "vt", "prefix_suffix")
    }  # type: ignore[union-attr]
    assert marks == {"kv": False, "vt": True, "prefix_suffix": True}
    assert average(summary, "Retr.String").missing["kv"] == "not measurable with this model"


def test_a_gate_outside_0_to_1_is_refused() -> None:
    with pytest.raises(BadConfig, match="gate is 90"):
        summarise([], gate=90)


def test_later_line_of_the_same_turn_replaces_the_earlier() -> None:
    assert frame([record(value=0.0), record(value=1.0)])["strict"].to_list() == [1.0]


def test_two_versions_of_a_cell_in_one_report_are_refused() -> None:
    with pytest.raises(BadRecord, match="another cell"):
        frame([record(key="aaa"), record(key="bbb")])


def test_frame_has_a_row_for_every_turn_and_a_column_for_every_side_value() -> None:
    table = frame([record(turn=0, side={"floor": 0.3}), record(turn=1)])
    assert table.height == 2
    assert table["side_floor"].to_list() == [0.3, None]


def test_no_records_make_an_empty_summary() -> None:
    assert summarise([]).settings == ()


def test_lengths_and_models_never_share_a_cell() -> None:
    rows = [
        *run(tasks=("kv",), sessions=2, models=("a", "b")),
        *run(tasks=("kv",), sessions=2, length_tokens=2048),
    ]
    assert len(summarise(rows, resamples=0).settings) == 3


def test_decay_shows_in_slope_and_in_later_turns() -> None:
    rows = [
        one
        for n in range(8)
        for one in session([1.0, 0.75, 0.5, 0.25 + 0.01 * n], number=n, task="summary")
    ]
    trend = summarise(rows, resamples=0).trends[0]
    assert trend.slope.value == pytest.approx(-0.25, abs=0.02)
    assert trend.slope.high < -0.2  # type: ignore[operator]
    assert trend.change.estimate.value == pytest.approx(-0.5, abs=0.02)
    assert trend.first.value == 1.0


def test_slope_of_a_mix_is_within_each_sub_task() -> None:
    rows = [
        one
        for n in range(3)
        for one in session([0.2, 1.0, 0.2, 1.0, 0.2, 1.0], number=n, task="summary_with_needles")
    ]
    trend = summarise(rows, resamples=0).trends[0]
    assert trend.slope.value == pytest.approx(0.0)
    assert (trend.first.value, trend.later.value) == (pytest.approx(0.6), pytest.approx(0.6))


@settings(max_examples=40)
@given(
    st.lists(
        st.lists(st.sampled_from([0.0, 0.3, 1.0]), min_size=2, max_size=5), min_size=2, max_size=6
    )
)
def test_no_limit_of_a_trend_passes_what_scores_of_0_to_1_can_do(values: list[list[float]]) -> None:
    """Two turns can rise by 100 points a turn, three by 50, and from 100 % one can only fall."""
    rows = [one for number, turns in enumerate(values) for one in session(turns, number=number)]
    trend = summarise(rows, resamples=0).trends[0]
    if trend.slope.low is not None and trend.slope.high is not None:
        shortest = min(map(len, values))
        steepest = {2: 1.0, 3: 0.5, 4: 0.4, 5: 0.3}[shortest]
        assert -steepest - 1e-9 <= trend.slope.low <= trend.slope.high <= steepest + 1e-9
    change, first = trend.change.estimate, trend.first
    assert change.low is not None
    assert change.high is not None
    if first.low is not None and first.high is not None:
        # How high the first turn stands is known but for its interval: no more room than that.
        assert first.low + change.high <= 1.0 + 1e-9 or change.high == change.value
        assert change.low >= -first.high - 1e-9 or change.low == change.value


def test_curve_has_n_at_each_turn_when_later_turns_have_fewer_sessions() -> None:
    rows = [*session([1.0, 1.0, 0.0], number=0), *session([1.0], number=1)]
    assert [
        (p.turn, p.estimate.n, p.estimate.value) for p in summarise(rows, resamples=0).curves
    ] == [
        (0, 2, 1.0),
        (1, 1, 1.0),
        (2, 1, 0.0),
    ]


def test_methods_stand_by_stage_with_the_baseline_first() -> None:
    names = {"quest", "dense", "snapkv", "a-shape", "mystery"}
    stages = {
        "quest": ("loading", "KV loading"),
        "snapkv": ("compression", "KV dropping"),
        "a-shape": ("generation", "sparse attention"),
    }
    rows = [one for name in sorted(names) for one in session([1.0], method=name)]
    assert [m.name for m in summarise(rows, stages=stages, resamples=0).methods] == [
        "dense",
        "a-shape",
        "snapkv",
        "quest",
        "mystery",
    ]


def test_share_comes_from_the_cost_pass_before_the_scored_turns() -> None:
    rows = run(tasks=("kv",), sessions=2, held_bytes={"dense": 1000, "snapkv": 250})
    costs = [
        {
            "model": "toy",
            "method": "snapkv",
            "length_tokens": 1024,
            "held_bytes": [10, 30],
            "dense_bytes": 200,
        }
    ]
    assert {s.method: s.ratio for s in summarise(rows, resamples=0).shares} == {
        "dense": 1.0,
        "snapkv": 0.25,
    }
    # Dense was not measured there, and what it held after answers is another number: never mixed.
    found = {s.method: s.ratio for s in summarise(rows, costs, resamples=0).shares}
    assert found == {"snapkv": 0.1}


def test_dense_holds_and_loads_all_of_dense_by_new_rows_and_by_old_ones() -> None:
    rows = run(tasks=("kv",), sessions=2)
    new = {"held_accounted_bytes": 100, "dense_bytes": 100, "loaded_accounted_bytes": 120}
    old = {"held_bytes": 200, "dense_bytes": 100, "loaded_bytes": 220}
    place = {"model": "toy", "length_tokens": 1024}
    for dense in (new, old):
        mine = {name: value // 4 for name, value in dense.items() if name != "dense_bytes"}
        costs = [
            {**place, **dense, "method": "dense"},
            {**place, **mine, "dense_bytes": 100, "method": "snapkv"},
        ]
        found = {one.method: one for one in summarise(rows, costs, resamples=0).shares}
        assert (found["dense"].ratio, found["dense"].loaded) == (1.0, 1.0)
        assert (found["snapkv"].ratio, found["snapkv"].loaded) == (0.25, 0.25)


def test_unmeasured_bytes_have_no_share() -> None:
    assert summarise([record(cost=Cost())], resamples=0).shares == ()


def test_repeats_of_a_cost_become_median_and_range() -> None:
    row = cost_row({"model": "m", "method": "dense", "length_tokens": 1, "tpot_s": [0.3, 0.1, 0.2]})
    assert row.tpot_s == Spread(0.2, 0.1, 0.3, 3)
    assert row.prefill_s is None


@pytest.mark.parametrize(
    "wrong", [{"speed": 1}, {"model": ""}, {"tpot_s": "fast"}, {"sessions": 1.5}]
)
def test_an_odd_cost_row_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BadRecord, match="cost row"):
        cost_row({"model": "m", "method": "dense", "length_tokens": 1, **wrong})


def test_the_same_records_in_any_order_give_the_same_numbers() -> None:
    rows = run(tasks=("kv", "repoqa_and_kv"), sessions=4)
    assert summarise(rows).cells == summarise(rows[::-1]).cells
    assert Mode.MULTI_TURN in summarise(rows).modes


def test_tiny_and_full_turns_never_share_a_table_nor_a_cost_row() -> None:
    tiny = [replace(one, form=Form.TINY, key=one.key + "t") for one in session([0.0, 0.0])]
    rows = [
        {
            "model": "toy",
            "method": "dense",
            "length_tokens": 1024,
            "held_accounted_bytes": 2,
            "dense_bytes": 2,
        }
    ]
    found = summarise(
        [*session([1.0, 1.0]), *tiny],
        [*rows, {**rows[0], "form": "tiny", "held_accounted_bytes": 3, "dense_bytes": 3}],
        resamples=0,
    )
    assert [(cell.setting.form, cell.strict.value) for cell in found.cells] == [
        ("full", 1.0),
        ("tiny", 0.0),
    ]
    assert [(share.setting.form, share.ratio) for share in found.shares] == [
        ("full", 1.0),
        ("tiny", 1.0),
    ]
