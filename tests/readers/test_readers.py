"""Readers find the golds, and see the ones that are planted wrong."""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path

import pytest

from readers import READERS
from readers.planted import MISTAKES, Mistake
from readers.story import chinese, english, told
from readers.table import LENGTHS, TASKS, disagreements, gold, question, sessions
from scbench.types import Session

HERE = Path(__file__).parent
KNOWS_SESSIONS = {"table.py", "planted.py"}  # these two hold readers against sessions


def test_a_reader_imports_nothing_of_ours() -> None:
    seen = 0
    for path in HERE.rglob("*.py"):
        if path.name in KNOWS_SESSIONS or path.name.startswith("test_"):
            continue
        seen += 1
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            assert not any(name.split(".")[0] == "scbench" for name in names), path
    assert seen >= 10


STORY = (
    "Chapter 1. Footsteps\n\nOn day 2, Bele found the oak bowl at the old mill. "
    "Bele gave Debrel the oak bowl at the dim gate on day 5. Smoke rose straight from the "
    "chimneys. On day 7, Bele went to the long ferry. {}"
)


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ("", "dim gate"),
        ("It was day 9 when Debrel arrived at the red dock with tired feet.", "red dock"),
        ("On day 9, Debrel put the oak bowl in the red dock. Debrel came to the old barn on day "
         "12.", "red dock"),
        ("On day 9, Debrel met Jiemo at the red dock.", "red dock"),
        ("On day 9, Debrel sold the oak bowl at the red dock. On day 10, Debrel went to the old "
         "barn.", "red dock"),
        ("On day 9, Debrel learned chess.", "dim gate"),
    ],
)  # fmt: skip
def test_a_gift_goes_where_its_new_owner_goes_until_it_is_put_down(more: str, place: str) -> None:
    asked = "Where is the oak bowl at the end of the story?"
    assert told.answer(STORY.format(more), asked, english.LANGUAGE) == place


def test_a_gift_goes_with_its_owner_in_chinese_too() -> None:
    text = "第3天，王伟丽在旧磨坊把铜灯给了李军磊。李军磊在第5天来到干城门。"
    assert told.answer(text, "故事结束时，铜灯在哪里？", chinese.LANGUAGE) == "干城门"


SHORT, SESSIONS = 6_000, 6


@lru_cache(maxsize=16)
def made(name: str, target: int = SHORT) -> tuple[Session, ...]:
    return tuple(sessions(name, target=target, count=SESSIONS))


@pytest.mark.parametrize("name", TASKS)
def test_readers_find_the_golds(name: str) -> None:
    turns, found = disagreements(made(name))
    assert turns >= 5 * SESSIONS
    assert found == []


@pytest.mark.slow
@pytest.mark.parametrize("target", LENGTHS)
@pytest.mark.parametrize("name", TASKS)
def test_readers_find_the_golds_at_three_lengths(name: str, target: int) -> None:
    turns, found = disagreements(sessions(name, target=target, count=25, first=300))
    assert len(found) < 0.005 * turns, found


@pytest.mark.parametrize("mistake", MISTAKES, ids=[f"{one.part}: {one.what}" for one in MISTAKES])
def test_a_wrong_gold_that_is_planted_is_seen(mistake: Mistake) -> None:
    planted = 0
    for session in made(mistake.task):
        for turn in session.turns:
            if turn.task != mistake.part or mistake.asks not in turn.ask:
                continue
            wrong = mistake.plant(session, turn, gold(turn))
            if wrong is None:
                continue
            planted += 1
            assert wrong != gold(turn), "the mistake is none"
            assert READERS[turn.task](session.context, question(turn)) != wrong
    assert planted


def test_thirty_mistakes_are_planted_and_every_task_has_one() -> None:
    assert len(MISTAKES) >= 30
    assert {mistake.task for mistake in MISTAKES} == set(TASKS)
