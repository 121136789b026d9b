"""docs/paper.md and compare.md: commands that the program takes, tables that it writes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from scbench.api import settle
from scbench.cli import app
from scbench.report.paper import paper_tables
from scbench.report.paper.published import NUMBERS

ROOT = Path(__file__).parents[2]
DOC = (ROOT / "docs" / "paper.md").read_text(encoding="utf-8")
PROGRAM: Any = typer.main.get_command(app)


def commands() -> list[list[str]]:
    """The lines of bash of the pages on numbers that leave, with what `P` stands for."""
    text = DOC + (ROOT / "docs" / "compare.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    methods = next(line for line in lines if line.startswith("P=")).split("=", 1)[1].strip("'")
    return [
        shlex.split(line.replace("$P", methods), comments=True)
        for line in lines
        if line.startswith("scbench ")
    ]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_is_one_that_the_program_takes(words: list[str]) -> None:
    name, *rest = words[1:]
    command = PROGRAM.commands[name]
    context = command.make_context(name, rest)
    if name == "run":
        given = {key: value for key, value in context.params.items() if value is not None}
        given.pop("full", None), given.pop("quiet", None)
        settings = settle(given)
        assert settings.methods


def test_every_option_of_the_table_is_one_of_run() -> None:
    table = DOC.split("| table or figure |")[1]
    known = {one for option in PROGRAM.commands["run"].params for one in option.opts}
    known |= {one for option in PROGRAM.commands["compare"].params for one in option.opts}
    used = set(re.findall(r"--[a-z][a-z-]+", table))
    assert used
    assert used <= known


def test_it_names_every_table_that_is_written(played: Any) -> None:
    names = {
        re.sub(r"-(multi-turn|multi-request)", "-MODE", one.name) for one in paper_tables([played])
    }
    for name in names:
        base = re.sub(r"^turns-.*", "turns-ABILITY", name).removesuffix("-official")
        assert f"`{base}" in DOC, name


def test_it_says_how_many_published_numbers_are_known() -> None:
    assert len(NUMBERS) == 16
    assert "Sixteen numbers" in DOC


@pytest.fixture(scope="module")
def played() -> Any:
    from factory import run

    from scbench.stats import summarise

    methods = {
        "dense": lambda turn: 0.9,
        "snapkv[tau=1/4]": lambda turn: 0.5,
        "snapkv[tau=1/8]": lambda turn: 0.3,
    }
    return summarise(run(tasks=("kv", "vt"), methods=methods, sessions=3), resamples=0)
