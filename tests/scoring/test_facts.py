"""A summary of a generated report is worth its right facts less its false ones, in any words."""

from __future__ import annotations

import pytest

from scbench.scoring import grade
from scbench.scoring.facts import told
from scbench.types import Score, Wanted

GOLD = (
    "Work on the mill began on 20 June 1938.\nThe mill had been placed in the hands of Orla "
    "Zellicroft.\nA broken nested hopper caused most trouble at the mill.\nIn all 6124 samples "
    "were drawn from the mill.\nThe mill cost 7863 crowns in the end."
)
OTHER = (
    "Old maps show no quarry before 3 May 1844.\nLet Bram Imaebeck decide what becomes of the "
    "quarry.\nThe quarry cost 4411 crowns in the end."
)
WANTED = Wanted(
    golds=(GOLD,),
    generated=True,
    question='Summarize the report titled "The Amber Mill" in 5 sentences, giving its key facts.',
    facts=("20 June 1938", "Orla Zellicroft", "nested hopper", "6124", "7863"),
    rival_facts=("3 May 1844", "Bram Imaebeck", "4411"),
    rival_golds=(OTHER,),
)
OWN_WORDS = (
    "Building started on June 20th, 1938 under Orla Zellicroft. They took 6,124 samples, found a "
    "nested hopper at fault, and spent 7,863 crowns."
)
EVERY_VALUE_WRONG = (
    GOLD.replace("20 June 1938", "3 March 1840")
    .replace("Orla Zellicroft", "Bram Ostefell")
    .replace("nested hopper", "split yoke")
    .replace("6124", "9010")
    .replace("7863", "2277")
)
ROWS = [
    ("the gold", GOLD, 1.0),
    ("own words with all five facts", OWN_WORDS, 1.0),
    ("values alone", "20 June 1938; Orla Zellicroft; nested hopper; 6124; 7863", 1.0),
    ("a numbered list", "1. 6124 samples\n2. 7863 crowns", 0.4),
    ("another report's reference", OTHER, 0.0),
    ("every value wrong", EVERY_VALUE_WRONG, 0.0),
    ("both reports", f"{GOLD}\n{OTHER}", 0.4),
    ("four right and an invented number", GOLD.replace("7863", "7864"), 0.6),
    ("four right and another's number", GOLD.replace("7863", "4411"), 0.6),
    ("rhetoric", "Strange as that may sound, one point is beyond doubt.", 0.0),
    ("nothing", "", 0.0),
    ("a value inside a longer number", "61245 samples", 0.0),
]


def score(text: str) -> Score:
    return grade("summary", text, WANTED, rule="strict")


@pytest.mark.parametrize(("text", "value"), [row[1:] for row in ROWS], ids=[r[0] for r in ROWS])
def test_a_summary_is_worth_its_right_facts_less_its_false_ones(text: str, value: float) -> None:
    assert score(text).value == pytest.approx(value)


def test_what_the_words_are_worth_stands_beside() -> None:
    wrong, own = score(EVERY_VALUE_WRONG), score(OWN_WORDS)
    assert wrong.side["rouge"] > 0.6 > own.side["rouge"]
    assert (wrong.side["fact_recall"], wrong.side["leak"], wrong.side["invented"]) == (0, 0, 3)
    assert own.side["floor"] == 0


def test_a_published_row_is_scored_by_its_words() -> None:
    published = Wanted(golds=(GOLD,), question=WANTED.question)
    by_words = grade("summary", EVERY_VALUE_WRONG, published, rule="strict").value
    assert by_words is not None
    assert by_words > 0.6


@pytest.mark.parametrize(
    "text",
    ["20 June 1938", "June 20, 1938", "20th of June 1938", "1938-06-20", "JUNE 20th, 1938"],
)
def test_a_day_is_the_same_in_every_common_spelling(text: str) -> None:
    assert told(text) == "20 june 1938"


@pytest.mark.parametrize("text", ["6124", "6,124", "6’124", "6\u202f124"])
def test_a_number_is_the_same_with_any_separator_of_thousands(text: str) -> None:
    assert told(text) == "6124"


def test_a_list_of_numbers_is_no_larger_number() -> None:
    assert told("1, 200 and 3,40") == "1 200 and 3 40"
