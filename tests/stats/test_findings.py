"""Every claim with records for which it holds, does not hold, cannot be told and has no headroom;
and what a verdict may rest on.
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
from scbench.stats.checks import Check, Side, Verdict, all_of, apart, judge
from scbench.stats.claims import CLAIMS, Roles
from scbench.stats.findings import Finding, Findings, Models, findings, short
from scbench.stats.headroom import CONTROLS, DENSE, By
from scbench.stats.intervals import GAP, Estimate
from scbench.task_cards import Subtask, TaskCard, card_of
from scbench.types import KEPT_OLD, PAPER_MODES, Cost, GoldScore, Mode, Record

HOLDS, FAILS, UNKNOWN = Verdict.HOLDS, Verdict.FAILS, Verdict.UNKNOWN
MODELS = Models(transformer="attends", recurrent="recurs", hybrid="both")
ROLES = Roles("1/4")
EQUAL = ("kvzip[tau=1/2]", "keydiff[tau=1/2]")
TASKS = ("kv", "prefix_suffix", "qa_eng", "mf")
HELD = {"attends": 1000, "recurs": 800, "both": 500}
CLAIM = {one.key: one for one in CLAIMS}
LONG, SHORT = 256, 128


@dataclass(frozen=True)
class At:
    """Where an answer is given."""

    model: str
    method: str
    task: str
    mode: Mode
    turn: int
    length: int = LONG


Chance = Callable[[At], float]


def good(at: At) -> float:
    return 0.2 if at.method in CONTROLS.values() else 0.97


NEEDED = {  # by each claim, beside dense and the controls
    "a": ROLES.aware,
    "b": (*ROLES.static, *ROLES.dynamic),
    "c": (*ROLES.static, *ROLES.dynamic),
    "d": EQUAL,
    "e": (ROLES.top_k, *ROLES.dropping),
    "f": ROLES.codecs,
}


def arms(key: str) -> list[tuple[str, str, int]]:
    """Model, method and length of what a claim needs; of all without a key."""
    methods = NEEDED[key] if key else tuple(dict.fromkeys(sum(NEEDED.values(), ())))
    found = [("attends", name, LONG) for name in (*ROLES.first, *methods)]
    if key in ("", "d"):
        found += [("recurs", DENSE, LONG), ("both", DENSE, LONG), ("recurs", DENSE, SHORT)]
    return found


@lru_cache(maxsize=64)
def made(
    chance: Chance, *, key: str = "", sessions: int = 16, turns: int = 3
) -> tuple[Record, ...]:
    """Records of what a claim needs; a turn's luck is shared by models and methods, as where a turn
    is hard.
    """
    luck, found = np.random.Generator(np.random.PCG64(5)), list[Record]()
    for task in TASKS:
        for number in range(sessions):
            for mode in PAPER_MODES:
                for turn in range(turns):
                    draw = luck.random()
                    for model, method, length in arms(key):
                        rate = chance(At(model, method, task, mode, turn, length))
                        one = record(
                            task=task,
                            method=method,
                            mode=mode,
                            session=number,
                            turn=turn,
                            turns=turns,
                            value=float(draw < rate),
                            model=model,
                            length_tokens=length,
                            cost=Cost(held_bytes=500 if method in EQUAL else HELD[model]),
                        )
                        gold = GoldScore(tokens=5, nll=1.0, kl_to_dense=0.1, top1_agreement=rate)
                        found.append(replace(one, gold=gold))
    return tuple(found)


def found_in(records: Sequence[Record], by: By | None = None) -> Findings:
    return findings(records, MODELS, by=by)


def judged(key: str, records: Sequence[Record], by: By | None = None) -> Finding:
    return {one.claim.key: one for one in found_in(records, by).findings}[key]


def verdict(key: str, chance: Chance, **more: int) -> Verdict:
    return judged(key, made(chance, key=key, **more)).verdict


def checks(found: Finding) -> dict[str, Check]:
    return {check.what: check for check in found.checks}


def paper(at: At) -> float:
    """A world in which all six hold."""
    if at.method in CONTROLS.values():
        return 0.2
    if at.model == "recurs":
        return 0.97 if at.length == SHORT else 0.2
    if at.method in EQUAL:
        return 0.6
    if at.method in ROLES.dropping:
        return 0.97 if at.mode is Mode.MULTI_TURN and at.turn == 0 else 0.3
    if at.method in ROLES.static:
        return 0.85
    if at.method in ROLES.codecs:
        return 0.5 if at.task in ("kv", "prefix_suffix") else 0.97
    return 0.97


def sparse_is_close(at: At) -> float:
    return 0.97 if at.method in ROLES.static else paper(at)


def static_loses(at: At) -> float:
    """Dynamic sparsity loses as much as static."""
    return 0.7 if at.method in (*ROLES.static, *ROLES.dynamic) else good(at)


def all_lose(at: At) -> float:
    """Everything but full attention and the recurrent model is bad everywhere."""
    return 0.97 if at.method == DENSE and at.model != "both" else 0.3


def others_lose(at: At) -> float:
    """Low bits hurt what is no string."""
    return 0.5 if at.method in ROLES.codecs and at.task in ("qa_eng", "mf") else good(at)


@pytest.mark.parametrize("key", ["a", "c", "d", "e", "f"])
def test_a_claim_holds_where_the_records_say_so(key: str) -> None:
    assert verdict(key, paper) is HOLDS


def test_sparse_prefill_that_answers_as_dense_does_is_close() -> None:
    assert verdict("b", sparse_is_close) is HOLDS


@pytest.mark.parametrize(
    ("key", "world"),
    [
        ("a", good),
        ("a", all_lose),
        ("b", paper),
        ("c", static_loses),
        ("d", good),
        ("d", all_lose),
        ("e", good),
        ("e", all_lose),
        ("f", others_lose),
    ],
)
def test_a_claim_does_not_hold_where_the_records_contradict_it(key: str, world: Chance) -> None:
    assert verdict(key, world) is FAILS


@pytest.mark.parametrize("key", ["a", "c", "f"])
def test_a_claim_has_no_headroom_where_the_control_of_its_stage_loses_nothing(key: str) -> None:
    control = CONTROLS[CLAIM[key].stage]

    def world(at: At) -> float:
        return 0.97 if at.method == control else paper(at)

    found = judged(key, made(world, key=key))
    assert found.verdict is Verdict.NO_HEADROOM
    assert found.checks == ()
    assert control in found.why


@pytest.mark.slow
def test_dynamic_sparsity_has_nothing_to_beat_where_static_loses_nothing() -> None:
    assert verdict("c", good, sessions=48) is Verdict.NO_HEADROOM


@pytest.mark.parametrize("key", ["b", "f"])
def test_a_control_that_was_not_played_leaves_its_claims_untold(key: str) -> None:
    control = CONTROLS[CLAIM[key].stage]
    kept = [one for one in made(paper, key=key) if one.method != control]
    found = judged(key, kept)
    assert found.verdict is UNKNOWN
    assert "was not played" in found.why


@pytest.mark.slow
@pytest.mark.parametrize("key", ["a", "b", "c", "d", "e", "f"])
def test_two_sessions_tell_nothing(key: str) -> None:
    def doubtful(at: At) -> float:
        return {
            "b": sparse_is_close,
            "d": lambda at: 0.45 if at.model == "recurs" and at.length == LONG else paper(at),
        }.get(key, paper)(at)

    assert verdict(key, doubtful, sessions=2, turns=2) is UNKNOWN


@pytest.mark.slow
def test_codecs_that_hurt_nothing_say_nothing_of_what_is_hurt_first() -> None:
    found = checks(judged("f", made(good, key="f", sessions=48)))
    assert verdict("f", good, sessions=48) is UNKNOWN
    assert [one.why for name, one in found.items() if "against" in name] == [
        "not low enough to hurt either"
    ] * len(ROLES.codecs)


@pytest.mark.slow
def test_one_codec_that_hurts_strings_decides_beside_one_that_hurts_nothing() -> None:
    def world(at: At) -> float:
        return paper(at) if at.method == ROLES.codecs[0] else good(at)

    assert verdict("f", world, sessions=48) is HOLDS


def test_one_method_of_many_that_contradicts_a_claim_is_enough() -> None:
    def world(at: At) -> float:
        return 0.97 if at.method == ROLES.dropping[1] else paper(at)

    assert verdict("a", world) is FAILS
    assert verdict("e", world) is FAILS


def test_a_pair_of_sparse_methods_is_shown_and_does_not_bind() -> None:
    def world(at: At) -> float:
        return (
            0.5 if at.method == ROLES.dynamic[2] else 0.3 if at.method in ROLES.static else good(at)
        )

    found = checks(judged("c", made(world, key="c")))
    assert len(found) == 2 + len(ROLES.dynamic) * len(ROLES.static)
    assert [one.what for one in found.values() if one.binds] == ["mean of dynamic - mean of static"]
    assert verdict("c", world) is HOLDS


@pytest.mark.slow
@pytest.mark.parametrize("method", [DENSE, CONTROLS["generation"]])
def test_a_cell_that_dense_does_not_solve_or_the_control_does_not_lose_is_left_out(
    method: str,
) -> None:
    def spoilt(at: At) -> float:
        return 0.1 if at.task == "mf" and at.method in ROLES.static else sparse_is_close(at)

    def world(at: At) -> float:
        is_here = at.task == "mf" and at.method == method
        return (0.5 if method == DENSE else 0.9) if is_here else spoilt(at)

    assert judged("b", made(spoilt, key="b")).verdict is FAILS
    found = judged("b", made(world, key="b"))
    assert found.verdict is HOLDS
    assert {task for task, _, _ in found.cells} == set(TASKS) - {"mf"}


def test_short_answers_say_nothing_of_the_first_turn() -> None:
    records = [
        replace(one, gold=replace(one.gold, tokens=2)) if one.gold else one
        for one in made(paper, key="a")
    ]
    found = judged("a", records)
    assert (found.verdict, found.checks) == (UNKNOWN, ())
    assert "three tokens" in found.why


def test_a_model_that_solves_nothing_is_judged_by_agreement() -> None:
    records = [replace(one, strict=replace(one.strict, value=0.0)) for one in made(paper, key="e")]
    found = found_in(records)
    assert found.gate.by is By.AGREEMENT
    assert judged("e", records).verdict is HOLDS
    by_score = judged("e", records, By.SCORE)
    assert by_score.verdict is UNKNOWN
    assert "solves no cell" in by_score.why


def test_agreement_is_told_apart_from_score() -> None:
    """The same records: every answer right, and the gold's tokens no longer dense's."""
    records = [replace(one, strict=replace(one.strict, value=1.0)) for one in made(paper, key="e")]
    assert judged("e", records, By.SCORE).verdict is Verdict.NO_HEADROOM
    assert judged("e", records, By.AGREEMENT).verdict is HOLDS


def test_losses_are_free_of_chance() -> None:
    """Half of what is above chance is lost, whatever chance gives."""
    with_chance = [
        replace(one, strict=replace(one.strict, side={"floor": 0.5}, value=value))
        for one in made(good, key="e")
        for value in [0.75 if one.method == ROLES.dropping[0] else 1.0]
    ]
    lowered = [
        replace(one, strict=replace(one.strict, value=0.5))
        if one.method in CONTROLS.values()
        else one
        for one in with_chance
    ]
    found = checks(judged("e", lowered))
    assert found["exact-topk - snapkv"].estimate.value == pytest.approx(0.5)
    assert {one.dense for one in found_in(lowered).gate.standings} == {1.0}


def test_twins_of_one_seed_over_lengths_are_one_draw() -> None:
    once = made(paper, key="e", sessions=6)
    twice = [*once, *(replace(one, length_tokens=512, key=f"{one.key}x") for one in once)]
    one, both = (checks(judged("e", records)) for records in (once, twice))
    name = "exact-topk - snapkv"
    assert one[name].estimate.sessions == both[name].estimate.sessions
    width = [
        estimate.high - estimate.low
        for estimate in (one[name].estimate, both[name].estimate)
        if estimate.high is not None and estimate.low is not None
    ]
    assert width[1] > 0.85 * width[0]  # twice as many draws would make it 0.71


def test_tasks_that_a_run_brought_have_their_own_chance_and_share_their_draws() -> None:
    """Two of them ask the same questions, and half is had by guessing."""
    names = {"kv": "near", "prefix_suffix": "far"}
    records = [
        replace(one, task=names[one.task], subtask=names[one.task])
        for one in made(paper, key="e", sessions=6)
        if one.task in names
    ]
    cards = {
        name: TaskCard(
            name=name,
            title=name,
            subtasks=(Subtask(name=name, strict="value", chance=0.5),),
            source="doors",
        )
        for name in names.values()
    }
    unknown = findings(records, MODELS)
    known = findings(records, MODELS, task_cards=cards)
    drawn = [checks(one.findings[4])["exact-topk - snapkv"].estimate for one in (unknown, known)]
    assert [estimate.sessions for estimate in drawn] == [12, 6]
    assert drawn[0].value is not None
    assert drawn[1].value == pytest.approx(2 * drawn[0].value)


def test_no_records_leave_every_claim_open() -> None:
    assert {one.verdict for one in found_in([]).findings} == {UNKNOWN}


def test_without_matched_models_the_fourth_is_not_asked() -> None:
    found = findings(made(paper, key="e"), Models(transformer="attends"))
    assert found.findings[3].verdict is Verdict.NOT_ASKED


def test_a_method_that_did_not_run_is_named_and_a_role_without_methods_is_untold() -> None:
    records = made(paper, key="e")
    fewer = judged("e", [one for one in records if one.method != ROLES.dropping[3]])
    assert (fewer.verdict, fewer.why) == (HOLDS, "not played: h2o")
    none = judged("e", [one for one in records if one.method != ROLES.top_k])
    assert (none.verdict, none.checks) == (UNKNOWN, ())
    assert "exact-topk" in none.why


def test_turns_that_are_missing_for_one_side_only_leave_a_claim_open() -> None:
    """Failed turns have no score; were they few, they would not matter."""
    records = made(sparse_is_close, key="b")
    for share, expected in ((0.02, HOLDS), (0.3, UNKNOWN)):
        edge = int(16 * share) if share < 0.1 else 6
        kept = [
            one
            for one in records
            if one.method != ROLES.static[0] or int(one.seed.partition(":")[2]) >= edge
        ]
        assert judged("b", kept).verdict is expected


def test_a_recurrent_model_that_failed_on_many_turns_is_not_judged_by_the_rest() -> None:
    kept = [one for one in made(paper, key="d") if one.model != "recurs" or one.turn > 0]
    assert judged("d", kept).verdict is UNKNOWN


def test_a_recurrent_model_that_solves_no_shorter_text_is_not_said_to_fail() -> None:
    def world(at: At) -> float:
        return 0.05 if at.model == "recurs" else paper(at)

    found = judged("d", made(world, key="d"))
    assert found.verdict is UNKNOWN
    assert "solves none" in checks(found)["score of recurs"].why


def test_models_meet_on_the_same_texts_only() -> None:
    moved = [
        replace(one, prompt_tokens=one.prompt_tokens + 1) if one.model == "both" else one
        for one in made(paper, key="d")
    ]
    found = checks(judged("d", moved))
    assert found["both - attends+kvzip, at equal bytes"].estimate.is_gap


def test_bytes_that_are_not_the_hybrids_decide_nothing() -> None:
    larger = [
        replace(one, cost=replace(one.cost, held_bytes=600)) if one.method in EQUAL else one
        for one in made(paper, key="d")
    ]
    found = judged("d", larger)
    assert found.verdict is UNKNOWN
    assert "bytes" in checks(found)["both - attends+kvzip, at equal bytes"].why


@pytest.mark.slow
def test_of_several_shares_the_one_with_the_hybrids_bytes_is_compared() -> None:
    records = list(made(paper, key="d"))
    for one in made(paper, key="d"):
        if one.method in EQUAL:
            name = one.method.replace("1/2", "3/4")
            cost, right = replace(one.cost, held_bytes=750), replace(one.strict, value=1.0)
            records.append(replace(one, method=name, cost=cost, strict=right, key=f"{one.key}more"))
    assert judged("d", records).verdict is HOLDS


def test_a_difference_is_the_mean_over_cells_of_paired_differences() -> None:
    records = made(paper, key="a")
    found = checks(judged("a", records))["pyramidkv - dense, later turns"]
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
            for name in (ROLES.dropping[1], DENSE)
        }
        above_chance = 1.0 - card_of(task).subtasks[0].chance
        by_cell.append((means[ROLES.dropping[1]] - means[DENSE]) / above_chance)
    assert found.estimate.value == pytest.approx(np.mean(by_cell))
    assert (found.cells, found.estimate.n, found.estimate.sessions) == (
        len(TASKS),
        2 * 16 * len(TASKS),
        16 * len(TASKS),
    )


def test_records_of_two_protocols_are_refused() -> None:
    records = made(good, sessions=2)
    other = replace(
        records[0], protocol=replace(records[0].protocol, max_new_tokens=3), key="other"
    )
    with pytest.raises(BadRecord, match="more than one protocol"):
        found_in([*records, other])


@pytest.mark.parametrize(
    ("low", "high", "above", "below"),
    [
        (0.06, 0.2, HOLDS, FAILS),
        (-0.1, 0.04, FAILS, HOLDS),
        (0.0, 0.1, UNKNOWN, UNKNOWN),
        (None, None, UNKNOWN, UNKNOWN),
    ],
)
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
    names = [*ROLES.first, *(name for stage in CONTROLS for name in ROLES.of_stage(stage))]
    assert [str(parse(name)) for name in names] == names


def test_a_note_of_a_record_marks_the_numbers_of_a_finding_that_it_enters() -> None:
    rows = made(paper, key="a")
    noted = [
        replace(one, notes=(KEPT_OLD,))
        if one.method == ROLES.dropping[0] and one.turn == 0
        else one
        for one in rows
    ]
    found = checks(judged("a", noted))
    name = short(ROLES.dropping[0])
    assert set(found[f"{name} - dense, turn 1"].noted) == {KEPT_OLD}
    assert found[f"{name} - dense, later turns"].noted == {}
    shown = markdown(found_in(noted))
    line = next(line for line in shown.splitlines() if f"{name} - dense, turn 1" in line)
    assert "‖" in line
    assert "- ‖ made by older code" in shown
