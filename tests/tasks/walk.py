"""The files of docs/add-a-task.md, for tests that need a task of somebody's."""

from __future__ import annotations

import re
from pathlib import Path

DOC = Path(__file__).parents[2] / "docs" / "add-a-task.md"
BLOCK = re.compile(r"^```\w+ (\S+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def walk_file(name: str) -> str:
    """The text of a block that says which file it is."""
    return dict(BLOCK.findall(DOC.read_text(encoding="utf-8")))[name]


def write_walk(folder: Path, *names: str) -> list[str]:
    """Write these files, and say how their tasks are written."""
    for name in names:
        (folder / name).write_text(walk_file(name), encoding="utf-8")
    return [f"{folder}/{name}" + (":TASK" if name.endswith(".py") else "") for name in names]
