"""Turns that were answered several times: their samples as one row each."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

SCORES = ("strict", "official")


def per_turn(table: pl.DataFrame, turn: Sequence[str]) -> pl.DataFrame:
    """One row for the samples of a turn, with the means of what was measured.

    A score stands for a turn only where each of its samples has one, or hard turns would lose
    their failures. What is told of the first sample alone (the gold answer) is the row's; notes
    are those of any. The turn is what scores vary over, so its samples are averaged before any
    interval: they never count as sessions.
    """
    own = [name for name in table.columns if name not in turn]
    return table.group_by(turn, maintain_order=True).agg(
        _of_samples(name, table.schema[name]) for name in own
    )


def _of_samples(name: str, kind: pl.DataType) -> pl.Expr:
    """One column of a turn from those of its samples."""
    column = pl.col(name)
    if name == "samples":
        return column.sum()
    if name in SCORES:
        return pl.when(column.null_count() == 0).then(column.mean())
    if name == "answer":  # equal where all samples are
        return column.str.join("/")
    if name == "notes":
        return column.filter(column != "").unique(maintain_order=True).str.join("; ")
    if kind.is_float():
        return column.mean()
    if kind.is_integer() and name != "turns":
        return column.mean().round().cast(pl.Int64)
    return column.drop_nulls().first()
