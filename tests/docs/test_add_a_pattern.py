"""The walk of docs/add-a-pattern.md works as written: one new file, one entry."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from docs.trees import copied, digests, environment

ROOT = Path(__file__).parents[2]
DOC = ROOT / "docs" / "add-a-pattern.md"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ENTRY = "# an entry of Mode in "
MEMBER = re.compile(r"^    [A-Z_]+ = \"")
NEW = "src/scbench/play/patterns/afresh.py"
MODES = "src/scbench/modes.py"


def blocks(language: str) -> list[str]:
    """The texts of the page's blocks of a language, in order."""
    return [
        text for kind, text in FENCE.findall(DOC.read_text(encoding="utf-8")) if kind == language
    ]


def written(tree: Path) -> None:
    """The page's file and its entry, in a copy of the tree."""
    for text in blocks("python"):
        first, _, rest = text.partition("\n")
        if first.startswith(ENTRY):
            path = tree / first.removeprefix(ENTRY)
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            last = max(at for at, line in enumerate(lines) if MEMBER.match(line))
            path.write_text("".join([*lines[: last + 1], rest, *lines[last + 1 :]]))
        else:
            (tree / first.removeprefix("# ")).write_text(rest, encoding="utf-8")


def ran(words: list[str], tree: Path) -> str:
    done = subprocess.run(
        words, cwd=tree, env=environment(tree), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{words}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def records(run: Path) -> list[dict[str, Any]]:
    found = []
    for line in (run / "records.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        found.append(record.get("record", record))
    return found


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    found = copied(tmp_path)
    before = digests(found)
    written(found)
    after = digests(found)
    assert after.keys() - before.keys() == {NEW}
    assert {name for name in before if after[name] != before[name]} == {MODES}
    return found


def test_an_entry_and_a_file_are_all_that_a_new_pattern_needs_to_be_known(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("weights"))
    written(tmp_path)
    code = """
import sys

from scbench.grid.words import typed_words
from scbench.modes import Mode
from scbench.options import flags
from scbench.play.patterns import pattern_of
from scbench.types import History, Protocol

mode, = typed_words({"modes": "afresh"})["modes"]
assert mode is Mode("afresh")
print(pattern_of(mode, Protocol()), pattern_of(mode, Protocol(history=History.MODEL)))
print(pattern_of(mode, Protocol(history=History.NONE)), Protocol().compresses_after(mode))
assert "afresh" in flags()["modes"].help
assert "torch" not in sys.modules
"""
    assert ran([sys.executable, "-c", code], tmp_path).splitlines() == [
        "Afresh(waits=False) Afresh(waits=True)",
        "MultiRequest(waits=False) first-query",
    ]


@pytest.mark.slow
def test_the_commands_of_the_walk_play_the_pattern_and_score_it(tree: Path) -> None:
    listed, played = [ran(["bash", "-euc", text], tree) for text in blocks("bash")]
    assert "every turn is read and compressed anew" in listed
    assert "afresh, Δ" in played
    answers: dict[tuple[str, str], dict[tuple[str, int], str]] = defaultdict(dict)
    scores: dict[tuple[str, str], list[float]] = defaultdict(list)
    for record in records(tree / "runs" / "afresh"):
        assert record["failure"] is None
        cell = record["method"], record["mode"]
        answers[cell][record["seed"], record["turn"]] = record["answer"]["ids"]
        scores[cell].append(record["strict"]["value"])
    assert len(answers["dense", "afresh"]) == 18
    assert answers["dense", "afresh"] == answers["dense", "multi-turn"]
    snapkv = "snapkv[tau=1/8]"
    assert sum(scores[snapkv, "afresh"]) > sum(scores[snapkv, "multi-turn"])
    report = (tree / "runs" / "afresh" / "report.md").read_text(encoding="utf-8")
    assert "afresh" in report
