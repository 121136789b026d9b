"""Every claim with records for which it holds, does not hold, and cannot be told; and what a
verdict may rest on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pytest
from factory import record

from scbench.errors import BadRecord
from scbench.methods import parse
from scbench.report.findings import markdown
from scbench.stats.checks import CellName, Check, Side, Verdict, all_of, apart, gated, judge
from scbench.stats.findings import (
    CLAIMS,
    CODECS,
    DENSE,
    DROPPING,
    DYNAMIC,
    METHODS,
    STATIC,
    TOP_K,
    Finding,
    Roles,
    finding,
    findings,
    passing,
    short,
)
from scbench.stats.frame import frame
from scbench.stats.intervals import GAP, Estimate
from scbench.types import KEPT_OLD, PAPER_MODES, Cost, Mode, Record

HOLDS, FAILS, UNKNOWN = Verdict.HOLDS, Verdict.FAILS, Verdict.UNKNOWN
ROLES = Roles(transformer="attends", recurrent="recurs", hybrid="both")
TASKS = ("kv", "prefix_suffix", "qa_eng", "mf")
HELD = {"attends": 1000, "recurs": 800, "both": 500}
CLAIM = {one.key: one for one in CLAIMS}
GATE: frozenset[CellName] = frozenset(
    (task, 256, str(mode)) for task in TASKS for mode in PAPER_MODES
)


@dataclass(frozen=True)
class At:
    """Where an answer is given."""

    model: str
    method: str
    task: str
    mode: Mode
    turn: int


Chance = Callable[[At], float]


def good(at: At) -> float:
    return 0.97


ARMS = [("attends", name) for name in METHODS] + [("recurs", DENSE), ("both", DENSE)]
NEEDED = {  # by each claim
    "a": {DENSE, *DROPPING},
    "b": {DENSE, *STATIC, *DYNAMIC},
    "c": {*STATIC, *DYNAMIC},
    "d": {DENSE},
    "e": {DENSE, TOP_K, *DROPPING},
    "f": {DENSE, *CODECS},
}


@lru_cache(maxsize=64)
def made(
    chance: Chance, *, key: str = "", sessions: int = 24, turns: int = 3
) -> tuple[Record, ...]:
    """Records of what a claim needs (of all without a key); a turn's luck is shared by models and
    methods, as where a turn is hard.
    """
    luck, found = np.random.Generator(np.random.PCG64(5)), list[Record]()
    arms = [
        arm
        for arm in ARMS
        if (not key or arm[1] in NEEDED[key]) and (key in ("", "d") or arm[0] == "attends")
    ]
    for task in TASKS:
        for number in range(sessions):
            for mode in PAPER_MODES:
                for turn in range(turns):
                    draw = luck.random()
                    for model, method in arms:
                        value = float(draw < chance(At(model, method, task, mode, turn)))
                        cost = Cost(held_bytes=HELD[model])
                        found.append(
                            record(task=task, method=method, mode=mode, session=number, turn=turn, turns=turns, value=value, model=model, length_tokens=256, cost=cost)
                        )  # fmt: skip
    return tuple(found)


def judged(key: str, records: Sequence[Record], gate: frozenset[CellName] = GATE) -> Finding:
    return finding(CLAIM[key], gated(frame(records), gate), ROLES)


def verdict(key: str, chance: Chance, **more: int) -> Verdict:
    return judged(key, made(chance, key=key, **more)).verdict


def checks(found: Finding) -> dict[str, Check]:
    return {check.what: check for check in found.checks}


def paper(at: At) -> float:
    """A world in which all six hold."""
    if at.model == "recurs":
        return 0.2
    if at.method in DROPPING:
        return 0.97 if at.mode is Mode.MULTI_TURN and at.turn == 0 else 0.3
    if at.method in STATIC:
        return 0.85
    if at.method in CODECS:
        return 0.5 if at.task in ("kv", "prefix_suffix") else 0.97
    return 0.97


def sparse_is_close(at: At) -> float:
    return 0.97 if at.method in STATIC else paper(at)


def nothing_loses(at: At) -> float:
    return 0.97


def all_lose(at: At) -> float:
    """Everything but full attention and the recurrent model is bad everywhere."""
    return 0.97 if at.method == DENSE and at.model != "both" else 0.3


def others_lose(at: At) -> float:
    """Low bits hurt what is no string."""
    return 0.5 if at.method in CODECS and at.task in ("qa_eng", "mf") else 0.97


@pytest.mark.parametrize("key", ["a", "c", "d", "e", "f"])
def test_a_claim_holds_where_the_records_say_so(key: str) -> None:
    assert verdict(key, paper) is HOLDS


def test_sparse_prefill_that_answers_as_dense_does_is_close() -> None:
    assert verdict("b", sparse_is_close) is HOLDS


@pytest.mark.parametrize(("key", "world"), [
    ("a", nothing_loses), ("a", all_lose), ("b", paper), ("c", nothing_loses), ("c", all_lose), ("d", nothing_loses), ("d", all_lose), ("e", nothing_loses), ("e", all_lose),
    ("f", others_lose),
])  # fmt: skip
def test_a_claim_does_not_hold_where_the_records_contradict_it(key: str, world: Chance) -> None:
    assert verdict(key, world) is FAILS


@pytest.mark.parametrize("key", ["a", "b", "c", "d", "e", "f"])
def test_two_sessions_tell_nothing(key: str) -> None:
    def doubtful(at: At) -> float:
        return {
            "b": sparse_is_close,
            "d": lambda at: 0.45 if at.model == "recurs" else paper(at),
        }.get(key, paper)(at)

    assert verdict(key, doubtful, sessions=2, turns=2) is UNKNOWN


def test_codecs_that_hurt_nothing_say_nothing_of_what_is_hurt_first() -> None:
    found = checks(judged("f", made(nothing_loses, key="f", sessions=48)))
    assert verdict("f", nothing_loses, sessions=48) is UNKNOWN
    assert [one.why for name, one in found.items() if "against" in name] == [
        "not low enough to hurt either"
    ] * len(CODECS)


def test_one_codec_that_hurts_strings_decides_beside_two_that_hurt_nothing() -> None:
    def world(at: At) -> float:
        return paper(at) if at.method == CODECS[0] else 0.97

    assert verdict("f", world, sessions=48) is HOLDS


def test_one_method_of_many_that_contradicts_a_claim_is_enough() -> None:
    def world(at: At) -> float:
        return 0.97 if at.method == DROPPING[1] else paper(at)

    assert verdict("a", world) is FAILS
    assert verdict("e", world) is FAILS


def test_a_pair_of_sparse_methods_is_shown_and_does_not_bind() -> None:
    def world(at: At) -> float:
        return 0.5 if at.method == DYNAMIC[2] else 0.3 if at.method in STATIC else 0.97

    found = checks(judged("c", made(world, key="c")))
    assert len(found) == 1 + len(DYNAMIC) * len(STATIC)
    assert [one.what for one in found.values() if one.binds] == ["mean of dynamic - mean of static"]
    assert verdict("c", world) is HOLDS


def test_only_cells_that_pass_the_gate_count() -> None:
    def world(at: At) -> float:
        return 0.1 if at.task == "mf" and at.method in STATIC else sparse_is_close(at)

    spoilt, without = made(world, key="b"), frozenset(cell for cell in GATE if cell[0] != "mf")
    assert judged("b", spoilt).verdict is FAILS
    assert judged("b", spoilt, without).verdict is HOLDS
    assert {task for task, _, _ in findings(spoilt, without, ROLES).cells} == set(TASKS) - {"mf"}


def test_no_cell_that_passes_leaves_every_claim_open() -> None:
    found = findings(made(paper, sessions=3), frozenset(), ROLES)
    assert {one.verdict for one in found.findings} == {UNKNOWN}
    assert found.cells == ()
    assert found.reference == GAP


def test_no_records_leave_every_claim_open() -> None:
    assert {one.verdict for one in findings([], GATE, ROLES).findings} == {UNKNOWN}


def test_a_method_that_did_not_run_leaves_its_claims_open() -> None:
    kept = [one for one in made(paper, key="e") if one.method != TOP_K]
    assert (judged("e", kept).verdict, judged("a", kept).verdict) == (UNKNOWN, HOLDS)


def test_turns_that_are_missing_for_one_side_only_leave_a_claim_open() -> None:
    """Failed turns have no score; were they few, they would not matter."""
    records = made(sparse_is_close, key="b")
    for share, expected in ((0.02, HOLDS), (0.3, UNKNOWN)):
        edge = int(24 * share) if share < 0.1 else 8
        kept = [
            one
            for one in records
            if one.method != STATIC[0] or int(one.seed.partition(":")[2]) >= edge
        ]
        assert judged("b", kept).verdict is expected


def test_a_recurrent_model_that_failed_on_many_turns_is_not_judged_by_the_rest() -> None:
    kept = [one for one in made(paper, key="d") if one.model != "recurs" or one.turn > 0]
    assert judged("d", kept).verdict is UNKNOWN


def test_models_meet_on_the_same_texts_only() -> None:
    moved = [
        replace(one, prompt_tokens=one.prompt_tokens + 1) if one.model == "both" else one
        for one in made(paper, key="d")
    ]
    found = checks(judged("d", moved))
    assert found["both - attends, at equal bytes"].estimate.is_gap


def test_scores_at_equal_bytes_divide_by_the_bytes() -> None:
    found = checks(judged("d", made(good, key="d")))
    value = found["both - attends, at equal bytes"].estimate.value
    plain = found["both - attends, as they are"].estimate.value
    assert plain == 0.0
    assert value == pytest.approx(0.97 * (1 - 500 / 1000), abs=0.02)


def test_a_difference_is_the_mean_over_cells_of_paired_differences() -> None:
    records = made(paper, key="a")
    found = checks(judged("a", records))["snapkv - dense, later turns"]
    by_cell = []
    for task in TASKS:
        mine = [
            one
            for one in records
            if one.task == task
            and one.mode is Mode.MULTI_TURN
            and one.turn
            and one.model == "attends"
        ]
        means = {
            name: np.mean([one.strict.value for one in mine if one.method == name])
            for name in (DROPPING[1], DENSE)
        }
        by_cell.append(means[DROPPING[1]] - means[DENSE])
    assert found.estimate.value == pytest.approx(np.mean(by_cell))
    assert (found.cells, found.estimate.n, found.estimate.sessions) == (
        len(TASKS),
        2 * 24 * len(TASKS),
        24 * len(TASKS),
    )


def test_records_of_two_protocols_are_refused() -> None:
    records = made(good, sessions=2)
    other = replace(
        records[0], protocol=replace(records[0].protocol, max_new_tokens=3), key="other"
    )
    with pytest.raises(BadRecord, match="more than one protocol"):
        findings([*records, other], GATE, ROLES)


@pytest.mark.parametrize(("low", "high", "above", "below"), [(0.06, 0.2, HOLDS, FAILS), (-0.1, 0.04, FAILS, HOLDS), (0.0, 0.1, UNKNOWN, UNKNOWN), (None, None, UNKNOWN, UNKNOWN)])  # fmt: skip
def test_an_interval_decides_only_as_a_whole(
    low: float | None, high: float | None, above: Verdict, below: Verdict
) -> None:
    estimate = Estimate(value=0.05, low=low, high=high)
    assert judge(estimate, Side.ABOVE, 0.05) is above
    assert judge(estimate, Side.BELOW, 0.05) is below


def test_a_contradiction_weighs_more_than_a_doubt() -> None:
    assert all_of([HOLDS, UNKNOWN, FAILS]) is FAILS
    assert all_of([HOLDS, UNKNOWN]) is UNKNOWN
    assert all_of([HOLDS]) is HOLDS
    assert all_of([]) is UNKNOWN


def test_the_difference_of_two_independent_numbers_is_wider_than_each() -> None:
    one, other = (
        Estimate(value=-0.3, low=-0.4, high=-0.2),
        Estimate(value=-0.1, low=-0.1, high=-0.1),
    )
    same = apart(one, other)
    assert (same.value, same.low, same.high) == pytest.approx((-0.2, -0.3, -0.1))
    wider = apart(one, Estimate(value=-0.1, low=-0.2, high=0.0))
    assert wider.low is not None
    assert same.low is not None
    assert wider.low < same.low
    assert apart(one, GAP).is_gap


def test_the_methods_are_spelled_as_records_spell_them() -> None:
    assert [str(parse(name)) for name in METHODS] == list(METHODS)


def test_the_gate_is_what_the_card_says() -> None:
    cells = [{"task": "kv", "length_tokens": 256, "mode": "multi-turn", "passes": True}, {"task": "vt", "length_tokens": 256, "mode": "multi-turn", "passes": False}]  # fmt: skip
    assert passing(cells) == {("kv", 256, "multi-turn")}


def test_a_note_of_a_record_marks_the_numbers_of_a_finding_that_it_enters() -> None:
    rows = made(paper, key="a")
    noted = [
        replace(one, notes=(KEPT_OLD,)) if one.method == DROPPING[0] and one.turn == 0 else one
        for one in rows
    ]
    found = checks(judged("a", noted))
    name = short(DROPPING[0])
    assert set(found[f"{name} - dense, turn 1"].noted) == {KEPT_OLD}
    assert found[f"{name} - dense, later turns"].noted == {}
    shown = markdown(findings(noted, GATE, ROLES))
    line = next(line for line in shown.splitlines() if f"{name} - dense, turn 1" in line)
    assert "‖" in line
    assert "- ‖ made by older code" in shown
