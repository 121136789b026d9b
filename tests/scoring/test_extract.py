"""What an answer says: laws of the step before every strict rule."""

from __future__ import annotations

import time
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scbench.scoring import SUBTASKS, grade
from scbench.scoring.extract import TOO_DEEP, AnswerKind, Sought, extract, spoken
from scbench.tasks import TASKS, task
from scbench.tasks.contract import Bytes
from scbench.types import Session, Turn, Wanted

from .sources import CLIP

PIECES = st.lists(
    st.sampled_from(
        [
            "<think>",
            "</think>",
            "<answer>",
            "</answer>",
            "\\boxed{",
            "}",
            '{"answer": "',
            '"}',
            "The answer is ",
            "So ",
            "not ",
            " but ",
            "wait, ",
            "**",
            "```\n",
            "\n",
            "- ",
            "# ",
            " ",
            ".",
            ",",
            "Question: ",
            "</s>",
            "不是",
            "，",
            "答案是",
            "772",
            "775",
            "the old mill",
            "the barn",
            "Ｂ",
            "(A)",
            "C",
            "1. ",
            "> ",
            "$",
            "assistantfinal",
            "analysis",
            "five ",
            "hundred ",
            "and ",
            "two",
            "12 thousand",
            "perhaps ",
            "Wait, no: ",
            "Sorry, ",
            " because ",
            "A: no\n",
            "B: yes\n",
            "| A | 4 |\n",
            "~~4~~",
            "_4_",
            "(see line 4)",
            "[1]",
            "1 + 2 = ",
            "5 6 3 8",
            "772 775",
            "Is it ",
            "? ",
            "No. ",
            '", "',
            "; ",
            "pass key: ",
            "\n\n",
            "the value is ",
            "is the third largest",
            "in the end ",
        ]
    ),
    max_size=16,
).map("".join)
ANY = st.text(st.characters(exclude_categories=[]), max_size=80)
TURN = Wanted(
    golds=("the old mill",),
    generated=True,
    question="What is the third largest pass key?",
    options=("the old mill", "the barn", "the sea"),
    vocabulary=("the old mill", "the barn"),
)


@settings(deadline=None, max_examples=600)
@given(text=PIECES | ANY, kind=st.sampled_from(AnswerKind))
def test_extracting_twice_changes_nothing_more(text: str, kind: AnswerKind) -> None:
    sought = Sought(kind, TURN)
    once = extract(text, sought)
    assert extract(once.text, sought).text == once.text
    assert bool(once.removed) or once.text.strip() == text.strip()


def test_what_is_nested_without_end_is_nothing() -> None:
    deep = "\\boxed{" * 40 + "7" + "}" * 40
    said = extract(deep, Sought(AnswerKind.NUMBER, Wanted(golds=("7",))))
    assert said.text in ("7", "")
    assert said.text == "7" or TOO_DEEP in said.removed


def sessions() -> list[Session]:
    return [
        task(name, form).make(seed=f"answers:{seed}", target=target, turns=4, count=Bytes())
        for name in TASKS
        for form, target in (("tiny", 512), ("full", 9000))
        for seed in range(3)
    ]


@pytest.fixture(scope="module")
def made() -> list[Session]:
    return sessions()


def strict(session: Session, turn: Turn, text: str) -> float:
    score = grade(turn.task, text, turn.wanted, rule="strict", within=session.task)
    assert score.value is not None, score
    return score.value


WRAPS = (
    "{}",
    "<think>Let me see.</think>{}",
    "Let me see.\n</think>\n\n{}",
    "Sure, here it is:\n\n{}",
    "<answer>{}</answer>",
    "{}</s>",
    "{}\n\nQuestion: another one?\nAnswer: another answer",
)
SHORT_WRAPS = ("\\boxed{{{}}}", "The answer is {}", "Final answer: {}", "**{}**", "“{}”", "`{}`")


@pytest.mark.slow
def test_a_bare_gold_always_scores_one(made: list[Session]) -> None:
    for session in made:
        for turn in session.turns:
            golds = turn.wanted.golds
            bare = {turn.gold, ", ".join(golds)} if len(golds) > 1 else {turn.gold, golds[0]}
            for text in bare:
                score = strict(session, turn, text)
                assert score == pytest.approx(1.0), (session.task, turn.task, text)


@pytest.mark.slow
def test_a_gold_in_the_forms_that_models_give_scores_one(made: list[Session]) -> None:
    for session in made:
        for turn in session.turns:
            is_long = turn.task in ("repoqa", "summary")
            for wrap in WRAPS if is_long else WRAPS + SHORT_WRAPS:
                text = wrap.format(turn.gold)
                score = strict(session, turn, text)
                assert score > 0.99, (session.task, turn.task, text, score)


@pytest.mark.slow
def test_no_form_lets_the_answer_of_another_turn_score(made: list[Session]) -> None:
    for session in made:
        for turn in session.turns:
            others = [other.gold for other in session.turns if other is not turn]
            for other in others:
                if strict(session, turn, other) > 0:
                    continue
                for wrap in (*WRAPS, *SHORT_WRAPS, "not {}", "<think>{}"):
                    text = wrap.format(other)
                    score = strict(session, turn, text)
                    assert score == 0, (session.task, turn.task, text)


WANTS = {
    "mf": Wanted(golds=("77",)),
    "choice_eng": Wanted(golds=("Bob",), options=("Alice", "Bob", "Carl", "Dan")),
    "many_shot": Wanted(golds=("B",), options=("Alice", "Bob", "Carl", "Dan")),
    "repoqa": Wanted(golds=(CLIP,), name="clip", lang="python"),
}
HUGE = {
    "blanks": " ",
    "digits": "9",
    "words": "the old mill ",
    "brackets": "(",
    "thoughts": "<think>",
    "ends of thoughts": "</think>",
    "denials": "it is not so, ",
    "statements": "the answer is 4. ",
    "functions": "def f(a):\n    return a\n\n",
    "Chinese": "不是三百五十八，",
    "objects": '{"answer": 1}\n',
    "odd": "\u0000\ud800\u200b",
    "blank lines": "4\n\n",
    "corrections": "4. Wait, no: ",
    "reasons": "4 because ",
    "number words": "five hundred and two point five ",
    "digits apart": "5 6 3 8 ",
    "sums": "1 + 2 = 3, ",
    "tables": "| A | no |\n",
    "verdicts": "A: no\nB: yes\n",
    "labels": "pass key: 4; ",
    "struck out": "~~4~~ ",
    "quotes": '4", "',
    "questions": "Is it 4? No. ",
    "one sign that is eighteen": "\ufdfa",
    "combining marks": "e\u0301\u0323",
    "right to left": "\u202e4\u202c ",
    "lists in lists": "- * > ",
    "tags in tags": "<answer><think></think>",
    "names": "ABCDE, ",
}


@pytest.mark.slow
@pytest.mark.parametrize("blob", HUGE)
@pytest.mark.parametrize("size", [10_000_000, 1_000_000, 200_000, 30_000])
def test_ten_megabytes_of_anything_are_scored_or_named(blob: str, size: int) -> None:
    text = (HUGE[blob] * (size // len(HUGE[blob]) + 1))[:size]
    for name in SUBTASKS:
        wanted = WANTS.get(name, Wanted(golds=("The board advises a second pier.",)))
        for rule in ("strict", "official"):
            start_s = time.process_time()
            score = grade(name, text, wanted, rule=rule)  # type: ignore[arg-type]
            assert time.process_time() - start_s < 2, (name, rule, blob)
            assert score.value is not None or score.why


def test_the_official_rules_read_what_stands_behind_a_closed_thought() -> None:
    wanted = Wanted(golds=("772",))
    for text, value in (
        ("<think>1</think>772", 1.0),
        ("1\n</think>\n772", 1.0),
        ("<think>772</think>1", 0.0),
        ("<think>772", 1.0),
        ("772 1", 1.0),
    ):
        assert grade("mf", text, wanted, rule="official").value == value


def test_a_thought_in_a_gold_is_no_thought() -> None:
    wanted = Wanted(golds=("a </think> b",))
    assert extract("x a </think> b", Sought(AnswerKind.CODE, wanted)).text == "x a </think> b"
    assert spoken("a </think> b").text == " b"


@pytest.mark.parametrize(
    ("name", "text", "is_failure"),
    [
        ("kv", "4821 or 4822", True),
        ("kv", "not 4821", False),
        ("kv", "<think>it is 4821", True),
        ("kv", "<think>it is 4821</think>4822", False),
        ("kv", "4822", False),
        ("kv", "4821", False),
        ("choice_eng", "A, B, C, D", True),
        ("choice_eng", "A", False),
        ("choice_eng", "Alice or Bob", True),
        ("many_shot", "(A) or (B)", True),
        ("mf", "77 78 79", True),
        ("mf", "177", False),
    ],
)
def test_a_format_failure_is_an_answer_that_the_rule_could_not_take(
    name: str, text: str, is_failure: bool
) -> None:
    wanted = WANTS.get(name, Wanted(golds=("4821",), shape="digits"))
    score = grade(name, text, wanted, rule="strict")
    assert score.format_failure is is_failure, score
    assert not (score.format_failure and score.value)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        # A first line that is an answer and nothing besides, and a paragraph that explains it.
        ("mf", "77\n\nIt stands behind 79 and 78.", 1),
        ("mf", "78\n\nIt stands before 77.", 0),
        ("mf", "77\n\n78\n\n79", 0),
        ("mf", "77\n  78 and 79", 0),
        ("mf", "77\n\nHowever, 78 fits as well.", 0),
        ("mf", "77\n\nIt could be 78, though.", 0),
        ("mf", "77\n\nIt is 77 or 78.", 0),
        ("mf", "78\n\nSorry, I misread the list. It is 77.", 1),
        ("mf", "78\n\nThe answer is 77.", 1),
        ("mf", "78\n\n\\boxed{77}", 1),
        ("choice_eng", "B\n\nWhy not the others?\nA. came first.\nC. came last.", 1),
        ("choice_eng", "A: no\nB: yes\nC: no", 1),
        ("choice_eng", "A: no\nB: no\nC: yes", 0),
        ("choice_eng", "A: no\nB: yes\nC: yes", 0),
        # Taken back.
        ("mf", "78. Wait, no: 77", 1),
        ("mf", "77. Wait, no: -77", 0),
        ("mf", "78. Wait, that is too large.", 0),
        ("choice_eng", "A - no, B", 1),
        ("choice_eng", "B - no, A", 0),
        ("many_shot", "~~A~~ B", 1),
        # Asked and answered.
        ("kv", "4821? No, that one is another key's.", 0),
        ("kv", "Is it 4822? No. 4821", 1),
        ("kv", "Is it 4821?", 0),
        ("kv", "4821? No key has another value.", 1),
        # Doubts: one candidate is said, two are not.
        ("kv", "Perhaps 4821", 1),
        ("kv", "Perhaps 4821 or 4822", 0),
        ("choice_eng", "I'm not sure, but it may be B.", 1),
        ("choice_eng", "It may be A or B.", 0),
        # Where it stands is no answer.
        ("mf", "77 (see line 12)", 1),
        ("mf", "77[1]", 1),
        ("mf", "(76 + 78) / 2 = 77", 1),
        ("mf", "76 + 2 = 78", 0),
    ],
)
def test_what_is_said_around_an_answer_is_told_from_it(name: str, text: str, value: float) -> None:
    wanted = WANTS.get(name, Wanted(golds=("4821",), shape="digits"))
    score = grade(name, text, wanted, rule="strict")
    assert score.value == value, score


DEEP = {
    "objects": '{"answer": ' * 3000 + "77" + "}" * 3000,
    "lists": "[" * 5000 + "77" + "]" * 5000,
    "boxes": "\\boxed{" * 3000 + "77" + "}" * 3000,
    "tags": "<answer>" * 3000 + "77" + "</answer>" * 3000,
    "quotes": ">" * 9000 + " 77",
    "half a sign": '{"answer": "\\ud800"}',
    "half a sign in a key": '{"\\udfff": 77}',
}


@pytest.mark.parametrize("form", DEEP)
@pytest.mark.parametrize("name", ["mf", "choice_eng", "kv", "vt", "repoqa", "qa_chn", "summary"])
def test_what_is_nested_deep_or_half_a_sign_is_scored(form: str, name: str) -> None:
    wanted = WANTS.get(name, Wanted(golds=("77",)))
    score = grade(name, DEEP[form], wanted, rule="strict")
    assert score.value is not None or score.why


@pytest.mark.parametrize("sign", ["\u200b", "\ufeff", "\u202e", "\u2066", "\u2060"])
def test_signs_that_nobody_sees_are_no_part_of_an_answer(sign: str) -> None:
    for name, gold in (("kv", "4821"), ("mf", "77"), ("many_shot", "B")):
        wanted = WANTS.get(name, Wanted(golds=(gold,), shape="digits"))
        assert grade(name, f"{sign}{gold}{sign}", wanted, rule="strict").value == 1


def test_what_is_almost_python_warns_nobody() -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        grade("mf", "{12thousand: 77or 78}", WANTS["mf"], rule="strict")
    assert not told


def test_thirty_thousand_blanks_are_read_at_once() -> None:
    start_s = time.process_time()
    score = grade("kv", " " * 30_000 + "41", Wanted(golds=("41",), shape="digits"), rule="strict")
    assert score.value == 1.0
    assert time.process_time() - start_s < 2
