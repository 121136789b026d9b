"""Averages over tasks as one mean: every turn with its share, chance-corrected, clustered by seed.

The sessions of one seed are one cluster where tasks ask the same questions (`TaskBook.source_of`);
other tasks draw their own, so their sessions are clusters of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import polars as pl

from scbench.stats.clusters import SessionClusters
from scbench.stats.intervals import GAP, Estimate, mean_of
from scbench.stats.paired import Changes
from scbench.stats.paper import PAPER_BOOK, TaskBook
from scbench.stats.rates import Indices

Part: TypeAlias = tuple[str, str]  # task, and sub-task of a mix ("" for a plain task)


MOST_FLOOR = 0.95  # a floor nearer to 1 would blow up every difference


@dataclass(frozen=True, slots=True)
class Shares:
    """What each sub-task weighs in an average, and the score that chance gives it.

    `scale` is what the weights add up to once each is divided by 1 - floor: a mean of raw scores
    with these weights, times `scale`, minus `shift`, is the mean of the corrected scores.
    """

    weights: Mapping[Part, float]
    scale: float
    shift: float
    book: TaskBook = PAPER_BOOK

    @classmethod
    def of(
        cls,
        tasks: Sequence[str],
        parts_by_task: Mapping[str, Sequence[str]],
        floors: Mapping[Part, float],
        book: TaskBook = PAPER_BOOK,
    ) -> Shares:
        """The plain mean of the abilities' plain means of these tasks; a mix is that of its parts.

        Tasks outside the paper's abilities count as an ability of their own.
        """
        abilities: dict[str, list[str]] = {}
        for task in tasks:
            abilities.setdefault(book.ability_of(task), []).append(task)
        plain: dict[Part, float] = {}
        for mine in abilities.values():
            for task in mine:
                parts = parts_by_task[task]
                share = 1.0 / len(abilities) / len(mine) / len(parts)
                plain |= {(task, part): share for part in parts}
        floor = {part: floors.get(part, 0.0) for part in plain}
        weights = {part: share / (1.0 - floor[part]) for part, share in plain.items()}
        shift = sum(weights[part] * floor[part] for part in plain)
        return cls(weights, sum(weights.values()), shift, book)


def with_parts(rows: pl.DataFrame, book: TaskBook = PAPER_BOOK) -> pl.DataFrame:
    """With the column `part`: the sub-task in a mix, empty in a plain task."""
    mixes = [task for task in rows["task"].unique().to_list() if book.parts_of(task)]
    is_mix = pl.col("task").is_in(mixes)
    return rows.with_columns(pl.when(is_mix).then("subtask").otherwise(pl.lit("")).alias("part"))


def floors_of(rows: pl.DataFrame, form: str, book: TaskBook = PAPER_BOOK) -> dict[Part, float]:
    """What each part scores by chance: the scorer's own `floor` where it has one, else chance."""
    floors: dict[Part, float] = {}
    for task, part in rows.select("task", "part").unique().iter_rows():
        floors[task, part] = min(MOST_FLOOR, book.chance_of(form, task, part))
    if "side_floor" in rows.columns:
        measured = rows.filter(pl.col("side_floor").is_not_null()).sort("task", "part")
        means = measured.group_by("task", "part").agg(pl.col("side_floor").mean())
        floors |= {(task, part): min(MOST_FLOOR, mean) for task, part, mean in means.iter_rows()}
    return floors


def score(rows: pl.DataFrame, shares: Shares, column: str = "strict") -> SessionClusters | None:
    """The scores of an average; None where a sub-task has none."""
    scored = rows.filter(pl.col(column).is_not_null())
    index = _index(scored, shares)
    if index is None:
        return None
    return SessionClusters.of(
        scored[column].to_numpy(),
        *index,
        part_count=len(shares.weights),
        weights=tuple(shares.weights.values()),
    )


def changes(both: pl.DataFrame, shares: Shares) -> Changes | None:
    """Gains and losses of an average, from turns side by side (`cells.pairs`)."""
    index = _index(both, shares)
    if index is None:
        return None
    return Changes.of(
        (both["strict"] - both["strict_base"]).to_numpy(),
        *index,
        part_count=len(shares.weights),
        weights=tuple(shares.weights.values()),
    )


def mean(rows: pl.DataFrame, shares: Shares, column: str = "strict") -> Estimate:
    """The chance-corrected mean with its interval; negative where scores stay below chance."""
    clusters = score(rows, shares, column)
    if clusters is None:
        return GAP
    raw = mean_of(clusters)
    if raw.value is None:
        return raw
    values = [
        None if one is None else shares.scale * one - shares.shift
        for one in (raw.value, raw.low, raw.high)
    ]
    return Estimate(
        value=values[0],
        low=values[1],
        high=values[2],
        n=raw.n,
        sessions=raw.sessions,
        how=raw.how,
    )


def _index(rows: pl.DataFrame, shares: Shares) -> tuple[Indices, Indices] | None:
    """Cluster and sub-task of each row, as numbers from 0."""
    places = {part: place for place, part in enumerate(shares.weights)}
    tasks, parts = rows["task"].to_list(), rows["part"].to_list()
    found = [places[both] for both in zip(tasks, parts, strict=True)]
    if len(set(found)) < len(places):
        return None
    names = [
        (shares.book.source_of(task), seed)
        for task, seed in zip(tasks, rows["seed"].to_list(), strict=True)
    ]
    order = {name: place for place, name in enumerate(sorted(set(names)))}
    return (
        np.array([order[name] for name in names], dtype=np.int64),
        np.array(found, dtype=np.int64),
    )
