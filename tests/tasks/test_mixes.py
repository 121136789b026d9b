"""Mix.Sum+NIAH and Mix.RepoQA+KV: both halves keep the promises of their tasks, and neither
disturbs the other.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest
from solvers_documents import functions, passkey, spans_text, uniform_distance, value, without

from scbench.errors import BadConfig, BadRow, TooSmall
from scbench.scoring.grade import grade
from scbench.tasks import task
from scbench.tasks.build import tolerance
from scbench.tasks.contract import Bytes, Counter, Words
from scbench.types import Role, Session, Turn

NEEDLES, PAIRS = "summary_with_needles", "repoqa_and_kv"
BYTES = Bytes()
_NEEDLE = re.compile(r" The pass key for [a-z ]+ is \d+\. Remember it\.")
_ENTRY = re.compile(r"^# entry (\{.*\})$", re.MULTILINE)


def make(
    name: str,
    seed: str = "2:0",
    target: int = 30_000,
    turns: int = 8,
    count: Counter = BYTES,
    **knobs: object,
) -> Session:
    return task(name).make(seed=seed, target=target, turns=turns, count=count, **knobs)


def sessions(name: str) -> list[Session]:
    return [make(name, f"2:{i}") for i in range(4)] + [
        make(name, f"2:{i}", target=2500, turns=4) for i in range(4)
    ]


def strict(turn: Turn, prediction: str) -> float | None:
    return grade(turn.task, prediction, turn.wanted, rule="strict").value


@pytest.mark.parametrize(
    ("name", "parts"), [(NEEDLES, ("summary", "passkey")), (PAIRS, ("repoqa", "kv"))]
)
def test_sub_tasks_alternate_or_come_in_seeded_order(name: str, parts: tuple[str, str]) -> None:
    assert [turn.task for turn in make(name).turns] == [*parts] * 4
    seeded = [
        tuple(turn.task for turn in make(name, f"2:{i}", order="seeded").turns) for i in range(4)
    ]
    assert all(sorted(order) == sorted([*parts] * 4) for order in seeded)
    assert len(set(seeded)) > 1
    assert task(name).subtasks == parts


@pytest.mark.parametrize("name", [NEEDLES, PAIRS])
def test_golds_score_1_and_golds_of_other_turns_do_not(name: str) -> None:
    for session in sessions(name):
        for turn in session.turns:
            assert strict(turn, turn.gold) == 1
            assert grade(turn.task, turn.gold, turn.wanted, rule="official").value == 1
            assert all(
                (strict(turn, other.gold) or 0) <= 0.7
                for other in session.turns
                if other is not turn
            )


@pytest.mark.parametrize("name", [NEEDLES, PAIRS])
@pytest.mark.parametrize(
    ("target", "turns", "count"),
    [(256, 2, Words()), (1024, 5, Words()), (4096, 8, Words()), (32_768, 8, Bytes())],
)
def test_a_session_has_the_length_asked_for(
    name: str, target: int, turns: int, count: Counter
) -> None:
    session = make(name, target=target, turns=turns, count=count)
    assert session.counted == count(session.context)
    assert abs(session.counted - target) <= tolerance(target)
    assert len(session.turns) == turns


@pytest.mark.parametrize("name", [NEEDLES, PAIRS])
def test_the_minimum_holds_for_every_seed(name: str) -> None:
    least = task(name).minimum(turns=4, count=Bytes())
    assert all(make(name, f"8:{i}", target=least, turns=4) for i in range(20))
    with pytest.raises(TooSmall):
        make(name, target=150, turns=4)


@pytest.mark.slow
@pytest.mark.parametrize("name", [NEEDLES, PAIRS])
def test_depths_are_uniform_over_sessions_for_each_half(name: str) -> None:
    depths: dict[str, list[float]] = {}
    for i in range(80):
        for turn in make(name, f"5:{i}", target=16_000).turns:
            depths.setdefault(turn.task, []).append(turn.depth or 0.0)
    for part, found in depths.items():
        assert uniform_distance(found) < 0.06, part


@pytest.mark.parametrize("name", [NEEDLES, PAIRS])
def test_asked_items_do_not_depend_on_the_length(name: str) -> None:
    short, long = make(name), make(name, target=60_000)
    assert [turn.ask for turn in short.turns] == [turn.ask for turn in long.turns]
    assert [turn.gold for turn in short.turns] == [turn.gold for turn in long.turns]


@pytest.mark.parametrize(("name", "knobs"), [(NEEDLES, {"order": "any"}), (NEEDLES, {"extra_needles": -1}), (PAIRS, {"variant": "x"}), (PAIRS, {"pairs_per_1k": 500})])  # fmt: skip
def test_a_knob_out_of_range_is_refused(name: str, knobs: dict[str, object]) -> None:
    with pytest.raises(BadConfig):
        make(name, **knobs)  # type: ignore[arg-type]


# --- pass keys among reports ----------------------------------------------------------------------


def test_each_pass_key_is_found_once_and_only_in_its_span() -> None:
    for session in sessions(NEEDLES):
        for turn in (turn for turn in session.turns if turn.task == "passkey"):
            assert passkey(session.context, turn.ask) == turn.gold
            assert passkey(" ".join(spans_text(session, turn, Role.SUPPORT)), turn.ask) == turn.gold
            assert passkey(without(session, turn), turn.ask) is None
            assert spans_text(session, turn, Role.ANSWER) == [turn.gold]
            assert session.context.count(turn.gold) == 1
            assert turn.gold not in turn.ask
            (miss,) = spans_text(session, turn, Role.DISTRACTOR)
            assert strict(turn, miss) == 0


def test_no_pass_key_is_as_long_as_a_reports_number() -> None:
    for session in sessions(NEEDLES):
        facts = [
            value
            for turn in session.turns
            for value in (*turn.wanted.facts, *turn.wanted.rival_facts)
        ]
        assert {len(fact) for fact in facts if fact.isdigit()}.isdisjoint({5, 6, 7})
        assert {len(turn.gold) for turn in session.turns if turn.task == "passkey"} <= {5, 6, 7}


def test_pass_keys_stand_between_sentences_and_never_beside_a_key_fact() -> None:
    for session in sessions(NEEDLES):
        facts = {
            line
            for turn in session.turns
            if turn.task == "summary"
            for line in "\n".join((turn.gold, *turn.wanted.rival_golds)).split("\n")
        }
        for paragraph in session.context.split("\n"):
            parts = _NEEDLE.split(paragraph)
            for before, after in pairwise(parts):
                assert before == "" or before.endswith(".")
                assert not any(
                    before.endswith(fact) or after.startswith(f" {fact}") for fact in facts
                )
            if len(parts) > 1:
                assert parts[0].endswith(".")
                assert parts[-1].startswith(" ")


def test_without_its_pass_keys_the_context_is_one_of_reports() -> None:
    for session in sessions(NEEDLES):
        plain = _NEEDLE.sub("", session.context)
        assert "pass key" not in plain
        for turn in (turn for turn in session.turns if turn.task == "summary"):
            assert turn.gold == "\n".join(
                line for line in turn.gold.split("\n") if plain.count(line) == 1
            )
            assert all(
                plain.count(fact) == 1 for fact in (*turn.wanted.facts, *turn.wanted.rival_facts)
            )
            assert not _NEEDLE.search(turn.gold)
            assert grade("summary", turn.gold, turn.wanted, rule="strict").side["floor"] == 0
        headings = re.findall(r"^Report (\d+): ", plain, flags=re.MULTILINE)
        assert headings == [str(i + 1) for i in range(len(headings))]


def test_many_pass_keys_have_different_owners() -> None:
    session = make(NEEDLES, target=200_000, turns=4, extra_needles=250)
    owners = re.findall(r"The pass key for (.+?) is", session.context)
    assert len(owners) == len(set(owners)) == 252


def test_sums_with_needles_are_the_same_for_ever() -> None:
    assert make(NEEDLES, target=9000, turns=4).digest[:16] == "b3b5f6b34a70356d"


# --- pairs among functions ------------------------------------------------------------------------


def test_values_are_looked_up_and_only_their_line_tells_them() -> None:
    for session in sessions(PAIRS):
        for turn in (turn for turn in session.turns if turn.task == "kv"):
            assert value(session.context, turn.ask) == turn.gold
            assert value(" ".join(spans_text(session, turn, Role.SUPPORT)), turn.ask) == turn.gold
            assert value(without(session, turn), turn.ask) is None
            assert spans_text(session, turn, Role.ANSWER) == [turn.gold]


def test_pairs_stand_on_lines_of_their_own_and_nowhere_in_code() -> None:
    for session in sessions(PAIRS):
        pairs = [
            pair for text in _ENTRY.findall(session.context) for pair in json.loads(text).items()
        ]
        code = _ENTRY.sub("", session.context)
        asked = sum(turn.task == "kv" for turn in session.turns)
        target = int(str(session.recipe["target"]))
        assert len(pairs) == max(asked + 2, round(1.5 * target / 1000))
        for key, held in pairs:
            assert session.context.count(key) == session.context.count(held) == 1
            assert key not in code
            assert held not in code


def test_the_context_parses_and_candidates_are_all_its_functions() -> None:
    for session in sessions(PAIRS):
        found = functions(session.context)
        for turn in (turn for turn in session.turns if turn.task == "repoqa"):
            (source,) = spans_text(session, turn, Role.ANSWER)
            assert found[source] == turn.wanted.name
            assert set(turn.wanted.candidates.values()) == set(found)
            assert "# entry" not in source


def test_compact_sessions_have_easy_pairs_and_others_uuids() -> None:
    assert {turn.wanted.shape for turn in make(PAIRS, target=2500, turns=4).turns} == {
        None,
        "digits",
    }
    assert {turn.wanted.shape for turn in make(PAIRS).turns} == {None, "uuid"}
    assert {turn.wanted.shape for turn in make(PAIRS, variant="easy").turns} == {None, "digits"}


# --- published rows -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [NEEDLES, PAIRS])
def test_a_written_row_reads_back(name: str) -> None:
    session = make(name)
    written = task(name).write_row(session, 3)
    read = [task(name).read_turn(written, item) for item in written["multi_turns"]]  # type: ignore[attr-defined]
    for one, made in zip(read, session.turns, strict=True):
        assert (one.task, one.ask, one.wanted.golds, one.wanted.name) == (
            made.task,
            made.ask,
            made.wanted.golds,
            made.wanted.name,
        )
    assert {item["task"] for item in written["multi_turns"]} == {
        f"scbench_{part}" for part in task(name).subtasks
    }  # type: ignore[attr-defined]


def test_published_turns_may_have_list_answers_and_no_name_but_must_say_their_task() -> None:
    turn = task(NEEDLES).read_turn(
        {}, {"task": "scbench_passkey", "input": "Key?", "answer": ["90210"]}
    )
    assert (turn.task, turn.wanted.golds, turn.max_new_tokens) == ("passkey", ("90210",), 16)
    turn = task(PAIRS).read_turn(
        {"repo": "a/b", "lang": "go"},
        {"task": "scbench_repoqa", "input": "Which?", "answer": "f", "name": ""},
    )
    assert (turn.task, turn.wanted.name, turn.wanted.lang, turn.max_new_tokens) == (
        "repoqa",
        None,
        "go",
        1024,
    )
    assert (
        task(PAIRS)
        .read_turn({}, {"task": "scbench_kv", "input": 'Key: "a"', "answer": "b"})
        .max_new_tokens
        == 150
    )
    with pytest.raises(BadRow):
        task(PAIRS).read_turn({}, {"input": "Which?", "answer": "f"})
