"""The laws of `scbench doctor` hold for our tasks, and each is able to fail."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from walk import walk_file, write_walk

from scbench import commands, task_cards  # noqa: F401  (commands registers them)
from scbench.cli import app
from scbench.exam.task_laws import LAWS, TaskFinding, examine_task
from scbench.grid.task_places import task_at
from scbench.scoring.plain import contains
from scbench.task_cards import PAPER
from scbench.tasks import names
from scbench.tasks.build import sealed
from scbench.tasks.contract import Task
from scbench.types import Role, Session, Span, Turn

QUICK = ("kv", "choice_eng")
ELSEWHERE = "another process makes it too"


def verdicts(findings: list[TaskFinding], verdict: str) -> dict[str, str]:
    return {one.law: one.why for one in findings if one.verdict == verdict}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
        for name in dict.fromkeys((*PAPER, *names()))
    ],
)
def test_every_law_holds_for_ours(name: str) -> None:
    found = examine_task(task_at(name))
    assert verdicts(found, "broken") == {}
    if name in PAPER:
        assert verdicts(found, "idle") == {}


# -- each law can fail -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Task:
    folder = tmp_path_factory.mktemp("doors")
    return task_at(write_walk(folder, "doors.py")[0])


def changed(task: Task, change: Callable[[Session], dict[str, Any]]) -> Task:
    """The task with every session changed, and sealed anew."""

    def make(**settings: Any) -> Session:
        session = task.make(**settings)
        parts = ("task", "context", "turns", "counted", "counter", "recipe")
        told = {name: getattr(session, name) for name in parts}
        return sealed(**{**told, **change(session)})

    return replace(task, make=make)


def every_turn(change: Callable[[Session, Turn], Turn]) -> Callable[[Session], dict[str, Any]]:
    return lambda session: {"turns": [change(session, turn) for turn in session.turns]}


def with_part(task: Task, **words: Any) -> Task:
    part = replace(task.card.subtasks[0], **words)
    card = replace(task.card, subtasks=(part,))
    task_cards.bring(card)
    return replace(task, card=card)


def unsealed(task: Task) -> Task:
    return replace(task, make=lambda **s: replace(task.make(**s), digest="0" * 64))


def by_lot(task: Task) -> Task:
    """Another context each time, of one seed."""
    lot = random.Random(7)
    return changed(task, lambda session: {"context": session.context + f" {lot.random():.9f}"})


def half_as_long(task: Task) -> Task:
    def make(*, target: int, **settings: Any) -> Session:
        session = task.make(target=target // 2, **settings)
        return replace(session, recipe={**session.recipe, "target": target})

    return replace(task, make=make)


BROKEN: dict[str, Callable[[Task], Task]] = {
    "turns are those of the card": lambda task: changed(
        task, every_turn(lambda _, turn: replace(turn, task="windows"))
    ),
    "the same seed makes the same session": by_lot,
    "contexts have the length asked for": half_as_long,
    "sessions are sealed and survive being kept": unsealed,
    "evidence stands where it says": lambda task: changed(
        task, every_turn(lambda _, turn: replace(turn, evidence=(Span(0, 5, Role.ANSWER),)))
    ),
    "a gold answer scores 1": lambda task: changed(
        task, every_turn(lambda _, turn: replace(turn, gold="not " + turn.gold[:2]))
    ),
    "a constant answer scores at most the chance": lambda task: with_part(
        task, strict=lambda answer, wanted: 1.0
    ),
    "different questions are told in different words": lambda task: with_part(
        task, ask="What is it?"
    ),
}


@pytest.mark.parametrize("law", BROKEN)
def test_a_law_fails_where_it_should(law: str, doors: Task) -> None:
    task_cards.bring(doors.card)
    assert verdicts(examine_task(doors, [law]), "broken") == {}
    (found,) = examine_task(BROKEN[law](doors), [law])
    task_cards.bring(doors.card)
    assert found.verdict == "broken", found


def test_the_order_of_a_set_shows_in_another_process(tmp_path: Path) -> None:
    many = ", ".join(f'"Hay {number}."' for number in range(24))  # few may fall alike by luck
    text = walk_file("doors.py").replace('"The grass is green.", ', f"*{{{many}}}, ")
    assert "Hay 23" in text
    (tmp_path / "doors.py").write_text(text)
    found = examine_task(task_at(f"{tmp_path}/doors.py:TASK"))
    assert set(verdicts(found, "broken")) == {ELSEWHERE}


def test_published_rows_that_come_back_otherwise_break_a_law(doors: Task) -> None:
    def read_turn(row: object, item: dict[str, Any]) -> Turn:
        return Turn(
            task="doors",
            ask=item["input"].upper(),
            gold=item["answer"],
            wanted=doors.make(seed="1", target=400, turns=1, count=len).turns[0].wanted,
            max_new_tokens=16,
        )

    law = "published rows read back"
    assert verdicts(examine_task(doors, [law]), "idle")
    (found,) = examine_task(replace(doors, read_turn=read_turn), [law])  # type: ignore[arg-type]
    assert found.verdict == "broken", found


def test_every_law_was_broken_above() -> None:
    above = {*BROKEN, ELSEWHERE, "published rows read back"}
    assert above == set(LAWS)


def test_code_that_fails_breaks_a_law_and_not_the_doctor(doors: Task) -> None:
    def make(**settings: Any) -> Session:
        raise ZeroDivisionError("in my own code")

    found = examine_task(replace(doors, make=make))
    assert all("in my own code" in why for why in verdicts(found, "broken").values())
    assert len(verdicts(found, "broken")) >= 6


# -- the command -----------------------------------------------------------------------------------


def test_doctor_of_a_file_of_data_says_what_does_not_apply(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    (place,) = write_walk(tmp_path, "tickets.jsonl")
    found = CliRunner().invoke(app, ["doctor", place])
    assert found.exit_code == 0, found.output
    assert "5 hold, 0 broken, 5 do not apply" in found.output
    assert "too few turns" in found.output


def test_doctor_of_a_broken_task_exits_with_1_and_says_which_law(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    file = tmp_path / "tickets.jsonl"
    file.write_text(walk_file("tickets.jsonl").replace('"number"', '"digits"'))
    text = file.read_text().replace('"answers": ["41"]', '"answers": ["forty-one"]')
    file.write_text(text)
    found = CliRunner().invoke(app, ["doctor", str(file)])
    assert found.exit_code == 1, found.output
    assert "a gold answer scores 1" in found.output
    assert contains("x", task_at(str(file)).given[0].turns[0].wanted).value == 0.0
