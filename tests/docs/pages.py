"""The pages that people read, their fenced blocks, links and commands."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "results").rglob("*.md")),
    *sorted((ROOT / "examples").glob("*.md")),
)
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^()\s]+(?:\([^()\s]*\))?)\)")
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
SHELLS = ("bash", "console", "sh")
JOINS = (">", ">>", "|", "&&", ";")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: what its first line says it is, and its text."""

    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(*found) for found in FENCE.findall(page.read_text(encoding="utf-8"))]


def prose(page: Path) -> str:
    """The page without its blocks and without code in a line."""
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text(encoding="utf-8")))


def links(page: Path) -> list[str]:
    """Where the page points to within the tree."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return [to for to in LINK.findall(text) if "://" not in to and not to.startswith("mailto:")]


def anchors(page: Path) -> set[str]:
    """The names that headings can be reached by, made as GitHub makes them."""
    found: dict[str, int] = {}
    for heading in HEADING.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        name = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found[name] = found.get(name, -1) + 1
        if found[name]:
            found[f"{name}-{found[name]}"] = 0
    return set(found)


def commands(page: Path) -> Iterator[list[str]]:
    """The words of each `scbench` command in the page's shell blocks."""
    for block in blocks(page):
        if block.language not in SHELLS:
            continue
        for line in block.text.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True)
            if words and words[0] == "scbench":
                yield list(itertools.takewhile(lambda word: word not in JOINS, words))
