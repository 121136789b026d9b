"""Strict rules beyond the tables: side values, normal forms, and the words around an answer."""

from __future__ import annotations

from decimal import Decimal

import pytest

from scbench.scoring import grade
from scbench.scoring.number import numbers
from scbench.scoring.summary import split_sentences
from scbench.scoring.text import head, named, norm
from scbench.types import Wanted


def strict(task: str, text: str, wanted: Wanted) -> float | None:
    return grade(task, text, wanted, rule="strict").value


def test_norm_folds_width_case_and_marks() -> None:
    assert norm("  Ｔhe—Old\tMILL's №5\u200b!") == "the old mill s no5"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("\n \n", ""),
        ("a:\nb", "b"),
        ("a:", "a:"),
        ("a：\n\nb:\nc", "c"),
        ("a\nb", "a"),
        ("a:\n\n", "a:"),
    ],
)
def test_head_is_the_first_line_that_says_something(text: str, line: str) -> None:
    assert head(text) == line


def test_names_are_looked_for_longest_first_and_masked() -> None:
    assert named(["york", "new york", "ann"], "new york anna") == {"new york"}
    assert named(["york", "new york"], "new york york") == {"york", "new york"}
    assert named(["a c"], "a b c") == set()
    assert named(["小", "小梅"], "是小梅呢", whole_words=False) == {"小梅"}


def test_a_name_does_not_reach_across_a_masked_one() -> None:
    assert named(["b", "long name", "a b"], "a long name b") == {"long name", "b"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("3rd of 1,23 and v2", []),
        ("-5, +6 −7", [-5, 6, -7]),
        ("70-77", [70, 77]),
        ("1,234,567.50.", [Decimal("1234567.5")]),
        ("1.2.3", []),
        ("٧٧", [77]),
        ("7, 8,", [7, 8]),
        ("x=9", [9]),
        ("a_9", []),
    ],
)
def test_numbers_of_a_text(text: str, found: list[Decimal]) -> None:
    assert numbers(text) == set(found)


def test_only_number_is_kept_even_if_the_question_says_it() -> None:
    wanted = Wanted(golds=("3",), question="How many of the 3 numbers are odd?")
    assert strict("mf", "3", wanted) == 1
    assert strict("mf", "3 and 4", wanted) == 0


def test_numeric_answer_of_a_generated_row_drops_the_question_s_numbers() -> None:
    wanted = Wanted(
        golds=("12",), generated=True, numeric=True, question="How much did lot 7 cost?"
    )
    assert [
        strict("qa_eng", text, wanted)
        for text in ("Lot 7 cost 12 crowns", "12.0", "7", "12 or 13", "")
    ] == [1, 0, 0, 0, 0]


def test_asked_key_is_no_rival_unless_it_is_the_gold() -> None:
    assert strict("kv", "ab-12: cd-34", Wanted(golds=("cd-34",), asked_key="ab-12")) == 1
    assert strict("kv", "ab-12: cd-34", Wanted(golds=("cd-34",))) == 0
    assert strict("kv", "ab-12", Wanted(golds=("ab-12",), asked_key="ab-12")) == 1


def test_gold_of_several_words_must_be_the_whole_answer() -> None:
    assert [
        strict("kv", text, Wanted(golds=("4 8 2 1",)))
        for text in ("4 8 2 1", ' "4 8 2 1". ', "4 8 2 1 7")
    ] == [1, 1, 0]


def test_best_of_several_golds_counts_in_published_qa() -> None:
    score = grade("qa_eng", "The  barn!", Wanted(golds=("old mill", "a barn")), rule="strict")
    assert (score.value, dict(score.side)) == (1.0, {"em": 1.0, "contains": 1.0})
    assert strict("qa_eng", "don't", Wanted(golds=("dont",))) == 1


def test_leak_counts_other_reports_values_and_floor_is_what_their_words_earn() -> None:
    wanted = Wanted(
        golds=("The bridge cost 412 crowns.",),
        facts=("412",),
        rival_facts=("977", "412", "88"),
        rival_golds=("The bridge cost 977 crowns.", "No."),
    )
    score = grade("summary", "It cost 412 or 977, not 4,120.", wanted, rule="strict")
    assert (score.side["fact_recall"], score.side["leak"], score.side["floor"]) == (
        1.0,
        1.0,
        pytest.approx(0.8),
    )


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("A dog ran. Then it slept.", ["A dog ran.", "Then it slept."]),
        (
            'He said "go!" (It went.) 5 of them? “Yes.”',
            ['He said "go!"', "(It went.)", "5 of them?", "“Yes.”"],
        ),
        (
            "Dr. Stone met J. Smith et al. In vain, e.g. Here vs. There. See no. 5",
            ["Dr. Stone met J. Smith et al. In vain, e.g. Here vs. There.", "See no. 5"],
        ),
        ("1. One\n2) Two\n* three\n  - four\n• five", ["One", "Two", "three", "four", "five"]),
        ("small. words stay", ["small. words stay"]),
        ("Is it I? Yes.", ["Is it I?", "Yes."]),
        ("3.14 Is pi.", ["3.14 Is pi."]),
        ("", [""]),
    ],
)
def test_sentences_are_split_at(text: str, sentences: list[str]) -> None:
    assert split_sentences(text).split("\n") == sentences


def test_no_gold_is_a_gap() -> None:
    assert grade("kv", "x", Wanted(golds=()), rule="strict").is_gap
    assert grade("mf", "7", Wanted(golds=("many",)), rule="strict").is_gap
