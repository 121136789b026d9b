"""A card is the one place for a task's words, and needs no generator."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import scbench
from scbench.errors import BadConfig, Unknown
from scbench.scoring import library
from scbench.scoring import plain as plain_scorers
from scbench.scoring.published import RULES
from scbench.stats import paper
from scbench.task_cards import PAPER, PARTS, Subtask, TaskCard, card, card_of, mf
from scbench.tasks import build, names, task

ROOM = Path(scbench.__file__).parent
WITH_EXAMPLES = (card, mf, paper, plain_scorers, build)

LISTS = """
import sys
from typer.testing import CliRunner
from scbench import commands
from scbench.cli import app
assert CliRunner().invoke(app, ["list", "tasks"]).exit_code == 0
print([name for name in sys.modules if name in {generators!r} or name in ("torch", "transformers")])
"""


def test_listing_tasks_loads_no_generator_and_no_torch() -> None:
    generators = {f"scbench.tasks.{name}" for name in PAPER}
    code = LISTS.format(generators=generators)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_examples_in_docstrings_run(module: object) -> None:
    ran = doctest.testmod(module)  # type: ignore[arg-type]
    assert ran.attempted > 0
    assert ran.failed == 0


@pytest.mark.parametrize("name", PAPER)
def test_a_task_says_what_its_card_says(name: str) -> None:
    made = task(name)
    assert made.card is PAPER[name]
    assert made.origin is None
    for part in made.card.subtasks:
        assert callable(library.scorer(part.strict if isinstance(part.strict, str) else ""))
        assert part.official in {*RULES, "function", "rouge"}
        assert part.name in PARTS


def test_no_room_but_the_cards_decides_by_the_name_of_a_task() -> None:
    """`task == "kv"` is how a thirteenth task came to be named in nine files."""
    named = "|".join({*PAPER, *PARTS})
    ladder = re.compile(
        rf"""(?:task|kind|part|subtask|name)\b[\w.()]* (?:==|!=) ["'](?:{named})["']"""
    )
    table = re.compile(rf"""^\s*["'](?:{named})["']: """, re.MULTILINE)
    found = {}
    for room in ("scoring", "stats", "prompts", "report", "run", "lab"):
        for path in (ROOM / room).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            if hits := [*ladder.findall(text), *table.findall(text)]:
                found[str(path.relative_to(ROOM))] = hits
    assert found == {}


WRONG = [
    ({"name": "My task"}, "small letters"),
    ({"ability": "Overall"}, "another group"),
    ({"title": " "}, "title"),
    ({"title": "two\nlines"}, "one line"),
    ({"ability": "x" * 61}, "at most 60"),
    ({"turns": 0}, "at least 1"),
    ({"unit_ends": "("}, "no pattern"),
    ({"subtasks": ()}, "at least one"),
    ({"subtasks": (Subtask(name="other", strict="exact"),)}, "the task's own name"),
    ({"subtasks": (Subtask(name="mine", strict="exact"),) * 2}, "each of its own name"),
]


@pytest.mark.parametrize(("change", "said"), WRONG)
def test_a_card_that_means_nothing_is_refused(change: dict[str, object], said: str) -> None:
    mine = TaskCard(name="mine", title="Mine", subtasks=(Subtask(name="mine", strict="exact"),))
    with pytest.raises(BadConfig, match=said):
        replace(mine, **change)  # type: ignore[arg-type]


def test_a_task_nobody_brought_is_refused_with_the_nearest() -> None:
    with pytest.raises(Unknown, match="did you mean 'prefix_suffix'"):
        card_of("prefix_sufix")
    with pytest.raises(Unknown, match="it has repoqa, kv"):
        PAPER["repoqa_and_kv"].subtask("passkey")


def test_ours_are_the_papers_until_there_are_more() -> None:
    assert names()[: len(PAPER)] == tuple(PAPER)
