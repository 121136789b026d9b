"""Records made by hand: `x` has dense's score wherever it has one, and lacks some in four ways."""

from __future__ import annotations

from dataclasses import replace

from factory import ALL_TASKS, session

from scbench.types import Failure, Record

LACKS = ("kv failed", "hard sessions failed", "half unscored", "nothing")
SESSIONS, TURNS = 5, 4
EASY, HARD, OTHER = [1.0, 0.0, 1.0, 0.0], [0.0] * TURNS, [0.8] * TURNS  # dense on kv: 4 of 20


def records(lack: str) -> list[Record]:
    """12 tasks, 5 sessions of 4 turns: dense has 0.20 on kv and 0.80 elsewhere, 0.75 overall."""
    found: list[Record] = []
    for task in ALL_TASKS:
        for number in range(SESSIONS):
            values = OTHER if task != "kv" else EASY if number < 2 else HARD
            found += session(values, task=task, number=number)
            mine = session(values, task=task, number=number, method="x")
            found += [_lacking(one, lack) for one in mine] if task == "kv" else mine
    return found


def _lacking(one: Record, lack: str) -> Record:
    is_hard = one.seed in ("0:2", "0:3", "0:4")
    if lack == "kv failed" or (lack == "hard sessions failed" and is_hard):
        return _failed(one)
    if lack == "half unscored" and (one.seed in ("0:3", "0:4") or (is_hard and one.turn > 1)):
        none = replace(one.strict, value=None, why="no parser")
        return replace(one, strict=none, official=none)
    return one


def _failed(one: Record) -> Record:
    none = replace(one.strict, value=None)
    failure = Failure(kind="crashed", why="made to fail", trace="failures/abc.txt")
    return replace(one, answer=None, failure=failure, strict=none, official=none)
