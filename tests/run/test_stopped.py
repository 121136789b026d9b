"""Ctrl-C: what is said, what is kept, and that going on plays nothing twice."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

GRID = "--model lab-transformer --tasks kv --methods dense,kivi --sessions 8 --turns 3"
PLANNED = 8 * 3 * 2 * 2  # sessions, turns, methods, modes


def started(words: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "scbench", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
    )


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


@pytest.mark.slow
def test_a_run_that_is_stopped_says_what_is_kept_and_goes_on_from_there(tmp_path: Path) -> None:
    out = tmp_path / "out"
    records = out / "records.jsonl"
    run = started(["run", *shlex.split(GRID), "--cost-sessions", "0", "--out", str(out)])
    while run.poll() is None and len(lines_of(records)) < 6:
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    said = run.communicate(timeout=60)[0]
    kept = lines_of(records)
    assert run.returncode == 130, said
    assert 6 <= len(kept) < PLANNED
    assert "done in" not in said
    assert f"stopped: {len(kept)} turns answered, all kept in {out}" in said
    command = next(line for line in said.splitlines() if line.startswith("to go on: "))
    again = started(shlex.split(command.removeprefix("to go on: scbench ")))
    said = again.communicate(timeout=120)[0]
    assert again.returncode == 0, said
    whole = lines_of(records)
    assert whole[: len(kept)] == kept
    turns = {(line["key"], line["turn"]) for line in map(json.loads, whole)}
    assert len(whole) == len(turns) == PLANNED


@pytest.mark.slow
def test_a_run_that_is_stopped_before_its_first_turn_says_so(tmp_path: Path) -> None:
    words = [sys.executable, "-c"]
    code = (
        "import sys; from scbench import api, cli\n"
        "def run(**words): raise KeyboardInterrupt\n"
        "api.run = run; sys.argv = ['scbench', 'run', '--model', 'toy']; cli.main()"
    )
    ended = subprocess.run([*words, code], capture_output=True, text=True, check=False)
    assert ended.returncode == 130
    assert "the same command goes on" in ended.stderr
