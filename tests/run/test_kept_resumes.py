"""A conversation whose answers' KV stays is played whole again where a turn of it is missing."""

from __future__ import annotations

from pathlib import Path

import scbench
from scbench.ledger.journal import read_records

WORDS = {
    "model": "toy",
    "tasks": ["kv"],
    "methods": ["dense", "snapkv[tau=1/2]"],
    "length": 512,
    "sessions": 1,
    "turns": 3,
    "modes": ["multi-turn"],
    "history": "kept",
    "quiet": True,
}


def answers(out: Path) -> dict[tuple[str, int], str]:
    return {
        (record.method, record.turn): record.answer.text
        for record in read_records(out)
        if record.answer is not None
    }


def test_a_killed_run_answers_as_one_that_was_not(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for out in (whole, killed):
        scbench.run(**WORDS, out=out)
    lines = (killed / "records.jsonl").read_bytes().splitlines(keepends=True)
    (killed / "records.jsonl").write_bytes(b"".join(lines[:-2]))
    scbench.run(**WORDS, out=killed)
    assert answers(killed) == answers(whole)
    assert len(answers(whole)) == 6
