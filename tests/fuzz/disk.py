"""A failing disk at every call of a run: our message, and a resume to the same numbers."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path

from fuzz import child
from fuzz.faults import KINDS, SHORT, Disk
from fuzz.left import Left, difference, left
from fuzz.tally import Tally, draws
from scbench.errors import ScbenchError

METHODS = "dense,streaming-llm"
TOLD, HARMLESS = "told", "harmless"


def words(folder: Path) -> list[str]:
    grid = ["--model=toy", "--tasks=kv", "--length=256", "--sessions=1", "--turns=2"]
    return ["run", *grid, f"--methods={METHODS}", "--cost-repeats=1", "--quiet", f"--out={folder}"]


def attack(room: Path, *, seed: int, share: float = 1.0) -> Tally:
    """Every call, in every way that a disk fails; with a `share`, so many of them, drawn."""
    began = time.monotonic()
    draw, tally = draws(seed, "disk"), Tally("disk")
    child.warm(METHODS)
    whole = room / "whole"
    calls = _calls(room, whole)
    wanted = left(whole)
    cases = [
        (at, kind) for at in range(1, len(calls) + 1) for kind in KINDS if _fits(calls, at, kind)
    ]
    for at, kind in cases if share >= 1 else _drawn(cases, share, draw):
        _fail(room, wanted, calls[at - 1], at, kind, tally)
    tally.seconds = time.monotonic() - began
    return tally


def _drawn(
    cases: list[tuple[int, str]], share: float, draw: random.Random
) -> list[tuple[int, str]]:
    return sorted(draw.sample(cases, max(1, round(share * len(cases)))))


def _fits(calls: list[str], at: int, kind: str) -> bool:
    return kind != SHORT or calls[at - 1].startswith("write")


def _calls(room: Path, whole: Path) -> list[str]:
    """What an undisturbed run calls, in order: `write records.jsonl`."""
    disk = Disk(whole, 0, "", room / "calls")
    code = child.ended(child.start(words(whole), room / "log", disk.install))
    assert code == 0, _said(room / "log")
    lines = (room / "calls").read_text(encoding="utf-8").splitlines()
    return [line.partition(" ")[2] for line in lines]


def _fail(room: Path, wanted: Left, call: str, at: int, kind: str, tally: Tally) -> None:
    folder = room / "failing"
    shutil.rmtree(folder, ignore_errors=True)
    disk = Disk(folder, at, kind, room / "calls")
    code = child.ended(child.start(words(folder), room / "log", disk.install))
    where = f"{kind} at call {at} ({call})"
    said = _said(room / "log")
    if "Traceback" in said:
        tally.fail(kind, "TRACEBACK", f"{where}: {said[-1500:]}")
    elif code == 1 and "cannot be written" in said:
        tally.note(kind, TOLD)
    elif code == 0 and _is_spared(call, folder):
        tally.note(kind, HARMLESS)
    else:
        tally.fail(kind, "UNTOLD", f"{where}: status {code}: {said[-500:]}")
    again = child.ended(child.start(words(folder), room / "log"))
    if again != 0:
        tally.fail(
            "resumed", "WRONG END", f"{where}: status {again}: {_said(room / 'log')[-1500:]}"
        )
        return
    try:
        told = difference(wanted, left(folder))
    except (ScbenchError, OSError) as error:
        told = [str(error)]
    if told:
        tally.fail("resumed", "DIFFERENT", f"{where}: {'; '.join(told)}")
    else:
        tally.note("resumed", "equal")


def _is_spared(call: str, folder: Path) -> bool:
    """A run may do without the words in its lock, a sync of names, and a second mkdir."""
    what, _, name = call.partition(" ")
    return name == ".lock" or (what in ("fsync", "mkdir") and (folder / name).is_dir())


def _said(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")
