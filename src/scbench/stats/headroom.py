"""Which cells of a model can tell methods apart: those that dense solves and a control must lose.

The rules are those of docs/decisions/0105-findings-on-any-model.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

import polars as pl

from scbench.errors import BadRecord
from scbench.stats.paper import PAPER_BOOK, TaskBook
from scbench.stats.pool import floors_of, with_parts

DENSE = "dense"
LEAST_SOLVED = 0.80  # dense scores at least this, free of chance, where a cell counts
LEAST_LOST = 0.20  # and the stage's control loses at least this
CONTROLS: Mapping[str, str] = {  # stage -> a method that keeps far too little
    "generation": "a-shape[init_tokens=1,local_tokens=3]",
    "compression": "streaming-llm[tau=1/8]",
    "codec": "rtn[bits=2]",
}
CellName: TypeAlias = tuple[str, int, str]  # task, length in tokens, mode
KEYS: dict[str, tuple[str, ...]] = {
    # columns of whole numbers that stand for others, so that these are compared once
    "cell": ("task", "length_tokens", "mode"),
    "part": ("task", "part", "length_tokens", "mode"),
    # tasks that share questions, and twins of one seed over lengths, are one draw
    "draw": ("source", "seed"),
    "at": ("task", "length_tokens", "mode", "seed", "turn"),
}
KEPT = (
    "model",
    "method",
    "task",
    "length_tokens",
    "mode",
    "turn",
    "value",
    "floor",
    "held_bytes",
    "prompt_tokens",
    "gold_tokens",
    "notes",
    *KEYS,
)


class By(StrEnum):
    """What a turn is judged by: its strict score, or how often its likeliest token along the gold
    answer is dense's."""

    SCORE = "score"
    AGREEMENT = "agreement"


def turns_of(table: pl.DataFrame, by: By, book: TaskBook = PAPER_BOOK) -> pl.DataFrame:
    """A row a turn of a `frame`, with the columns KEPT: `value` is what it is judged by, `floor`
    what chance scores. Raises BadRecord where one number would mix protocols or forms.
    """
    for name in ("protocol", "form"):
        if len(found := table[name].unique().to_list()) > 1:
            raise BadRecord(
                f"the records have more than one {name} ({'; '.join(sorted(found))}); findings are "
                f"of one: give the folder of one run"
            )
    parted = with_parts(table, book)
    floors = {}
    if by is By.SCORE and parted.height:
        floors = floors_of(parted, parted["form"][0], book)
    column = "strict" if by is By.SCORE else "gold_top1"
    known = parted.with_columns(
        pl.col(column).alias("value"),
        pl.struct("task", "part")
        .map_elements(
            lambda one: floors.get((one["task"], one["part"]), 0.0), return_dtype=pl.Float64
        )
        .alias("floor"),
        pl.col("task").map_elements(book.source_of, return_dtype=pl.String).alias("source"),
    )
    return known.with_columns(
        pl.struct(names).rank("dense").alias(key) for key, names in KEYS.items()
    ).select(KEPT)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellStanding:
    """A cell of one model: what dense scores in it, and what the control of each stage loses
    (None: not played). All free of chance, 0..1."""

    cell: CellName
    dense: float
    losses: Mapping[str, float | None] = field(default_factory=dict)
    gold_tokens: float | None = None  # of a gold answer, on average

    def is_solved(self, by: By) -> bool:
        return by is By.AGREEMENT or self.dense >= LEAST_SOLVED

    def has_headroom(self, stage: str) -> bool:
        lost = self.losses.get(stage)
        return lost is not None and lost >= LEAST_LOST


@dataclass(frozen=True, slots=True, kw_only=True)
class CellGate:
    """All cells of a model that dense was played in, and which of them count."""

    by: By
    standings: tuple[CellStanding, ...] = ()

    @property
    def solved(self) -> frozenset[CellName]:
        return frozenset(one.cell for one in self.standings if one.is_solved(self.by))

    def counting(self, stage: str, least_gold_tokens: float = 0.0) -> frozenset[CellName]:
        """The cells where a method of this stage can be seen to lose."""
        return frozenset(
            one.cell
            for one in self.standings
            if one.is_solved(self.by)
            and one.has_headroom(stage)
            and (one.gold_tokens or 0.0) >= least_gold_tokens
        )

    def has_control(self, stage: str) -> bool:
        """Whether the control of this stage was played in a cell that is solved."""
        return any(
            one.losses.get(stage) is not None for one in self.standings if one.cell in self.solved
        )


def gate_of(turns: pl.DataFrame, model: str, by: By) -> CellGate:
    """Where this model's methods can be judged, from the rows of `turns_of`."""
    mine = turns.filter(pl.col("model") == model)
    means = {method: _means(mine, method) for method in (DENSE, *CONTROLS.values())}
    gold = mine.filter(pl.col("method") == DENSE).group_by(KEYS["cell"])
    tokens = {
        (task, length, mode): mean
        for task, length, mode, mean in gold.agg(pl.col("gold_tokens").mean()).iter_rows()
    }
    standings = []
    for cell, dense in sorted(means[DENSE].items()):
        others = {stage: means[control].get(cell) for stage, control in CONTROLS.items()}
        losses = {stage: None if one is None else dense - one for stage, one in others.items()}
        standings.append(
            CellStanding(cell=cell, dense=dense, losses=losses, gold_tokens=tokens[cell])
        )
    return CellGate(by=by, standings=tuple(standings))


def _means(turns: pl.DataFrame, method: str) -> dict[CellName, float]:
    """Mean of a method in every cell, free of chance; the parts of a mix weigh the same."""
    free = (pl.col("value") - pl.col("floor")) / (1.0 - pl.col("floor"))
    parts = (
        turns.filter((pl.col("method") == method) & pl.col("value").is_not_null())
        .group_by(*KEYS["cell"], "part")
        .agg(free.mean().alias("mean"))
    )
    cells = parts.group_by(KEYS["cell"]).agg(pl.col("mean").mean())
    return {(task, length, mode): mean for task, length, mode, mean in cells.iter_rows()}


def within(turns: pl.DataFrame, cells: Collection[CellName]) -> pl.DataFrame:
    """The rows of these cells."""
    named = pl.DataFrame(
        sorted(cells),
        schema={"task": pl.String, "length_tokens": pl.Int64, "mode": pl.String},
        orient="row",
    )
    return turns.join(named, on=KEYS["cell"], how="semi")
