"""SIGKILL at a random moment, some times in a row, then a run to the end: no turn may differ."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import time
from pathlib import Path

from fuzz import child
from fuzz.left import Left, difference, left
from fuzz.tally import Tally, draws
from scbench.errors import ScbenchError

MOST_IN_A_ROW = 3
METHODS = "dense,streaming-llm,knorm,snapkv[tau=1/1000]"


def words(folder: Path, *, sessions: int) -> list[str]:
    grid = ["--model=toy", "--tasks=kv,vt", "--length=512", "--turns=2", "--cost-repeats=1"]
    return [
        "run",
        *grid,
        f"--methods={METHODS}",
        f"--sessions={sessions}",
        "--quiet",
        f"--out={folder}",
    ]


def attack(room: Path, *, kills: int, seed: int, sessions: int = 6) -> Tally:
    """Kill until there were `kills`, and compare every resumed run with the undisturbed one."""
    began = time.monotonic()
    draw, tally = draws(seed, "kill"), Tally("kill")
    child.warm(METHODS)
    whole = room / "whole"
    first = time.monotonic()
    code = child.ended(child.start(words(whole, sessions=sessions), room / "log"))
    assert code == 0, _end_of(room / "log")
    lasts_s = time.monotonic() - first
    wanted = left(whole)
    done = 0
    while done < kills:
        folder = room / "killed"
        shutil.rmtree(folder, ignore_errors=True)
        row = min(draw.randint(1, MOST_IN_A_ROW), kills - done)
        for _ in range(row):
            _kill(folder, room / "log", draw, lasts_s, sessions, tally)
        done += row
        _examine(folder, room / "log", wanted, sessions, tally)
    tally.seconds = time.monotonic() - began
    return tally


def _kill(
    folder: Path, log: Path, draw: random.Random, lasts_s: float, sessions: int, tally: Tally
) -> None:
    before = _lines(folder)
    process = child.start(words(folder, sessions=sessions), log)
    time.sleep(draw.uniform(0, lasts_s))
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
    code = child.ended(process)
    played = _lines(folder) - before
    if code == -signal.SIGKILL:
        tally.note("kills", "while it played" if played else "before or after")
    elif code == 0:
        tally.note("kills", "too late")
    else:
        tally.fail("kills", "WRONG END", f"status {code}: {_end_of(log)}")


def _examine(folder: Path, log: Path, wanted: Left, sessions: int, tally: Tally) -> None:
    code = child.ended(child.start(words(folder, sessions=sessions), log))
    if code != 0:
        tally.fail("resumed runs", "WRONG END", f"status {code}: {_end_of(log)}")
        return
    try:
        told = difference(wanted, left(folder))
    except (ScbenchError, OSError) as error:
        told = [str(error)]
    if told:
        tally.fail("resumed runs", "DIFFERENT", "; ".join(told))
    else:
        tally.note("resumed runs", "equal")


def _lines(folder: Path) -> int:
    path = folder / "records.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _end_of(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-400:]
