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


@pytest.mark.parametrize(
    "text",
    [
        "公司卖掉了旧磨坊。",
        "Η γέφυρα κόστισε 412 κορώνες.",
        "كلف الجسر كرونة.",
        "สะพานมีราคา",
        "Мост стоил 412 крон.",
        "पुल की कीमत",
        "naïve café",
    ],
)
def test_a_summary_in_any_script_is_worth_all_and_another_text_less(text: str) -> None:
    wanted = Wanted(golds=(text,))
    assert strict("summary", text, wanted) == pytest.approx(1.0)
    assert (strict("summary", text[::-1], wanted) or 0) < 0.8
    assert (strict("summary", "412", wanted) or 0) < 0.5


def test_accents_are_letters_in_the_strict_form_of_rouge() -> None:
    assert (strict("summary", "îtî îge", Wanted(golds=("été âge",))) or 0) == 0
    assert (strict("summary", "na ve caf", Wanted(golds=("naïve café",))) or 0) == 0
    chinese = Wanted(golds=("公司在 2023 年卖掉了旧磨坊。",))
    assert 0 < (strict("summary", "天气在 2023 年很好", chinese) or 0) < 0.5


def test_a_fact_in_a_script_without_blanks_is_found_in_its_sentence() -> None:
    wanted = Wanted(golds=("旧磨坊",), facts=("旧磨坊",))
    score = grade("summary", "公司卖掉了旧磨坊", wanted, rule="strict")
    assert score.side["fact_recall"] == 1.0
    assert 0.5 < (strict("qa_eng", "公司卖掉了旧磨坊", wanted) or 0) < 1


def test_two_long_texts_are_not_compared_and_the_reason_is_named() -> None:
    wanted = Wanted(golds=("a b " * 5000,))
    for rule in ("strict", "official"):
        score = grade("summary", "b a " * 20_000, wanted, rule=rule)  # type: ignore[arg-type]
        assert score.is_gap
        assert "comparisons" in score.why


def test_what_was_taken_off_an_answer_is_named_in_its_score() -> None:
    wanted = Wanted(golds=("772",))
    score = grade("mf", "<think>775</think>So it is \\boxed{772}.", wanted, rule="strict")
    assert (score.value, score.removed) == (1.0, ("thought", "container"))
    unclosed = grade("mf", "<think>772", wanted, rule="strict")
    assert (unclosed.value, unclosed.why) == (0.0, "the thought never ended")
    assert grade("mf", "772", wanted, rule="strict").removed == ()


@pytest.mark.parametrize(
    ("task", "answer", "gold", "value"),
    [
        ("qa_chn", "孙琳伟的母亲是湛萍翰。", "湛萍翰", 1.0),
        ("qa_chn", "湛萍翰是孙琳伟的母亲。", "孙琳伟", 0.0),
        ("qa_eng", "Lund's mother is Zara.", "Zara", 1.0),
        ("qa_eng", "Hebroth's mother is Lund, and Lund's mother is Zara.", "Zara", 1.0),
        ("qa_eng", "Hebroth's mother is Lund, and Lund's mother is Zara.", "Lund", 0.0),
        ("qa_eng", "It is Zara's.", "Zara", 1.0),
        ("qa_eng", "Lund and Zara", "Zara", 0.0),
    ],
)
def test_whose_mother_she_is_is_not_who_she_is(
    task: str, answer: str, gold: str, value: float
) -> None:
    names = (
        ("孙琳伟", "湛萍翰", "伍鹏琳") if task == "qa_chn" else ("Lund", "Zara", "Hebroth", "Mo")
    )
    question = "伍鹏琳的外祖母是谁？" if task == "qa_chn" else "Who is Hebroth's grandmother?"
    wanted = Wanted(
        golds=(gold,),
        generated=True,
        question=question,
        vocabulary=names,
        is_chinese=task == "qa_chn",
    )
    assert grade(task, answer, wanted, rule="strict").value == value
