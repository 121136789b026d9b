"""How often a gate is wrong, and how often it can tell: runs whose true drop is known.

    PYTHONPATH=src python benchmarks/gate_errors.py [--runs 150] [--sessions 16,48,100]

One task, 5 turns a session, an earlier run that is right in 90 % of turns, the turns of a session
alike (correlation 0.3, of scores and of losses). A gate at 5 pp and 95 % may be wrong in 5 %.
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np
import polars as pl
from numpy.random import Generator

from scbench.stats.gate import Passage, gate
from scbench.stats.two_runs import ITEM, compare_runs

TURNS, LEVEL, CORRELATION, BOUND = 5, 0.9, 0.3, 0.05
DROPS = (0.02, 0.05, 0.10)


def rates(luck: Generator, mean: float, sessions: int) -> np.ndarray:
    """A rate for each session, so that its turns correlate."""
    weight = (1.0 - CORRELATION) / CORRELATION
    return luck.beta(mean * weight, (1.0 - mean) * weight, sessions)[:, None]


def items(scores_ST: np.ndarray) -> pl.DataFrame:
    """Scores by session and turn as the items of a run; equal scores are equal answers."""
    sessions, turns = scores_ST.shape
    fixed = {"model": "m", "length_tokens": 1, "protocol": "p", "form": "full", "task": "kv"}
    places = [(session, turn) for session in range(sessions) for turn in range(turns)]
    columns = {
        **fixed,
        "subtask": "kv",
        "mode": "multi-turn",
        "method": "x",
        "session": [str(session) for session, _ in places],
        "seed": [f"0:{session}" for session, _ in places],
        "turn": [turn for _, turn in places],
        "strict": scores_ST.ravel(),
        "gap": None,
        "answer": [str(score) for score in scores_ST.ravel()],
        "side_floor": None,
    }
    return pl.DataFrame(columns, schema=ITEM)


def played(luck: Generator, sessions: int, drop: float) -> Passage:
    """What the gate says of one earlier and one later run."""
    shape = (sessions, TURNS)
    before = (luck.random(shape) < rates(luck, LEVEL, sessions)).astype(float)
    is_lost = luck.random(shape) < rates(luck, drop / LEVEL, sessions)
    after = np.where(is_lost, 0.0, before)
    (row,) = gate(compare_runs(items(before), items(after)).overall(), max_drop=BOUND)
    return row.passage


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=150)
    parser.add_argument("--sessions", default="16,48,100")
    given = parser.parse_args()
    luck = np.random.Generator(np.random.PCG64(5))
    print(f"| sessions | true drop | {' | '.join(Passage)} |")
    print("|---:|---:|---:|---:|---:|")
    for sessions in map(int, given.sessions.split(",")):
        for drop in DROPS:
            found = Counter(played(luck, sessions, drop) for _ in range(given.runs))
            shares = [f"{100.0 * found[one] / given.runs:.1f} %" for one in Passage]
            print(f"| {sessions} | {100 * drop:.0f} pp | {' | '.join(shares)} |")


if __name__ == "__main__":
    main()
