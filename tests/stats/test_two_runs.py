"""Two runs, item by item: the differences of any report, with the earlier run as the baseline."""

from __future__ import annotations

import runpy
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from factory import record, run
from test_verdicts import answered

from scbench.stats import frame, summarise
from scbench.stats.gate import GateRow, Passage, gate, sessions_to_tell, worst
from scbench.stats.standing import Standing
from scbench.stats.two_runs import EVERY, ITEM, PairedRow, TwoRuns, compare_runs, items_of
from scbench.types import Mode, Record

ROOT = Path(__file__).parents[2]
TASKS = ("kv", "vt", "repoqa", "mf")


def played(chance: float, *, sessions: int = 12, tasks: Sequence[str] = TASKS) -> list[Record]:
    """One method that is right with this chance, on the same luck whatever the chance is."""
    methods = {"m": lambda turn: chance}
    modes = [Mode.MULTI_TURN]
    return answered(run(tasks=tasks, methods=methods, sessions=sessions, modes=modes))


def compared(before: list[Record], after: list[Record], **words: Any) -> TwoRuns:
    return compare_runs(items_of(frame(before)), items_of(frame(after)), **words)


def overall(before: list[Record], after: list[Record]) -> PairedRow:
    (row,) = compared(before, after).overall()
    return row


def test_it_is_the_difference_of_two_methods_of_one_run() -> None:
    before, after = played(0.9), played(0.6)
    as_one_run = [replace(one, method="old", key=f"old {one.key}") for one in before] + after
    summary = summarise(as_one_run, baseline="old", resamples=0)
    (setting,) = summary.settings
    told = summary.compare(setting, "multi-turn", "m", "old")
    row = overall(before, after)
    assert told is not None
    assert row.difference.estimate == told.estimate
    assert (row.difference.p, row.difference.judged) == (told.p, told.judged)
    single = summary.cell(setting, "multi-turn", "m", "kv")
    of_task = next(one for one in compared(before, after).rows if one.name == "kv")
    assert single is not None
    assert single.difference is not None
    assert of_task.difference.estimate.value == pytest.approx(single.difference.estimate.value)


def test_a_planted_loss_is_found_and_its_items_are_named() -> None:
    before = played(0.95)
    hit = {("vt", "0:3", 2), ("kv", "0:1", 0)}
    after = [
        replace(one, strict=replace(one.strict, value=0.0))
        if (one.task, one.seed, one.turn) in hit
        else one
        for one in before
    ]
    found = compared(before, after).flipped()
    flips = set(found.select("task", "seed", "turn").iter_rows())
    was_right = {(one.task, one.seed, one.turn) for one in before if one.strict.value == 1.0}
    assert flips == hit & was_right
    assert flips
    assert found["change"].to_list() == [-1.0] * len(flips)
    assert overall(before, after).flips == (len(flips), 0)
    assert overall(after, before).flips == (0, len(flips))
    judged = overall(before, played(0.3)).difference.judged
    assert judged is not None
    assert judged.standing is Standing.WORSE


def test_only_turns_of_the_very_same_sessions_are_compared() -> None:
    before = played(0.9, sessions=6)
    other = [replace(one, session_digest=f"other {one.session_digest}") for one in before]
    assert compared(before, other).items.is_empty()
    assert compared(before, other).overall()[0].difference.is_gap
    half = [one for one in before if one.seed in ("0:0", "0:1", "0:2")]
    assert compared(before, half).items.height == len(half)


def test_turns_that_lost_their_score_are_counted_by_reason() -> None:
    before = [record(session=at, turn=0, turns=2) for at in range(3)]
    after = [record(session=0, turn=0, turns=2, failure="crashed"), before[1]]
    assert overall(before, after).lost == {"failed: crashed": 1, "not run": 1}
    assert overall(after, before).lost == {}


def test_runs_of_two_models_meet_where_their_sessions_are_the_same() -> None:
    before = played(0.9, sessions=4)
    after = [replace(one, model="other", key=f"other {one.key}") for one in before]
    found = compared(before, after)
    assert found.items.height == len(before)
    assert {row.setting.model for row in found.rows} == {"other"}
    third = [replace(one, model="third", key=f"third {one.key}") for one in before]
    assert compared(before, [*after, *third]).items.is_empty()  # which of the two is it?
    both = [*before, *after]  # now a model is a setting of its own again
    assert {row.setting.model for row in compared(both, both).rows} == {"toy", "other"}


def test_a_task_that_the_model_does_not_solve_counts_in_no_average() -> None:
    before = played(0.9)
    found = compared(before, before, solves=lambda model, task, *_: task != "kv")
    (row,) = found.overall()
    assert "kv" not in row.tasks
    assert set(row.tasks) == set(TASKS) - {"kv"}
    assert [one.name for one in found.rows] == [EVERY, "kv", "vt", "repoqa", "mf"]
    (unknown,) = compared(before, before, solves=lambda *place: None).overall()
    assert set(unknown.tasks) == set(TASKS)  # nobody measured it, which is no no


def test_methods_of_one_run_alone_are_named_and_not_compared() -> None:
    before = [record(method="a"), record(method="b")]
    after = [record(method="b"), record(method="c")]
    found = compared(before, after)
    assert (found.only_before, found.only_after) == (("a",), ("c",))
    assert {row.method for row in found.rows} == {"b"}


def test_items_have_their_columns_whatever_the_scorers_say() -> None:
    plain, floored = frame([record()]), frame([record(side={"floor": 0.3})])
    assert items_of(plain).schema == items_of(floored).schema == pl.Schema(ITEM)
    assert items_of(floored)["side_floor"].to_list() == [0.3]


def gated(before: list[Record], after: list[Record], max_drop: float, **words: Any) -> GateRow:
    (row,) = gate(compared(before, after).overall(), max_drop=max_drop, **words)
    return row


def test_a_gate_tells_the_sure_from_the_unsure() -> None:
    before = played(0.95, sessions=24)
    assert gated(before, played(0.4, sessions=24), 0.05).passage is Passage.DROPS
    assert gated(before, before, 0.10).passage is Passage.PASSES
    unsure = gated(before, played(0.9, sessions=24), 0.05)
    assert unsure.passage is Passage.CANNOT_TELL
    assert unsure.more_sessions > 0
    assert sessions_to_tell([unsure]) == unsure.more_sessions


def test_same_answers_of_few_sessions_pass_only_where_that_was_asked_for() -> None:
    before = played(0.95, sessions=4)
    row = gated(before, before, 0.01)
    assert row.passage is Passage.CANNOT_TELL
    assert "same answers" in row.why
    assert row.more_sessions > 0
    assert gated(before, before, 0.01, passes_same=True).passage is Passage.PASSES
    one_less = [*before[:-1], replace(before[-1], answer=None, strict=NO_SCORE, failure=CRASH)]
    assert gated(before, one_less, 0.01, passes_same=True).passage is Passage.CANNOT_TELL


NO_SCORE = record(failure="crashed").strict
CRASH = record(failure="crashed").failure


def test_a_method_that_crashes_never_passes_however_good_the_rest_is() -> None:
    before = played(0.95, sessions=24)
    after = [
        replace(one, answer=None, strict=NO_SCORE, failure=CRASH) if one.seed == "0:0" else one
        for one in before
    ]
    row = gated(before, after, 0.10)
    assert row.passage is Passage.CANNOT_TELL
    assert "have no score here (failed: crashed" in row.why
    assert row.more_sessions == 0  # sessions would not help


def test_what_has_nothing_to_lose_never_passes() -> None:
    before = played(0.02, sessions=24)
    row = gated(before, before, 0.10)
    assert row.passage is Passage.CANNOT_TELL
    assert "no headroom" in row.why


def test_a_stricter_bound_or_confidence_lets_fewer_pass() -> None:
    before, after = played(0.95, sessions=24), played(0.93, sessions=24)
    rows = compared(before, after).overall()
    order = list(Passage)

    def passage(drop: float, confidence: float = 0.95) -> int:
        return order.index(worst(gate(rows, max_drop=drop, confidence=confidence)))

    assert passage(0.01) >= passage(0.05) >= passage(0.5) == order.index(Passage.PASSES)
    assert passage(0.08, 0.9999) >= passage(0.08, 0.6)


def test_a_family_of_rows_is_held_to_one_confidence_together() -> None:
    before = played(0.95, sessions=24)
    (alone,) = compared(before, before).overall()
    bounds = [at / 1000.0 for at in range(5, 200)]
    passes = [gate([alone], max_drop=one)[0].passage is Passage.PASSES for one in bounds]
    with_many = [gate([alone] * 30, max_drop=one)[0].passage is Passage.PASSES for one in bounds]
    assert sum(with_many) < sum(passes)


def test_a_gate_without_rows_cannot_tell() -> None:
    assert worst([]) is Passage.CANNOT_TELL


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tasks", "drop", "sessions"), [(1, 0.01, 150), (1, 0.05, 32), (10, 0.01, 24), (10, 0.05, 4)]
)
def test_the_sessions_that_docs_compare_names_are_enough_and_half_are_not(
    tasks: int, drop: float, sessions: int
) -> None:
    names = (*TASKS, "prefix_suffix", "qa_eng", "qa_chn", "choice_eng", "many_shot", "summary")

    def passage(count: int) -> Passage:
        methods = {"m": lambda turn: 0.95}
        modes = [Mode.MULTI_TURN]
        made = run(tasks=names[:tasks], methods=methods, sessions=count, turns=5, modes=modes)
        return gated(answered(made), answered(made), drop).passage

    assert passage(sessions) is Passage.PASSES
    assert passage(sessions // 2) is Passage.CANNOT_TELL


@pytest.mark.slow
def test_a_gate_is_seldom_wrong_where_the_true_drop_is_known() -> None:
    names = runpy.run_path(str(ROOT / "benchmarks" / "gate_errors.py"))
    luck = np.random.Generator(np.random.PCG64(1))

    def found(drop: float) -> Counter[Passage]:
        return Counter(names["played"](luck, 48, drop) for _ in range(80))

    small, at_bound, large = found(0.02), found(0.05), found(0.10)
    assert small[Passage.DROPS] == large[Passage.PASSES] == 0
    assert at_bound[Passage.PASSES] + at_bound[Passage.DROPS] <= 8
    assert small[Passage.PASSES] >= 15
    assert large[Passage.DROPS] >= 15
