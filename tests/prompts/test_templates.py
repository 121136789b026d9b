from __future__ import annotations

from dataclasses import replace

import pytest

from prompts.texts import session_of
from scbench.prompts import Wording
from scbench.task_cards import PAPER
from scbench.task_cards.mf import number_prefix
from scbench.types import PromptSet, Session

OFFICIAL, STRICT = PromptSet.OFFICIAL, PromptSet.STRICT
OPTIONS = ("Ann", "Cy", "Bob", "Di")
CHOICE = session_of("choice_eng", "BOOK", [("Who rang?", "C"), ("Who sang?", "A")], options=OPTIONS)
NUMBERS = session_of(
    "mf",
    "[3, 1, 2]",
    [
        ("Say it. The largest number is", "3"),
        ("The median number is", "2"),
        ("The smallest number is", "1"),
    ],
)


def whole(
    session: Session, prompts: PromptSet, *, turn: int = 0, chat: bool = True, alone: bool = False
) -> str:
    words = Wording(session, prompts, chat, alone)
    return f"{words.head()}{session.context}\n\n{words.ask(turn)}"


@pytest.mark.parametrize(
    ("task", "told"),
    [
        (
            "kv",
            "Extract the value corresponding to the specified key in the JSON object "
            "below.\n\nCTX\n\nASK",
        ),
        (
            "qa_eng",
            "Read the book and answer the question. Be very concise in your "
            "answer.\n\nCTX\n\nQuestion: ASK\nAnswer:",
        ),
        ("qa_chn", "阅读以下书籍然后回答问题。\n\nCTX\n\n问题：ASK\n答案："),
        (
            "repoqa",
            "Based on the function description and code context, please retrieve and repeat the "
            "exact described function from the code context in a code block wrapped by "
            "```:\n\nCTX\n\nASK",
        ),
        ("summary", "CTX\n\nASK"),
        ("vt", "CTX\n\nASK"),
        ("many_shot", "CTX\n\nASK"),
        ("prefix_suffix", "CTX\n\nASK"),
        ("repoqa_and_kv", "CTX\n\nASK"),
    ],
)
def test_official_first_prompts_are_the_published_strings(task: str, told: str) -> None:
    parts = [PAPER[task].parts[0]]
    assert whole(session_of(task, "CTX", [("ASK", "x")], subtasks=parts), OFFICIAL) == told


def test_official_choice_keeps_the_doubled_article_and_changes_it_in_plain_follow_ups() -> None:
    block = "Question: Who sang?\nA. Ann\nB. Cy\nC. Bob\nD. Di\n\n"
    assert whole(CHOICE, OFFICIAL).endswith("D. Di\n\nThe the correct answer is")
    assert (
        Wording(CHOICE, OFFICIAL, True, False).follow_up(1) == block + "The the correct answer is"
    )
    assert (
        Wording(CHOICE, OFFICIAL, False, False).follow_up(1)
        == block + "The letter of the correct answer is"
    )


def test_strict_choice_asks_for_the_letter_every_time() -> None:
    words = Wording(CHOICE, STRICT, True, False)
    assert "The the" not in words.ask(0)
    assert words.ask(0).endswith("Answer with one letter only. The letter of the correct answer is")
    assert words.follow_up(1).endswith(
        "Answer with one letter only. The letter of the correct answer is"
    )


def test_official_history_shows_option_texts_and_lists_as_python_prints_them_strict_does_not() -> (
    None
):
    chain = session_of("vt", "CTX", [("ASK", "AB, CD")])
    chain = replace(
        chain,
        turns=(replace(chain.turns[0], wanted=replace(chain.turns[0].wanted, golds=("AB", "CD"))),),
    )
    assert [Wording(chain, prompts, True, False).gold(0) for prompts in (OFFICIAL, STRICT)] == [
        "['AB', 'CD']",
        "AB, CD",
    ]
    assert [Wording(CHOICE, prompts, True, False).gold(0) for prompts in (OFFICIAL, STRICT)] == [
        "Bob",
        "C",
    ]


def test_number_prefix_is_the_question_of_the_turn() -> None:
    assert number_prefix("Say it. The largest number is") == "What is the largest number?"
    assert number_prefix("Count them.") == ""


def test_math_find_in_multi_turn_has_each_turns_own_prefix_and_officially_the_last_ones() -> None:
    assert (
        whole(NUMBERS, STRICT)
        == "What is the largest number?\n\n[3, 1, 2]\n\nSay it. The largest number is"
    )
    assert whole(NUMBERS, OFFICIAL) == whole(NUMBERS, STRICT)
    assert (
        Wording(NUMBERS, STRICT, True, False).follow_up(1)
        == "What is the median number?\n\nThe median number is"
    )
    assert (
        Wording(NUMBERS, OFFICIAL, True, False).follow_up(1)
        == "What is the smallest number?\n\nThe median number is"
    )
    assert (
        Wording(NUMBERS, OFFICIAL, False, False).follow_up(1)
        == "What is the median number?\n\nThe median number is"
    )


def test_math_find_in_multi_request_hides_the_queries_and_officially_shows_the_first() -> None:
    strict = whole(NUMBERS, STRICT, turn=1, alone=True)
    assert strict.startswith(
        "Read the list of numbers and answer the questions about it.\n\n[3, 1, 2]\n\nWhat is the "
        "median number?"
    )
    assert "largest" not in strict
    assert whole(NUMBERS, OFFICIAL, turn=1, alone=True).startswith(
        "Say it. The largest number is\n\n[3, 1, 2]\n\nWhat is the median"
    )


def test_only_official_summaries_begin_in_the_assistants_mouth() -> None:
    papers = session_of("summary", "CTX", [("A", "x"), ("B", "y")])
    leads = {
        (prompts, chat, alone): [
            Wording(papers, prompts, chat, alone).lead(turn) for turn in range(2)
        ]
        for prompts in PromptSet
        for chat in (True, False)
        for alone in (True, False)
    }
    assert leads.pop((OFFICIAL, True, False)) == ["", "This paper"]
    assert all(lead == ["", ""] for lead in leads.values())


def test_mixed_sessions_ask_each_sub_task_in_its_own_words() -> None:
    mixed = session_of(
        "repoqa_and_kv", "CTX", [("say f", "f"), ("Key", "v")], subtasks=["repoqa", "kv"]
    )
    words = Wording(mixed, STRICT, True, False)
    assert (words.head(), words.ask(0), words.follow_up(1)) == (
        "",
        "say f",
        "Answer with the value only.\n\nKey",
    )
