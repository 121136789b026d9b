"""Retr.Prefix-Suffix: one string has both ends; decoys have one of them."""

from __future__ import annotations

import re

import pytest

from scbench.errors import BadConfig
from scbench.scoring import grade
from scbench.tasks import task
from scbench.tasks.contract import Bytes
from scbench.types import Role, Session

SHAPES: list[tuple[int, dict[str, object]]] = [
    (30_000, {}),
    (2000, {}),
    (
        2000,
        {
            "prefix_len": 2,
            "suffix_len": 2,
            "shortest": 12,
            "longest": 14,
            "decoys": 3,
            "alphabet": "abcdefgh01234567",
        },
    ),
]


def make(seed: str = "3:0", target: int = 30_000, turns: int = 5, **knobs: object) -> Session:
    return task("prefix_suffix").make(seed=seed, target=target, turns=turns, count=Bytes(), **knobs)


def ends(ask: str) -> tuple[str, str]:
    prefix, suffix = re.findall(r'"([^"]+)"', ask)
    return prefix, suffix


@pytest.mark.parametrize(("target", "knobs"), SHAPES)
def test_one_string_has_both_ends_and_neither_end_alone_decides(
    target: int, knobs: dict[str, object]
) -> None:
    for seed in range(4):
        session = make(f"3:{seed}", target, **knobs)
        lines, decoys = session.context.split("\n"), int(str(session.recipe["decoys"]))
        for turn in session.turns:
            prefix, suffix = ends(turn.ask)
            assert [
                line for line in lines if line.startswith(prefix) and line.endswith(suffix)
            ] == [turn.gold]
            assert (
                sum(line.startswith(prefix) for line in lines)
                == sum(line.endswith(suffix) for line in lines)
                == 1 + decoys
            )
            assert sum(span.role is Role.DISTRACTOR for span in turn.evidence) == 2 * decoys


@pytest.mark.parametrize(("target", "knobs"), SHAPES)
def test_strings_differ_hold_a_digit_and_keep_to_their_lengths(
    target: int, knobs: dict[str, object]
) -> None:
    session = make(target=target, **knobs)
    lines = session.context.split("\n")
    assert len(set(lines)) == len(lines)
    assert all(re.fullmatch(r"[a-z0-9]+", line) and re.search(r"\d", line) for line in lines)
    low, high = int(str(session.recipe["shortest"])), int(str(session.recipe["longest"]))
    assert all(low <= len(line) <= high for line in lines)
    assert not any(short in long for short in lines for long in lines if short is not long)


def test_repeating_the_question_before_the_answer_is_no_rival() -> None:
    for target in (2000, 30_000):
        for turn in make(target=target).turns:
            assert (
                grade(
                    "prefix_suffix", f"{turn.ask} It is {turn.gold}.", turn.wanted, rule="strict"
                ).value
                == 1.0
            )


@pytest.mark.parametrize(
    "knobs",
    [
        {"alphabet": "abc"},
        {"alphabet": "aab1"},
        {"alphabet": "123"},
        {"prefix_len": 40},
        {"prefix_len": 8, "suffix_len": 8, "shortest": 16, "longest": 20},
        {"shortest": 30, "longest": 20},
        {"alphabet": "a1", "shortest": 12, "prefix_len": 7, "suffix_len": 3},
        {"decoys": True},
    ],
)
def test_a_knob_that_is_not_allowed_is_refused(knobs: dict[str, object]) -> None:
    with pytest.raises(BadConfig, match="prefix_suffix"):
        make(**knobs)


def test_a_published_turn_is_read_without_an_id() -> None:
    turn = task("prefix_suffix").read_turn({"context": "x"}, {"answer": "abc1", "input": "Which?"})
    assert (turn.gold, turn.ask, turn.wanted.golds) == ("abc1", "Which?", ("abc1",))
    assert set(task("prefix_suffix").write_row(make(target=2000), 4)) == {"context", "multi_turns"}
