"""Reading one option out of an answer."""

from __future__ import annotations

import pytest

from scbench.scoring.choice import choice, choose, gold_letter, parse_options
from scbench.types import Wanted

OPTIONS = ("Alice", "Dr. Stone", "Bob", "The river")
READ = [
    ("Mary.", None),
    ("Bob.", "C"),
    ("bob", "C"),
    ("**C**", "C"),
    ("C. Bob", "C"),
    ("C - Bob", "C"),
    ("C – the third", "C"),
    ("C-3PO", None),
    ("(C) Alice", None),
    ("C: Alice", None),
    ("C)", "C"),
    ("`C`", "C"),
    ("c.", "C"),
    ("e", None),
    ("E", None),
    ("I, Bob", "C"),
    ("The answer is B because he said so", "B"),
    ("The answer is Bob, not Alice", "C"),
    ("The answer is Dr. Stone", "B"),
    ("answer: B. The answer is C", None),
    ("The correct option is (D).", "D"),
    ("The answer is: C. Alice", None),
    ("Alice or Bob", None),
    ("It was Bob, I think (C)", "C"),
    ("It was Bob, I think (D)", None),
    ("by the river", "D"),
    ("Bobby", None),
    ("The answer is:\n\nC", "C"),
    ("答案：\nC", "C"),
    ("The answer is:", None),
    ("\n\n  D  \nC", "D"),
    ("", None),
    ("dr stone", "B"),
    ("Option", None),
    ("A B", None),
]


@pytest.mark.parametrize(("text", "letter"), READ)
def test_answer_is_read_as(text: str, letter: str | None) -> None:
    assert choice(text, OPTIONS)[0] == letter


def test_option_inside_a_longer_option_is_not_named() -> None:
    assert choice("it was the old river bed", ("river", "river bed", "sea"))[0] == "B"


def test_options_of_a_question_are_the_last_run() -> None:
    question = (
        "Example (A) x (B) y\nQ: which?\nOptions:\n(A) 01/02/2003\n(B)  a (nice) day \n(C) Bob's"
    )
    assert parse_options(question) == ("01/02/2003", "a (nice) day", "Bob's")
    assert parse_options("one line (A) red (B) blue") == ("red", "blue")
    assert parse_options("(B) first, no A") == ()


@pytest.mark.parametrize(
    ("golds", "options", "letter"),
    [
        (("Bob",), OPTIONS, "C"),
        (("C",), OPTIONS, "C"),
        (("Bob", "C"), OPTIONS, "C"),
        (("B",), ("B", "A"), "A"),
        (("x",), ("x", "x"), "A"),
        (("E",), OPTIONS, None),
        (("(B)",), (), "B"),
        (("Bob", "C"), (), None),
    ],
)
def test_gold_is_found_by_text_before_letter(
    golds: tuple[str, ...], options: tuple[str, ...], letter: str | None
) -> None:
    assert gold_letter(golds, options) == letter


def test_a_text_gold_without_options_is_a_gap_and_a_letter_gold_is_read_by_letters() -> None:
    assert choose("Bob", Wanted(golds=("Bob",))).is_gap
    score = choose("(C) Bob", Wanted(golds=("C",)))
    assert score.value == 1.0
    assert "letters only" in score.why
