"""The walk of docs/add-a-task.md works as written: its files are written, its commands are run."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import scbench
from scbench import commands  # noqa: F401  (registers its commands)
from scbench.cli import app

DOC = Path(__file__).parents[2] / "docs" / "add-a-task.md"
BLOCK = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BLOCKS = [found.groups() for found in BLOCK.finditer(DOC.read_text(encoding="utf-8"))]


def file_blocks() -> dict[str, str]:
    return {name: text for _, name, text in BLOCKS if name}


def command_lines() -> list[str]:
    lines = "".join(text for language, _, text in BLOCKS if language == "console").splitlines()
    return [line.removeprefix("$ scbench ") for line in lines]


@pytest.fixture
def walked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of the walk, as the working folder."""
    for name, text in file_blocks().items():
        if name != "__init__.py":
            (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def test_the_walk_has_files_and_commands() -> None:
    ours = {"doors.py", "tickets.jsonl", "near.py", "answers.jsonl", "__init__.py"}
    assert set(file_blocks()) == ours
    assert len(command_lines()) == 7


@pytest.mark.slow
def test_every_command_of_the_walk_does_what_it_says(walked: Path) -> None:
    told = {}
    for line in command_lines():
        found = CliRunner().invoke(app, shlex.split(line))
        assert found.exit_code == 0, (line, found.output)
        told[line] = found.output
    examined = [text for line, text in told.items() if line.startswith("doctor")]
    assert len(examined) == 3
    assert all("0 broken" in text for text in examined)
    doors = (walked / "runs" / "doors" / "report.md").read_text(encoding="utf-8")
    tickets = (walked / "runs" / "tickets" / "report.md").read_text(encoding="utf-8")
    assert "Keys of doors" in doors.split(": Retr.String")[1]
    assert "Tickets" in tickets.split(": Other tasks")[1]
    assert "own lengths" in tickets
    scored = [json.loads(line) for line in (walked / "scored.jsonl").read_text().splitlines()]
    assert [line["scores"]["strict"] for line in scored] == [0.8, 1.0, 1.0]


@pytest.mark.slow
def test_a_task_becomes_one_of_ours_by_its_file_and_one_line(tmp_path: Path) -> None:
    house = tmp_path / "src" / "scbench"
    shutil.copytree(Path(scbench.__file__).parent, house)
    blocks = file_blocks()
    (house / "tasks" / "doors.py").write_text(blocks["doors.py"], encoding="utf-8")
    registry = house / "tasks" / "__init__.py"
    text = registry.read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith("MORE"))
    registry.write_text(text.replace(line, blocks["__init__.py"].strip()), encoding="utf-8")
    said = {}
    for words in ("list tasks", "doctor doors", "doctor Keys-of-nothing"):
        ran = subprocess.run(
            [sys.executable, "-m", "scbench", *words.split()],
            capture_output=True,
            text=True,
            check=False,
            env={"PYTHONPATH": str(tmp_path / "src"), "COLUMNS": "200", "PATH": ""},
            cwd=tmp_path,
        )
        said[words] = (ran.returncode, ran.stdout + ran.stderr)
    assert said["list tasks"][0] == 0, said
    assert "Keys of doors" in said["list tasks"][1]
    assert said["doctor doors"][0] == 0, said
    assert "0 broken" in said["doctor doors"][1]
    assert said["doctor Keys-of-nothing"][0] != 0
