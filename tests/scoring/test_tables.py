"""Every table row of the specification's scoring section, for both rules."""

from __future__ import annotations

from typing import Literal

import pytest

from scbench.scoring import grade
from scbench.types import Wanted

from .sources import CLIP, FUNCTIONS

Row = tuple[str, Wanted, float, float]  # prediction, what was wanted, official, strict
G, K, X = (
    "0f3c9a52-7b1e-4d60-9c55-2a8e61d4b7f0",
    "11111111-7b1e-4d60-9c55-2a8e61d4b7f0",
    "22222222-7b1e-4d60-9c55-2a8e61d4b7f0",
)
KV = Wanted(golds=(G,), shape="uuid", asked_key=K)
KV_ROWS: list[Row] = [
    (f'The value for "{K}" is "{G}".', KV, 1, 1),
    (f"{X}, {G}", KV, 1, 0),
    (f"{G}99", KV, 1, 0),
    (f'{G}\n"{X}": ', KV, 1, 0),
    (G.upper(), KV, 0, 0),
    (G[:-1], KV, 0, 0),
    ("4821 or 4822", Wanted(golds=("4821",), shape="digits"), 1, 0),
    # and the same gold without a known shape
    (f"it is {G}!", Wanted(golds=(G,)), 1, 1),
    (f"{G}99", Wanted(golds=(G,)), 1, 0),
]
S, R = "q7ab3" + "kx0w" * 15 + "z9z1", "q7ab3" + "m4rt" * 15 + "z9z1"
PS = Wanted(golds=(S,))
PS_ROWS: list[Row] = [
    (f"`{S}`.", PS, 1, 1),
    (f"The string is {S}, as requested.", PS, 1, 1),
    (f"{S} {R}", PS, 1, 0),
    (f"{S}xx", PS, 1, 0),
    ("q7ab3...9z1", PS, 0, 0),
    (R, PS, 0, 0),
]
VT = Wanted(golds=("QXRTB", "LMNOP", "ZZKWA"))
VT_ROWS: list[Row] = [
    ("They are: QXRTB, LMNOP and ZZKWA, all equal to 12345.", VT, 1.0, 1.0),
    ("QXRTB LMNOP", VT, 0.67, 0.8),
    ("QXRTB LMNOP ZZKWA HHHHH JJJJJ KKKKK", VT, 1.0, 0.667),
    ("qxrtb lmnop zzkwa", VT, 1.0, 0.0),
    ("AQXRTB", VT, 0.33, 0.0),
    ("QXRTBLMNOPZZKWA", VT, 1.0, 0.0),
]
WINDOW = FUNCTIONS["python"]["window"]
CLAMP = CLIP.replace("def clip(", "def clamp(").replace("low to high.", "low up to high.")
CODE = Wanted(
    golds=(CLIP,),
    name="clip",
    lang="python",
    candidates={"clip": CLIP, "window": WINDOW, "clamp": CLAMP},
)
TWELVE_WORDS = "Sure, the function that you describe is the following one, I believe:"
CODE_ROWS: list[Row] = [
    (f"Here it is:\n```python\n{CLIP}\n```\nIt limits values.", CODE, 1, 1),
    (f"{TWELVE_WORDS}\n```python\n{CLIP}", CODE, 0, 1),
    (f"```\n{CLIP}\n\n{WINDOW}\n```", CODE, 1, 0),
    (f"```\n{WINDOW}\n\n{CLIP}\n```", CODE, 0, 0),
    (f"```\n{CLAMP}\n```", CODE, 1, 0),
    ("```\n" + "\n".join(CLIP.split("\n")[:5]), CODE, 0, 0),
]
MILL = Wanted(golds=("the old mill",))
PLACES = Wanted(
    golds=("the old mill",),
    generated=True,
    vocabulary=("the old mill", "the barn", "the mill"),
    question="Where was she?",
)
BARN_ASKED = Wanted(
    golds=("the old mill",),
    generated=True,
    vocabulary=PLACES.vocabulary,
    question="Where was she after the barn?",
)
NAMES = Wanted(golds=("Ann",), generated=True, vocabulary=("Ann", "Anna", "Bo"))
QA_ROWS = [
    ("The Old-Mill", MILL, PLACES, 0, 1.0, 1),
    ("old mill", MILL, PLACES, 0, 1.0, 1),
    ("At the old mill, near the river", MILL, PLACES, 1, 0.571, 1),
    # what is denied is not said: 0.444 under strict/1
    ("It was not the old mill but the barn", MILL, PLACES, 1, 0.0, 0),
    ("Before the barn she was at the old mill", MILL, BARN_ASKED, 1, 0.444, 1),
    ("Anna", Wanted(golds=("Ann",)), NAMES, 1, 0.0, 0),
]
LIN = Wanted(golds=("林小梅",), is_chinese=True)
PEOPLE = Wanted(
    golds=("林小梅",), generated=True, vocabulary=("林小梅", "王强", "小明"), is_chinese=True
)
SEAT, SEATS = (
    Wanted(golds=("A座",)),
    Wanted(golds=("A座",), generated=True, vocabulary=("A座", "B座"), is_chinese=True),
)
CHINESE_ROWS = [
    ("林小梅", LIN, PEOPLE, 0.5, 1.0, 1),
    ("林", LIN, PEOPLE, 1.0, 0.5, 0),
    ("是林小梅。", LIN, PEOPLE, 0.4, 0.857, 1),
    ("小明", LIN, PEOPLE, 0.667, 0.4, 0),
    ("林小梅和王强", LIN, PEOPLE, 0.286, 0.667, 0),
    ("Ａ座", SEAT, SEATS, 0.667, 1.0, 1),
]


def book(text: str) -> Wanted:
    return Wanted(golds=(text,), options=("Alice", "Dr. Stone", "Bob", "The river"))


CHOICE_ROWS: list[Row] = [
    ("Bob", book("Bob"), 0, 1),
    ("(C)", book("Bob"), 0, 1),
    ("Carol knows", book("Bob"), 1, 0),
    ("C: Alice", book("Bob"), 1, 0),
    ("A good question. Bob", book("Bob"), 0, 1),
    ("The answer is A or C", book("Bob"), 0, 0),
    ("A dog", book("Alice"), 1, 0),
]


def integer(gold: int, question: str = "") -> Wanted:
    return Wanted(golds=(str(gold),), question=question)


MF_ROWS: list[Row] = [
    ("The 3rd largest number is 77", integer(77), 0, 1),
    ("-77", integer(77), 1, 0),
    ("1,234", integer(1234), 0, 1),
    ("77.9", integer(77), 1, 0),
    ("77 78 79", integer(77), 1, 0),
    ("Among the 3 numbers, 77", integer(77, "What is the sum of the 3 numbers?"), 0, 1),
]


def shot(gold: str) -> Wanted:
    return Wanted(golds=(gold,), question="Who is it?\nOptions:\n(A) Alice\n(B) Claire\n(C) Bob")


MANY_ROWS: list[Row] = [
    ("(B) Alice", shot("A"), 1, 0),
    ("Because", shot("B"), 1, 0),
    ("The answer is (C).", shot("C"), 1, 1),
    ("b", shot("B"), 1, 1),
    ("A or B", shot("A"), 1, 0),
    ("Bob", shot("C"), 0, 1),
]
REPORT = Wanted(
    golds=(
        "The bridge cost 412 crowns. The survey took nine weeks. The board advises a second pier.",
    ),
    facts=("412", "nine", "pier"),
)
BACK = (
    "The board advises a second pier.",
    "The survey took nine weeks.",
    "The bridge cost 412 crowns.",
)
SUM_ROWS: list[Row] = [
    (" ".join(BACK), REPORT, 0.438, 1.0),
    ("\n".join(f"- {s}" for s in BACK), REPORT, 1.0, 1.0),
    (BACK[2], REPORT, 0.476, 0.476),
    (
        "The bridge cost 977 crowns. The survey took two weeks. The board advises a second gate.",
        REPORT,
        0.812,
        0.812,
    ),
    ("The report is about a bridge and the work of the board.", REPORT, 0.357, 0.357),
    (f"{REPORT.golds[0]} {REPORT.golds[0]}", REPORT, 0.667, 0.667),
    ("这座桥", REPORT, 0, 0),
]
KEY = Wanted(golds=("90210",))
KEY_ROWS: list[Row] = [
    ("The pass key is 90210. Remember: 90210.", KEY, 1, 1),
    ("In report 3 the key is 90210", KEY, 0, 1),
    ("90210 or 90211", KEY, 1, 0),
    ("902101", KEY, 0, 0),
    # a thousands separator: 0 under strict/1
    ("90,210", KEY, 0, 1),
]
TABLES: dict[str, list[Row]] = {
    "kv": KV_ROWS,
    "prefix_suffix": PS_ROWS,
    "vt": VT_ROWS,
    "qa_eng": [
        (text, published, official, strict) for text, published, _, official, strict, _ in QA_ROWS
    ],
    "qa_chn": [
        (text, published, official, strict)
        for text, published, _, official, strict, _ in CHINESE_ROWS
    ],
    "choice_eng": CHOICE_ROWS,
    "mf": MF_ROWS,
    "many_shot": MANY_ROWS,
    "summary": SUM_ROWS,
    "passkey": KEY_ROWS,
}
ROWS = [(task, row) for task, rows in TABLES.items() for row in rows]


def value(
    task: str, text: str, wanted: Wanted, rule: Literal["strict", "official"], **more: object
) -> float | None:
    score = grade(task, text, wanted, rule=rule, **more)  # type: ignore[arg-type]
    assert score.rule == {"strict": "strict/3", "official": "official/1"}[rule]
    return score.value


@pytest.mark.parametrize(
    ("task", "row"), ROWS, ids=[f"{task}-{row[0][:30]!r}" for task, row in ROWS]
)
def test_table_row_scores_as_specified(task: str, row: Row) -> None:
    text, wanted, official, strict = row
    assert value(task, text, wanted, "official") == pytest.approx(official, abs=6e-4)
    assert value(task, text, wanted, "strict") == pytest.approx(strict, abs=6e-4)


@pytest.mark.parametrize("row", CODE_ROWS, ids=[row[0][:20] for row in CODE_ROWS])
def test_repoqa_row_scores_as_specified(row: Row) -> None:
    text, wanted, official, strict = row
    assert (
        value("repoqa", text, wanted, "official", needles=[(CLIP, "clip"), (WINDOW, "window")])
        == official
    )
    assert value("repoqa", text, wanted, "strict") == strict


@pytest.mark.parametrize(
    ("task", "row"), [*(("qa_eng", r) for r in QA_ROWS), *(("qa_chn", r) for r in CHINESE_ROWS)]
)
def test_generated_answers_are_read_with_the_vocabulary(
    task: str, row: tuple[str, Wanted, Wanted, float, float, float]
) -> None:
    text, _, generated, _, _, strict = row
    assert value(task, text, generated, "strict") == strict


def test_wrong_values_in_right_words_are_told_by_fact_recall() -> None:
    scores = [grade("summary", text, REPORT, rule="strict") for text, *_ in SUM_ROWS]
    assert [round(score.side["fact_recall"], 2) for score in scores] == [1, 1, 0.33, 0, 0, 1, 0]
