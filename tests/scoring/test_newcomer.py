"""What a newcomer's answers showed: forms that say a number, a key or a name without meaning it,
and forms that mean it in other marks. The lines themselves are in `data/answers-newcomer.jsonl`;
these are others of their kind.
"""

from __future__ import annotations

import pytest

from scbench.scoring import grade
from scbench.types import Wanted

LEAST = Wanted(
    golds=("431",),
    generated=True,
    question="Answer with one number only. The smallest number in the list above is",
)
DAY = Wanted(golds=("52",), generated=True, numeric=True, question="On which day did Ro swim?")
KEY = Wanted(
    golds=("81427",),
    generated=True,
    shape="digits",
    asked_key="mill-cat",
    question='Key: "mill-cat"\nThe value associated with this key is:',
)
PASS_KEY = Wanted(golds=("7315528",), generated=True, question="What is the pass key for red elk?")
NAMES = Wanted(golds=("ABC", "DEF"), question="Find all variables that are assigned the value 7")
GIVER = Wanted(
    golds=("Lund",),
    generated=True,
    vocabulary=("Lund", "Zara", "Hebroth", "Orm"),
    question="Who gave the tin cup to Orm?",
)
PLACE = Wanted(
    golds=("old mill",),
    generated=True,
    vocabulary=("old mill", "wet barn", "low quay"),
    question="Where is the tin cup at the end of the story?",
)
OPTIONS = Wanted(
    golds=("old mill",),
    generated=True,
    options=("wet barn", "low quay", "old mill", "high tower"),
    question="Where was Orm on day 12?",
)
ROWS = [
    ("mf", LEAST, "≠431", 0.0),
    ("mf", LEAST, "> 400 and < 431", 0.0),
    ("mf", LEAST, "no less than 431", 0.0),
    ("mf", LEAST, "431 or more", 0.0),
    ("mf", LEAST, "431 percent", 0.0),
    ("mf", LEAST, "mindestens 431", 0.0),
    ("mf", LEAST, "最小的是431", 1.0),
    ("mf", LEAST, "至少431", 0.0),
    ("mf", LEAST, "The list has over 300 numbers; the smallest number is 431.", 1.0),
    ("mf", LEAST, "min → 431", 1.0),
    ("mf", LEAST, "min => 431", 1.0),
    ("mf", LEAST, "> 431", 1.0),  # a quotation of markdown
    ("mf", LEAST, "Of 250 numbers and 17 lines the smallest is 431.", 1.0),
    ("mf", LEAST, "The second smallest is 431.  The smallest is 430.", 0.0),
    ("mf", LEAST, "4.31 × 10²", 1.0),
    ("mf", LEAST, "٤٣١", 1.0),
    ("mf", LEAST, "431 (followed by 440)", 1.0),
    ("qa_eng", DAY, "After day 52 at the latest, more than 51 days in", 1.0),
    ("qa_eng", DAY, "less than 52 days in", 0.0),
    ("qa_eng", DAY, "Day 52 (one day before day 53)", 1.0),
    ("kv", KEY, "I cannot find mill-cat. The nearest key is mill-rat: 81427", 0.0),
    ("kv", KEY, "I did not see mill-cat at first, but its value is 81427", 1.0),
    ("kv", KEY, "81427 was a decoy.", 0.0),
    ("kv", KEY, "So, is it 11111? Checking again… It is 81427.", 1.0),
    ("kv", KEY, "It is 81427. If you meant mill-rat, it is 11111.", 1.0),
    ("kv", KEY, "It is 11111. If you meant mill-rat, it is 81427.", 0.0),
    ("vt", NAMES, "ABC, DEF (GHI is 5 and does not count)", 1.0),
    ("passkey", PASS_KEY, "7.315.528", 1.0),
    ("passkey", PASS_KEY, "7'315'528", 1.0),
    ("prefix_suffix", Wanted(golds=("4kq9zt",), question="Which?"), "‚4kq9zt‘", 1.0),
    ("qa_eng", GIVER, "The sister of Lund", 0.0),
    ("qa_eng", GIVER, "Lund's sister", 0.0),
    ("qa_eng", GIVER, "Lund, the brother of Zara", 1.0),
    ("qa_eng", GIVER, "Lund (the brother of Lund is Zara)", 0.0),
    ("qa_eng", GIVER, "No one: Lund kept it.", 0.0),
    ("qa_eng", GIVER, "No one but Lund.", 1.0),
    ("qa_eng", GIVER, "Lund, who bought it from Zara.", 1.0),
    ("qa_eng", GIVER, "Zara, who bought it from Lund.", 0.0),
    ("qa_eng", PLACE, "In the old mill (brought from the low quay).", 1.0),
    ("qa_eng", PLACE, "It came to the wet barn after leaving the old mill.", 0.0),
    ("choice_eng", OPTIONS, "The third option", 1.0),
    ("choice_eng", OPTIONS, "The first option", 0.0),
    ("choice_eng", OPTIONS, "A good guess: C", 1.0),
    ("choice_eng", OPTIONS, "Wrong: C", 0.0),
    ("choice_eng", OPTIONS, "C (not A)", 1.0),
    ("choice_eng", OPTIONS, "A (not C)", 0.0),
    ("choice_eng", OPTIONS, "A (I originally thought C)", 0.0),
    ("choice_eng", OPTIONS, "(A) wet barn ✗ (B) low quay ✗ (C) old mill ✓", 1.0),
    ("choice_eng", OPTIONS, "(A) wet barn ✗ (B) low quay ✓ (C) old mill ✗", 0.0),
]
KIN = Wanted(
    golds=("Lund",),
    generated=True,
    vocabulary=("Lund", "Zara", "Hebroth"),
    question="Who is the mother of Zara?",
)


@pytest.mark.parametrize(("task", "wanted", "said", "value"), ROWS, ids=[row[2] for row in ROWS])
def test_what_only_looks_like_the_answer_is_none_and_other_marks_are_read(
    task: str, wanted: Wanted, said: str, value: float
) -> None:
    score = grade(task, said, wanted, rule="strict")
    assert score.value == value, (score.read, score.why, score.removed)


def test_where_the_relation_is_asked_for_either_side_may_be_meant() -> None:
    said = grade("qa_eng", "The mother of Zara is Lund, the mother of Hebroth", KIN, rule="strict")
    assert said.value == 0.0  # it names two
    assert grade("qa_eng", "Zara is the daughter of Lund", KIN, rule="strict").value == 0.0
    assert grade("qa_eng", "Zara's mother is Lund", KIN, rule="strict").value == 1.0


def test_a_percentage_is_read_where_one_is_asked_for() -> None:
    asked = Wanted(golds=("43",), question="How many percent came?")
    assert grade("mf", "43%", asked, rule="strict").value == 1.0


SUMMARY = Wanted(
    golds=("The mill cost 7863 crowns and opened on 9 March 1904.",),
    generated=True,
    question='Summarize the report titled "The Mill" in 1 sentence.',
    facts=("7863", "9 March 1904"),
)


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("Die Mühle kostete 7863 Kronen und öffnete am 9. März 1904.", 1.0),
        ("Le moulin, ouvert le 9 mars 1904, coûta 7 863 couronnes.", 1.0),
        ("El molino costó 7863 coronas y abrió el 9 de marzo de 1904.", 1.0),
        ("磨坊耗资7863克朗，于1904年3月9日开放。", 1.0),
        ("It cost 7863 crowns and opened on 9 March 1904x", 0.5),
        ("It cost 7863 crowns and did not open on 9 March 1904.", 0.5),
        ("It wasn't 7863 crowns, and it never opened.", 0.0),
        ("It did not open until 9 March 1904 and cost not only time, but 7863 crowns.", 1.0),
    ],
)
def test_a_summary_states_facts_in_many_marks_and_not_those_it_denies(
    said: str, value: float
) -> None:
    assert grade("summary", said, SUMMARY, rule="strict").value == value
