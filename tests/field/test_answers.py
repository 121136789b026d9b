"""Right answers that scored 0, and wrong ones that scored 1.

A letter after other words than "the answer is", in small type, before a dash, or behind a heading;
an A that was dropped as an article; a right answer and then the next question; a greeting before
the answer; the second of two golds.
"""

from __future__ import annotations

from typing import Any

import pytest

from scbench.scoring import grade, score_lines
from scbench.tasks import task
from scbench.types import Mode

OPTIONS = ("the old mill", "a red door", "an apple", "the sea")
CHOSEN = {
    "I would pick B — a safe choice.": "B",
    "Antwort:\n\nAntwort: C": "C",
    "the correct answer is d.": "D",
    "the correct answer is (d).": "D",
    "The answer is b": "B",
    "I would go with B.": "B",
    "Therefore, B.": "B",
    "B is correct.": "B",
    "Option B is the right one.": "B",
    "\\boxed{B}": "B",
    "The answer is not A but B.": "B",
    "The answer is B. Note that A is common.": "B",
    "A good question. The answer is B.": "B",
    "I think the answer is C.": "C",
    # nobody reported these
    "It must be C": "C",
    "It's B.": "B",
    "That is D, I am sure.": "D",
    "Is it B? It is C.": "C",
    "It is A good question. The answer is B.": "B",
    "my pick: c": "C",
    "La respuesta es B.": "B",
    "答案：b": "B",
    "D, because A is wrong": "D",
    "I": None,
    "Both A and B": None,
    "It's a B or so": None,
}


def strict(name: str, gold: Any, answer: str, **more: Any) -> float | None:
    """What `scbench score` gives a line."""
    row = {"task": f"scbench_{name}", "subtask": None, "mode": Mode.MULTI_TURN, "gold": gold}
    (scored,) = score_lines([{**row, "prediction": answer, **more}])
    value: float | None = scored["scores"]["strict"]
    return value


@pytest.mark.parametrize("answer", CHOSEN)
def test_the_letter_that_is_stated_is_the_one_that_is_read(answer: str) -> None:
    right = [
        letter
        for letter in "ABCD"
        if strict("choice_eng", letter, answer, options=list(OPTIONS)) == 1
    ]
    assert right == [letter for letter in [CHOSEN[answer]] if letter]


@pytest.mark.parametrize(
    ("gold", "answer", "least", "most"),
    [
        ("Vitamin A", "vitamin", 0, 0.99),
        ("group A", "group", 0, 0.99),
        ("plan A", "plan B", 0, 0.7),
        ("A", "The answer is A", 1, 1),
        ("A", "A", 1, 1),
        ("A", "", 0, 0),
        ("Vitamin A", "the vitamin A", 1, 1),
        ("the old mill", "old mill", 1, 1),
        ("Vitamin A deficiency", "vitamin deficiency", 0, 0.99),
        ("Vitamin A deficiency", "a vitamin a deficiency", 1, 1),
        ("hung by a thread", "hung by thread", 1, 1),
        ("旧磨坊", "公司卖掉了旧磨坊", 0.5, 1),
    ],
)
def test_a_letter_that_is_part_of_a_name_is_no_article(
    gold: str, answer: str, least: float, most: float
) -> None:
    value = strict("qa_eng", gold, answer)
    assert value is not None
    assert least <= value <= most


GOLDS: dict[str, Any] = {
    "qa_eng": "the old mill",
    "kv": "4821",
    "prefix_suffix": "bnsrg3s9",
    "mf": 77,
    "vt": ["ABCDE", "FGHIJ"],
    "qa_chn": "旧磨坊",
    "choice_eng": "B",
    "many_shot": "B",
}


@pytest.mark.parametrize(
    "form",
    [
        "{}\n\nQuestion: what else?\nAnswer: 9999",
        "{}\nQuestion: what else?\nAnswer: 9999",
        "Sure, here it is:\n\n{}",
        "Sure, here it is:\n{}",
    ],
)
@pytest.mark.parametrize("name", GOLDS)
def test_what_stands_around_the_answer_costs_it_nothing(name: str, form: str) -> None:
    gold = GOLDS[name]
    written = " ".join(gold) if isinstance(gold, list) else str(gold)
    more = {"options": list(OPTIONS)} if name == "choice_eng" else {}
    assert strict(name, gold, form.format(written), **more) == 1


@pytest.mark.parametrize("part", ["passkey", "summary"])
def test_every_gold_of_a_mixed_row_counts_in_both_doors(part: str) -> None:
    kind, golds = task("summary_with_needles"), ["11111", "22222"]
    assert kind.read_turn is not None
    item = {"input": "What is the pass key?", "answer": golds, "task": f"scbench_{part}"}
    turn = kind.read_turn({"context": "x"}, item)
    assert grade(turn.task, "22222", turn.wanted, rule="strict").value == 1
    assert strict("summary_with_needles", golds, "22222", subtask=f"scbench_{part}") == 1
    assert turn.gold == "11111"  # what history shows
