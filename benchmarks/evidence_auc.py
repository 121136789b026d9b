"""How well evidence_held and evidence_kept tell right answers from wrong ones, for evictions.

`python benchmarks/evidence_auc.py RUN`; without a folder it plays all evictions of lab_grid.py at
three budgets on the lab transformer into runs/evidence (four minutes on two cores).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import polars as pl

import lab_grid
import scbench
from scbench import api
from scbench.defaults import LAB
from scbench.stats.roc import area

EVICTIONS = "KV dropping"
NUMBERS = ("evidence_held", "evidence_kept")
RIGHT = 0.999


def main() -> None:
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("run", type=Path, nargs="?", help="the folder of a run")
    words.add_argument("--length", type=int, default=256)
    words.add_argument("--sessions", type=int, default=8)
    given = words.parse_args()
    result = api.open_run(given.run) if given.run else played(given.length, given.sessions)
    turns = scored(result)
    if turns.is_empty():
        raise SystemExit(
            f"no turn of an eviction in {result.folder} has both shares; play dense beside them"
        )
    show("all", turns)
    for column in ("task", "mode", "method"):
        print()
        for (name,), part in turns.group_by(column, maintain_order=True):
            show(str(name), part)
    tell_exceptions(turns)


def played(length: int, sessions: int) -> scbench.Result:
    methods, _ = lab_grid.possible(lab_grid.MODEL, lab_grid.grid(), length)
    dropping = [name for name in methods if name.partition("[")[0] in lab_grid.DROPPING]
    return scbench.run(
        model=lab_grid.MODEL,
        tasks=LAB["tasks"],
        methods=["dense", *dropping],
        length=length,
        sessions=sessions,
        turns=3,
        cost_sessions=0,
        out=Path("runs/evidence"),
    )


def scored(result: scbench.Result) -> pl.DataFrame:
    """The turns of evictions that have a score and both shares."""
    evictions = [name for name, card in result.methods().items() if card["category"] == EVICTIONS]
    return (
        result.frame()
        .filter(pl.col("method").is_in(evictions))
        .drop_nulls(["strict", *NUMBERS])
        .with_columns((pl.col("strict") >= RIGHT).alias("right"))
    )


def show(name: str, turns: pl.DataFrame) -> None:
    areas = [area(turns[number], turns["right"]) for number in NUMBERS]
    held, kept = ("   -" if one is None else f"{one:.3f}" for one in areas)
    right = turns["right"].mean()
    print(f"{name:30} {turns.height:6,} turns, right {right:4.0%}: held {held:5}, kept {kept:5}")


def tell_exceptions(turns: pl.DataFrame) -> None:
    """Right answers with little of the evidence, and wrong ones with nearly all of it."""
    print()
    kept = pl.col("evidence_kept")
    for what, part in (
        ("right with less than 20 % kept", turns.filter(pl.col("right") & (kept < 0.2))),
        ("wrong with more than 90 % kept", turns.filter(~pl.col("right") & (kept > 0.9))),
    ):
        by_task = part.group_by("task").len().sort("len", descending=True).iter_rows()
        told = ", ".join(f"{task} {count}" for task, count in by_task)
        print(f"{what}: {part.height} ({told})")


if __name__ == "__main__":
    main()
