"""The official rules against values the released scorer itself gave, and where it would have
stopped.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scbench.scoring import grade
from scbench.scoring.official import LineWanted
from scbench.types import PAPER_MODES, Mode, Wanted

from .corpus import TASKS, Item, corpus

EXPECTED: dict[str, list[float | None]] = json.loads(
    (Path(__file__).parent / "data" / "official.json").read_text(encoding="utf-8")
)
SEED = 101  # of the corpus whose expected values are kept; null = the released scorer raised


def wanted_of(item: Item) -> Wanted:
    golds = item.label if isinstance(item.label, list) else [item.label]
    return LineWanted(
        golds=tuple(map(str, golds)),
        label=item.label,
        options=item.options,
        name=item.name,
        lang=item.lang,
    )


def typed(task: str, item: Item) -> Wanted:
    """The same want without the label's type, as a turn of a task carries it."""
    golds = (
        item.label[:1]
        if task in ("choice_eng", "passkey") and isinstance(item.label, list)
        else item.label
    )
    return Wanted(
        golds=tuple(map(str, golds if isinstance(golds, list) else [golds])),
        options=item.options,
        name=item.name,
        lang=item.lang,
    )


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("make", [wanted_of, None], ids=["from a line", "from a turn"])
def test_thousand_random_answers_score_as_the_released_code_scored_them(
    task: str, make: Any
) -> None:
    wrong = []
    for item, expected in zip(corpus(task, 1000, SEED), EXPECTED[task], strict=True):
        wanted = wanted_of(item) if make else typed(task, item)
        score = grade(task, item.prediction, wanted, rule="official", needles=item.needles)
        if score.value != expected:
            wrong.append((item, expected, score))
    assert not wrong, wrong[:3]


@pytest.mark.parametrize("task", TASKS)
def test_kept_values_hold_right_and_wrong_answers(task: str) -> None:
    known = [value for value in EXPECTED[task] if value is not None]
    assert len(EXPECTED[task]) == 1000
    assert min(known) == 0
    assert max(known) == 1
    assert 0.05 < sum(known) / len(known) < 0.7


CRASHES: list[tuple[str, str, Any]] = [
    ("mf", "9" * 400, 77),
    ("mf", "77", "77"),
    ("mf", "nothing", "77"),
    ("mf", "77", []),
    ("vt", "ABC", []),
    ("kv", "5", 5),
    ("kv", "a", ["a"]),
    ("vt", "5", [5]),
    ("vt", "5", 5),
    ("qa_chn", "5", 5),
    ("many_shot", "x", [1]),
    ("passkey", "5", []),
    ("summary", "x", []),
]


@pytest.mark.parametrize(("task", "text", "label"), CRASHES)
def test_a_gold_on_which_the_released_code_raises_is_a_gap_with_the_exception(
    task: str, text: str, label: Any
) -> None:
    score = grade(task, text, LineWanted(golds=("?",), label=label), rule="official")
    assert score.is_gap
    assert "Error" in score.why


ODD: list[tuple[str, str, Any, float]] = [
    ("passkey", "90210", 90210, 0),  # an int is never equal to a run of digits
    ("passkey", "no digits", "", 1),
    ("passkey", "٩٠٢١٠", "90210", 0),
    ("mf", "٧٧", 77, 1),  # but Math.Find reads digits of any script
    ("mf", "1e9", 1, 1),
    ("mf", "77.99", 77, 1),
    ("mf", "77", 77.0, 1),
    ("kv", "", "", 1),
    ("vt", "", [""], 1),
    ("vt", "abc", "ABD", 0.67),  # a plain string is read letter by letter
    ("many_shot", "x", "", 0),
    ("many_shot", "(b)", ["A", "B"], 1),
    ("qa_eng", "strasse", ["Straße"], 1),
    ("qa_chn", "林小梅", ["林小梅"], 1),  # a list is what the metric was meant for
    ("qa_chn", "《", "《", 1),  # this one mark is missing from the released list
    ("qa_chn", "》", "》", 0),
    ("choice_eng", "Mary.", ["Mary", "B"], 0),
    ("choice_eng", "Mary", ["Mary", "B"], 1),
    ("choice_eng", "the answer is", ["", "A"], 0),
    ("choice_eng", "the answer is Mary", ["Mary", "B"], 1),
    ("choice_eng", "the answer is  B", ["Mary", "B"], 1),
    ("choice_eng", "so AB", ["Mary", "AB"], 1),
    ("summary", "ab 12", ["x", "AB 12"], 1),
    ("summary", "12", 12, 1),
]


@pytest.mark.parametrize(("task", "text", "label", "value"), ODD)
def test_released_oddity_is_kept(task: str, text: str, label: Any, value: float) -> None:
    assert grade(task, text, LineWanted(golds=("?",), label=label), rule="official").value == value


def test_kv_half_of_the_code_mix_is_zero_in_multi_request_mode_only() -> None:
    wanted = Wanted(golds=("0f3c",))
    values = {
        mode: grade("kv", "0f3c", wanted, rule="official", within="repoqa_and_kv", mode=mode).value
        for mode in PAPER_MODES
    }
    assert values == {Mode.MULTI_TURN: 1.0, Mode.MULTI_REQUEST: 0.0}
    assert (
        grade(
            "kv", "0f3c", wanted, rule="strict", within="repoqa_and_kv", mode=Mode.MULTI_REQUEST
        ).value
        == 1.0
    )
    assert (
        grade("kv", "0f3c", wanted, rule="official", within="kv", mode=Mode.MULTI_REQUEST).value
        == 1.0
    )


def test_unknown_language_is_refused_and_not_approximated() -> None:
    score = grade(
        "repoqa", "```\nf\n```", Wanted(golds=("f",), name="f", lang="cobol"), rule="official"
    )
    assert score.is_gap
    assert "cobol" in score.why
