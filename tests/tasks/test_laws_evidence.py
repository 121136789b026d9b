"""What every task promises about its evidence and answers (P4, P6 to P12). A law that needs a
task's own reader names the file that has it.
"""

from __future__ import annotations

import re
from collections import Counter as Tally
from pathlib import Path

import pytest
from solvers_strings import SOLVERS, split
from task_laws import ALL, READ_ELSEWHERE, SOLVED, Thirds, few, make, strict, text_of

from scbench.scoring import grade
from scbench.task_cards import PAPER
from scbench.tasks import task
from scbench.types import Role, Session, Turn

HERE = Path(__file__).parent
SESSIONS = 200


# --- P4 -------------------------------------------------------------------------------------------


def depths(session: Session, turn: Turn) -> list[float]:
    """Where a turn's evidence lies. A chain has no one depth: its first piece is early because the
    chain keeps its order, so all pieces count.
    """
    if session.task == "vt":
        return [
            (span.start + span.stop) / 2 / len(session.context)
            for span in turn.evidence
            if span.role is Role.ANSWER
        ]
    return [] if turn.depth is None else [turn.depth]


def uniform_distance(found: list[float]) -> float:
    ordered = sorted(found)
    n = len(ordered)
    return max(max(abs((i + 1) / n - depth), abs(i / n - depth)) for i, depth in enumerate(ordered))


P4_ELSEWHERE = set(READ_ELSEWHERE)  # each with its own stratification, tested beside its reader
NO_DEPTH = {"many_shot"}


@pytest.mark.parametrize("name", sorted(set(PAPER) - P4_ELSEWHERE - NO_DEPTH))
def test_p4_evidence_is_uniform_over_the_context_whatever_the_turn(name: str) -> None:
    pooled: list[float] = []
    of_turn: dict[int, list[float]] = {}
    for i in range(SESSIONS):
        session = make(name, f"4:{i}")
        own = sorted(depth for turn in session.turns for depth in depths(session, turn))
        assert all(
            (k - 0.15) / len(own) <= depth <= (k + 1.15) / len(own) for k, depth in enumerate(own)
        ), "a stratum is empty"
        pooled += own
        for at, turn in enumerate(session.turns):
            of_turn.setdefault(at, []).extend(depths(session, turn))
    assert uniform_distance(pooled) < 0.05
    for at, found in of_turn.items():
        three_errors = max(0.06, 3 * 0.289 / len(found) ** 0.5)
        assert abs(sum(found) / len(found) - 0.5) <= three_errors, f"turn {at}"


@pytest.mark.parametrize("name", sorted(NO_DEPTH))
def test_p4_a_turn_without_depth_has_its_evidence_everywhere(name: str) -> None:
    assert all(
        turn.depth is None and turn.evidence[0].role is Role.GLOBAL for turn in make(name).turns
    )


# --- P6 to P10 ------------------------------------------------------------------------------------


@ALL
def test_p6_the_gold_scores_1_by_both_rules(name: str) -> None:
    for session in few(name):
        for turn in session.turns:
            assert strict(turn, turn.gold) == 1.0
            official = grade(turn.task, turn.gold, turn.wanted, rule="official").value
            assert official is not None
            assert official > 0.999 or (name == "qa_chn" and official > 0), turn.gold


@SOLVED
def test_p7_the_support_is_enough(name: str) -> None:
    for session in few(name):
        for turn in session.turns:
            if text_of(session, turn, Role.SUPPORT) and not (name == "mf" and turn.depth is None):
                found = SOLVERS[name](split(session, turn)[0], turn)
                assert found is not None
                assert strict(turn, found) == 1.0


@SOLVED
def test_p8_the_support_is_needed(name: str) -> None:
    for session in few(name):
        for turn in session.turns:
            if text_of(session, turn, Role.SUPPORT) and not (name == "mf" and turn.depth is None):
                found = SOLVERS[name](split(session, turn)[1], turn)
                assert found is None or strict(turn, found) < 1.0


@SOLVED
def test_the_whole_context_answers_every_question(name: str) -> None:
    for session in few(name):
        for turn in session.turns:
            found = SOLVERS[name](session.context, turn)
            assert found is not None
            assert strict(turn, found) == 1.0


@ALL
def test_p9_another_turns_gold_scores_nothing(name: str) -> None:
    if name == "many_shot":
        return  # letters are few: turns share them
    for session in few(name):
        for turn in session.turns:
            for other in session.turns:
                if (
                    other.gold != turn.gold
                    and other.task == turn.task
                    and not _is_also_right(turn, other)
                ):
                    assert strict(turn, other.gold) <= (0.7 if turn.task == "summary" else 0.0)


def _is_also_right(turn: Turn, other: Turn) -> bool:
    return other.gold in turn.wanted.golds


@pytest.mark.parametrize("name", ["kv", "prefix_suffix", "vt"])
def test_p9_a_near_miss_scores_nothing(name: str) -> None:
    knobs: dict[str, object] = {"near_keys": 3} if name == "kv" else {}
    for seed in range(4):
        session = task(name).make(seed=f"9:{seed}", target=5000, turns=4, count=Thirds(), **knobs)
        for turn in session.turns:
            near = text_of(session, turn, Role.DISTRACTOR)
            assert bool(near) == (name != "vt")
            for text in near:
                assert (
                    strict(turn, re.findall(r'"([^"]*)"$', text)[0] if name == "kv" else text)
                    == 0.0
                )


@ALL
def test_p10_no_question_names_its_answer(name: str) -> None:
    if name in ("prefix_suffix", "many_shot"):
        return  # its ends are the question; its options are
    for session in few(name):
        for turn in session.turns:
            bare = turn.ask if not turn.wanted.options else ""
            if (
                turn.task != "repoqa"
            ):  # a description speaks of its function in words; its own test compares them
                assert not re.search(rf"(?<!\w){re.escape(turn.gold)}(?!\w)", bare)


# --- P11, P12 -------------------------------------------------------------------------------------


CHANCE_ELSEWHERE = {
    "qa_eng": "test_story_tasks.py",
    "qa_chn": "test_story_tasks.py",
    "choice_eng": "test_story_tasks.py",
    "summary": "test_summary.py",
}


def test_p11_tasks_that_are_left_out_test_it_beside_their_reader() -> None:
    for file in CHANCE_ELSEWHERE.values():
        assert "def test_no_constant_answer" in (HERE / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(set(PAPER) - set(CHANCE_ELSEWHERE)))
def test_p11_no_constant_answer_beats_the_stated_chance(name: str) -> None:
    """Over the golds given most often; code and summaries, which are scored slowly, on
    fewer turns.
    """
    sessions = SESSIONS if name in SOLVERS else 20
    for part in task(name).subtasks:
        turns = [
            turn
            for i in range(sessions)
            for turn in make(name, f"4:{i}").turns
            if turn.task == part
        ]
        turns = turns[:30] if part in ("summary", "repoqa") else turns
        for answer, _ in Tally(turn.gold for turn in turns).most_common(
            1 if part in ("summary", "repoqa") else 3
        ):
            others = [strict(turn, answer) for turn in turns]
            chance = (
                0.6 if part == "summary" else task(name).chance
            )  # between reports ROUGE never falls to 0
            assert sum(others) / len(others) <= chance + max(
                3 * (chance * (1 - chance) / len(turns)) ** 0.5, 2 / len(turns)
            ), answer


LONGER_ASKS_OTHERS = {  # why a longer context may ask something else
    "mf": "its list is drawn anew",
    "qa_eng": "its people grow with its length; tested with equal worlds beside its reader",
    "qa_chn": "as qa_eng",
    "choice_eng": "as qa_eng",
}


@pytest.mark.parametrize("name", sorted(set(PAPER) - set(LONGER_ASKS_OTHERS)))
def test_p12_a_longer_context_asks_the_same(name: str) -> None:
    short, long = make(name, target=8000), make(name, target=12000)
    assert [(turn.ask, turn.gold) for turn in short.turns] == [
        (turn.ask, turn.gold) for turn in long.turns
    ]
    assert long.counted > short.counted
