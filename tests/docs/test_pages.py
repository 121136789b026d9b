"""Links lead somewhere, commands are commands, and what a page says to type works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from docs.pages import PAGES, ROOT, anchors, blocks, commands, links
from docs.trees import environment
from scbench.cli import app

NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
STOPS = ("...",)  # a command line that says 'and so on'


def broken(page: Path) -> list[str]:
    """The links of a page that lead nowhere."""
    found = []
    for to in links(page):
        path, _, anchor = to.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(to)
    return found


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_a_link_that_leads_nowhere_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One\n[a](#one) [b](#two) [c](page.md#one) [d](gone.md)\n", encoding="utf-8")
    assert broken(page) == ["#two", "gone.md"]


def refused(words: list[str]) -> str:
    """Why the program would not take these words; empty if it does."""
    command: Any = typer.main.get_command(app)
    name, rest = words[0], words[1:]
    while hasattr(command, "commands"):
        if not rest or rest[0].startswith("-"):
            return ""
        name, rest = rest[0], rest[1:]
        if name not in command.commands:
            return f"no command {name}"
        command = command.commands[name]
    try:
        command.make_context(name, rest)
    except typer.Exit:
        return ""
    except Exception as error:
        return str(getattr(error, "message", error))
    return ""


def told(words: list[str]) -> bool:
    """Whether a line stands for one that is typed as it is."""
    return not any(stop in word for word in words for stop in STOPS)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_command_of_a_page_is_one_that_the_program_takes(page: Path) -> None:
    lines = [words for words in commands(page) if told(words)]
    complaints = {" ".join(words): why for words in lines if (why := refused(words))}
    assert complaints == {}


def test_a_command_that_the_program_does_not_take_is_seen() -> None:
    assert "no command" in refused(["scbench", "rum"])
    assert "--sesions" in refused(["scbench", "run", "--sesions", "4"])
    assert refused(["scbench", "run", "--sessions", "4"]) == ""


@pytest.mark.slow
def test_the_first_five_minutes_work_as_written(tmp_path: Path) -> None:
    typed = [
        line.removeprefix("$ ")
        for block in blocks(ROOT / "docs" / "start.md")
        if block.language == "console"
        for line in block.text.splitlines()
    ]
    assert len(typed) >= 8
    for line in typed:
        done = subprocess.run(
            ["bash", "-euc", line],
            cwd=tmp_path,
            env=environment(ROOT, tmp_path / "programs"),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (line, done.stdout[-2000:], done.stderr[-2000:])
    assert (tmp_path / "runs" / "first" / "index.html").is_file()


@pytest.mark.slow
def test_the_site_is_built_and_every_page_is_in_it(tmp_path: Path) -> None:
    site = tmp_path / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(site)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for page in sorted((ROOT / "docs").glob("*.md")):
        name = "" if page.stem == "index" else page.stem
        assert (site / name / "index.html").is_file(), page
