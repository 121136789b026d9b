"""From looks at attention (`scbench.attention`) to means with intervals, for `scbench analyze`.

A session is the unit of chance, as everywhere in this room; layers and heads are not drawn, so that
they are averaged first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt
from typing import Any

import polars as pl

from scbench.stats.intervals import GAP, TAIL, Estimate
from scbench.stats.quantiles import t_quantile

WHEN = {"first": pl.col("turn") == 0, "later": pl.col("turn") > 0, "all": pl.lit(True)}
SESSION = ["task", "session"]
RETRIEVAL_SHARE = 0.1  # of a head's attention, on the evidence, from which it is called retrieval
SCHEMAS: Mapping[str, Mapping[str, Any]] = {  # of what may be empty; the rest is inferred
    "along": {
        "task": pl.String,
        "session": pl.String,
        "turn": pl.Int64,
        "step": pl.Int64,
        "against": pl.String,
        "overlap": pl.Float64,
        "kept": pl.Float64,
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionFacts:
    """What was looked at. `context_tokens` are the fewest and the most of a session."""

    model: str
    tasks: tuple[str, ...]
    sessions: Mapping[str, int]  # of each task
    turns: int
    context_tokens: tuple[int, int]
    layers: int
    query_heads: int
    kv_heads: int
    shares: tuple[str, ...]
    answer_tokens: int
    methods: tuple[str, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    source: str = ""  # the run whose sessions these are; "" for sessions of their own


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionTables:
    """Four tables, one row a measurement; turns, layers and heads count from 0.

    `overlap`: share of the most-attended keys that two turns have in common, by layer, mean over
    heads. `along`: the same between a token of a long answer and earlier queries, mean over layers
    and heads. `heads`: how each query head's attention lies on the context. `kept`: mass on the
    keys that a method holds or chooses, on as many of exact top-k, on all.
    """

    overlap: pl.DataFrame
    along: pl.DataFrame
    heads: pl.DataFrame
    kept: pl.DataFrame

    @classmethod
    def of(cls, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> AttentionTables:
        frames = {
            name: pl.DataFrame(of_name, infer_schema_length=None)
            if of_name
            else pl.DataFrame(schema=SCHEMAS.get(name))
            for name, of_name in rows.items()
        }
        return cls(**frames)

    def named(self) -> dict[str, pl.DataFrame]:
        return {
            "overlap": self.overlap,
            "along": self.along,
            "heads": self.heads,
            "kept": self.kept,
        }

    # -- overlap between turns ---------------------------------------------------------------------

    def matrix(self, pair: str, keys: str, share: str) -> pl.DataFrame:
        """turn x other: mean overlap; alike rows are told in both directions."""
        mine = self._pairs(pair, keys, share)
        if pair != "question-answer":
            turned = mine.filter(pl.col("turn") != pl.col("other"))
            mine = pl.concat(
                [mine, turned.rename({"turn": "other", "other": "turn"}).select(mine.columns)]
            )
        return mine.group_by("turn", "other").agg(pl.col("overlap").mean()).sort("turn", "other")

    def between(self, pair: str, keys: str, share: str, *, same: bool) -> Estimate:
        """The mean over pairs of different turns, or of turns with themselves."""
        is_same = pl.col("turn") == pl.col("other")
        mine = self._pairs(pair, keys, share).filter(is_same if same else ~is_same)
        by_pair = mine.group_by(*SESSION, "turn", "other").agg(pl.col("overlap").mean())
        return estimate_of(by_pair.rename({"overlap": "value"}))

    def overlap_by_layer(self, pair: str, keys: str, share: str) -> pl.DataFrame:
        """layer: mean over pairs of different turns."""
        mine = self._pairs(pair, keys, share).filter(pl.col("turn") != pl.col("other"))
        return mine.group_by("layer").agg(pl.col("overlap").mean()).sort("layer")

    def chance(self, keys: str, share: str) -> float:
        """What two sets drawn at random have in common."""
        return _mean(self._pairs("answers", keys, share)["chance"])

    def _pairs(self, pair: str, keys: str, share: str) -> pl.DataFrame:
        return self.overlap.filter(pair=pair, keys=keys, share=share)

    # -- along an answer ---------------------------------------------------------------------------

    def curve(self) -> pl.DataFrame:
        """against x step: mean overlap and kept mass."""
        means = pl.col("overlap", "kept").mean()
        return self.along.group_by("against", "step").agg(means).sort("against", "step")

    def at_steps(self, against: str, column: str, first: int, last: int) -> Estimate:
        """The mean over steps first to last."""
        mine = self.along.filter(
            (pl.col("against") == against) & pl.col("step").is_between(first, last)
        )
        by_turn = mine.group_by(*SESSION, "turn").agg(pl.col(column).mean().alias("value"))
        return estimate_of(by_turn)

    # -- sparsity ----------------------------------------------------------------------------------

    def by_head(self) -> pl.DataFrame:
        """layer x head: means over sessions and turns."""
        numbers = [
            name
            for name, kind in self.heads.schema.items()
            if kind.is_float() and name not in SESSION
        ]
        means = pl.col(numbers).mean()
        return self.heads.group_by("layer", "head").agg(means).sort("layer", "head")

    def retrieval_heads(self) -> pl.DataFrame:
        """The heads that pay a tenth of their attention or more to the evidence, most first."""
        if self.heads.schema["evidence_mass"] == pl.Null:
            return self.by_head().clear()
        found = self.by_head().filter(pl.col("evidence_mass") >= RETRIEVAL_SHARE)
        return found.sort("evidence_mass", descending=True)

    # -- what methods keep -------------------------------------------------------------------------

    def ratio(self, method: str, keys: str, when: str) -> Estimate:
        """Mass on the method's keys over that on as many keys of exact top-k, of whole turns. Above
        1 it counts as 1: a group's largest product is not always its largest mass."""
        return self._share_of(method, keys, when, "best")

    def part(self, method: str, keys: str, when: str) -> Estimate:
        """Mass on the method's keys as a part of that on all of these keys."""
        return self._share_of(method, keys, when, "whole")

    def held(self, method: str) -> float:
        """Share of the context's keys that a query may read, mean over all."""
        return _mean(self.kept.filter(method=method, keys="all")["held"])

    def kept_by_turn(self, keys: str, of: str) -> pl.DataFrame:
        """method x turn: mass over `best` or `whole`."""
        return _shares(self.kept.filter(keys=keys), ["method", "turn"], of)

    def kept_by_layer(self, keys: str, of: str, when: str) -> pl.DataFrame:
        """method x layer: the same of some turns."""
        return _shares(self.kept.filter(WHEN[when], keys=keys), ["method", "layer"], of)

    def _share_of(self, method: str, keys: str, when: str, of: str) -> Estimate:
        mine = self.kept.filter(WHEN[when], method=method, keys=keys)
        return estimate_of(_shares(mine, [*SESSION, "turn"], of))


def means(tables: AttentionTables, facts: AttentionFacts) -> pl.DataFrame:
    """The means with their intervals as one table, a row an estimate; shares, 0 to 1."""
    rows = []
    for pair in ("answers", "turns", "question-answer"):
        for keys in ("inner", "all"):
            for share in facts.shares:
                for same in (True, False):
                    found = tables.between(pair, keys, share, same=same)
                    when = "same turn" if same else "two turns"
                    rows.append(_row("overlap", pair, keys, share, when, found))
    for against in ("first", "asked", "before"):
        for column in ("overlap", "kept"):
            for first, last in ((1, 1), (2, 7), (8, 31), (32, facts.answer_tokens)):
                found = tables.at_steps(against, column, first, last)
                what = f"along: {column}"
                when = f"steps {first} to {last}"
                rows.append(_row(what, against, "inner", facts.shares[0], when, found))
    for method in facts.methods:
        for when in ("first", "later"):
            for keys in ("all", "inner"):
                found = tables.ratio(method, keys, when)
                rows.append(_row("kept of exact top-k", method, keys, "", when, found))
            for keys in ("all", "inner", "evidence"):
                found = tables.part(method, keys, when)
                rows.append(_row("kept of dense", method, keys, "", when, found))
    return pl.DataFrame([row for row in rows if row["value"] is not None])


def _row(
    what: str, of: str, keys: str, share: str, when: str, estimate: Estimate
) -> dict[str, Any]:
    numbers = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    return {
        "what": what,
        "of": of,
        "keys": keys,
        "share": share,
        "when": when,
        **{name: None if x is None else round(x, 5) for name, x in numbers.items()},
        "sessions": estimate.sessions,
    }


def _mean(numbers: pl.Series) -> float:
    """0 of none."""
    return float(numbers.to_numpy().mean()) if numbers.len() else 0.0


def _shares(frame: pl.DataFrame, by: list[str], of: str) -> pl.DataFrame:
    """`value`: the mass on a method's keys over that in column `of`, sums over layers; groups
    without any are left out."""
    if frame.is_empty() or frame.schema[of] == pl.Null:
        return frame.select(*by, value=pl.lit(None, pl.Float64)).clear()
    sums = frame.group_by(by, maintain_order=True).agg(pl.col("mass", of).sum())
    return (
        sums.filter(pl.col(of) > 0)
        .select(*by, value=(pl.col("mass") / pl.col(of)).clip(0.0, 1.0))
        .sort(by, maintain_order=True)
    )


def estimate_of(frame: pl.DataFrame) -> Estimate:
    """The mean of `value`, tasks weighing alike, with Student's t over the sessions' means.

    Each value is a mean over hundreds of heads, so that no law of hits and misses bounds it, as it
    does a score: what sessions of one task differ by is all that is known of the spread. One
    session of each task has no interval.
    """
    known = frame.drop_nulls("value")
    if known.is_empty():
        return GAP
    by_session = known.group_by(SESSION).agg(pl.col("value").mean())
    by_task = by_session.group_by("task").agg(
        pl.col("value").mean(),
        pl.len().alias("sessions"),
        ((pl.col("value") - pl.col("value").mean()) ** 2).sum().alias("squares"),
    )
    tasks, sessions = by_task.height, by_session.height
    mean = float(by_task["value"].to_numpy().mean())
    plain = Estimate(value=mean, n=known.height, sessions=sessions, how="one-session")
    free = sessions - tasks
    if free < 1:
        return plain
    variance = float(by_task["squares"].sum()) / free
    error = sqrt(variance * float((1.0 / by_task["sessions"]).sum())) / tasks
    extent = t_quantile(1.0 - TAIL, float(free)) * error
    return replace(plain, low=max(0.0, mean - extent), high=min(1.0, mean + extent), how="t")
