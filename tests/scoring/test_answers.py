"""Answers as models give them: what the fixture holds, and what the rules make of it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from scbench.scoring import SUBTASKS
from scbench.task_cards import PAPER

from .answers import FOURTH, LATER, NEWCOMER, THIRD, Case, cases, figures, held_out, scored_right

FORMS = (
    "think closed",
    "think unclosed",
    "think opened by the prompt",
    "thought marks",
    "reasoning tag",
    "channel marks",
    "boxed",
    "json",
    "xml tag",
    "answer is",
    "final line",
    "three lines",
    "markdown bold",
    "markdown fence",
    "markdown bullet",
    "markdown heading",
    "full-width",
    "cjk option",
    "cjk number",
    "chinese numerals",
    "traditional",
    "thousands",
    "ordinal",
    "article",
    "negation",
    "negation with another",
    "cjk negation",
    "preamble",
    "next question",
    "next question, wrong first",
    "refusal",
    "two values",
    "near miss",
    "another's answer",
    "another task's answer",
    "the question again",
    "correction",
    "letter and text disagree",
    "marks in the gold",
)


@pytest.fixture(scope="module")
def all_cases() -> list[Case]:
    return cases()


def test_every_scorer_and_every_form_that_was_reported_has_answers(all_cases: list[Case]) -> None:
    assert {case.task for case in all_cases} == set(SUBTASKS)
    assert set(FORMS) <= {case.form for case in all_cases}
    assert len({case.id for case in all_cases}) == len(all_cases) >= 300


def test_at_least_a_third_of_the_answers_is_wrong_and_a_third_is_held_out(
    all_cases: list[Case],
) -> None:
    wrong = Counter(case.right for case in all_cases)[False]
    assert wrong / len(all_cases) > 0.35
    assert 0.28 < sum(case.is_held_out for case in all_cases) / len(all_cases) < 0.39


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.id) for case in cases() if not case.is_held_out]
)
def test_an_answer_scores_if_it_is_right_and_only_then(case: Case) -> None:
    score = case.score()
    assert scored_right(case), (case.form, case.prediction, score)


def test_of_answers_that_no_rule_was_made_by_the_right_ones_score() -> None:
    scoring, right, passing, wrong = figures(held_out())
    assert scoring / right >= 0.95
    assert passing / wrong <= 0.03


# "The clock left the mill": that leaving denies staying is no matter of form. Nor is who gives and
# who gets, or which of two sentences answers; names in small letters are other names.
KNOWN_MISSES = {
    "fourth-place-14",
    "new-choice-eng-56",
    "new-kv-47",
    "new-qa-eng-38",
    "new-qa-eng-48",
    "new-qa-eng-53",
    "new-vt-09",
}


@pytest.mark.parametrize("file", [LATER, THIRD, FOURTH, NEWCOMER], ids=lambda file: file.stem)
def test_of_answers_in_forms_that_no_rule_was_made_for_the_known_ones_alone_are_misread(
    file: Path,
) -> None:
    misread = {case.id for case in cases(file) if not scored_right(case)}
    assert misread == KNOWN_MISSES & {case.id for case in cases(file)}


def test_further_answers_come_from_all_twelve_tasks() -> None:
    lines = map(json.loads, THIRD.read_text(encoding="utf-8").splitlines())
    assert {line["task"] for line in lines} == set(PAPER)
