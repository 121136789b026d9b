"""Six of the planted faults are played: doctor and the tests see them, and no harmless change."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mutants.__main__ import played, table
from mutants.copies import PACKAGE, TESTS, planted
from mutants.planted import HARMLESS, PLANTED

SIX = (
    "positions: by stored slots instead of tokens seen",
    "cacheblend: chunks keep the angles of position 0",
    "snapkv: votes are not pooled",
    "kivi: the minimum is half a step off",
    "quest: a page's bound is of its minima",
    "a-shape: the band is one key wider",
)
# Each has a process of its own: a fork of it must not have imported the package yet.
PLAY = """
import sys
from mutants.copies import WITNESSES
from mutants.planted import HARMLESS, PLANTED
by_name = {mutant.name: mutant for mutant in (*PLANTED, HARMLESS)}
found = WITNESSES[sys.argv[1]](by_name[sys.argv[2]])
print(f"SEEN={found.is_seen} {found.words}")
"""


def seen(witness: str, name: str) -> str:
    """The last line of a play: whether the fault was seen, and by what."""
    done = subprocess.run(
        [sys.executable, "-c", PLAY, witness, name],
        env={**os.environ, "PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize("witness", ["doctor", "tests"])
@pytest.mark.parametrize("name", SIX)
def test_a_planted_fault_is_seen(name: str, witness: str) -> None:
    assert seen(witness, name).startswith("SEEN=True")


@pytest.mark.slow
@pytest.mark.parametrize("witness", ["doctor", "tests"])
def test_a_comment_is_not_seen(witness: str) -> None:
    assert seen(witness, HARMLESS.name).startswith("SEEN=False")


def test_a_fault_is_planted_in_a_copy_and_never_in_the_tree() -> None:
    mutant = PLANTED[0]
    before = (PACKAGE / mutant.file).read_bytes()
    with planted(mutant) as folder:
        assert mutant.new in (folder / "scbench" / mutant.file).read_text(encoding="utf-8")
        assert (PACKAGE / mutant.file).read_bytes() == before


@pytest.mark.slow
def test_a_torn_line_of_the_journal_is_played_again(tmp_path: Path) -> None:
    journal = tmp_path / "mutants.jsonl"
    journal.write_text(
        '{"key": "a", "is_seen": true, "words": "x", "seconds": 1}\n{"key": "b", "is_'
    )
    assert list(played(journal)) == ["a"]
    assert "| not played | not played |" in table(journal)


def test_the_committed_table_has_a_row_for_every_fault() -> None:
    text = (TESTS.parent / "docs" / "results" / "mutants.md").read_text(encoding="utf-8")
    missing = [
        mutant.name for mutant in PLANTED if f"| {mutant.name} | `{mutant.method}` |" not in text
    ]
    assert missing == []
