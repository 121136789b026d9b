"""One number against one threshold, with an interval and a verdict: what the findings are made of.

Numbers are means over cells (task, length, mode), each cell with the same weight, of paired
differences per turn; sessions are the draws. A session is named by its seed and by what its
questions are drawn from, so that models which share a tokenizer meet on the same texts, and twins
of one seed over lengths count once. The rows come from `stats/headroom.py:turns_of`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from math import sqrt

import numpy as np
import polars as pl

from scbench.stats.cells import NOTED
from scbench.stats.clusters import SessionClusters
from scbench.stats.intervals import GAP, Estimate, mean_of
from scbench.stats.paired import Changes, estimate
from scbench.stats.rates import Floats, Indices

# of the turns that the reference has a score for; with more missing, a number says nothing
MOST_MISSING = 0.10
EVERY_TURN = pl.lit(True)
MULTI_TURN = pl.col("mode") == "multi-turn"
FIRST_TURN, LATER_TURNS = MULTI_TURN & (pl.col("turn") == 0), MULTI_TURN & (pl.col("turn") > 0)


class Verdict(StrEnum):
    HOLDS = "holds"
    FAILS = "does not hold"
    UNKNOWN = "cannot tell"
    NO_HEADROOM = "no headroom"  # not even a method that must lose does
    NOT_ASKED = "not asked"


class Side(StrEnum):
    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """`estimate` is asked to lie on a side of `threshold`. All in 0..1, differences in -1..1."""

    what: str
    side: Side
    threshold: float
    estimate: Estimate
    verdict: Verdict
    cells: int = 0
    missing_turns: int = 0  # scored under the reference, not under what is compared with it
    is_difference: bool = True
    binds: bool = True  # whether the finding's verdict depends on it
    why: str = ""  # besides what interval and threshold say
    noted: Mapping[str, int] = field(default_factory=dict)  # as of a number


@dataclass(frozen=True, slots=True)
class Arm:
    """One side of a comparison: the mean of some methods on one model, over turns that all of them
    have a score for.
    """

    model: str
    methods: tuple[str, ...]

    def scores(self, turns: pl.DataFrame) -> pl.DataFrame:
        """One row a turn: value, prompt_tokens, notes."""
        mine = turns.filter(
            (pl.col("model") == self.model)
            & pl.col("method").is_in(self.methods)
            & pl.col("value").is_not_null()
        )
        means = mine.group_by("at").agg(
            pl.col("cell", "part", "draw", "floor").first(),
            pl.col("value").mean(),
            pl.col("prompt_tokens").max(),
            pl.col("notes").str.join("; "),
            pl.len().alias("count"),
        )
        return means.filter(pl.col("count") == len(self.methods)).drop("count").sort("at")


@dataclass(frozen=True, slots=True)
class Number:
    estimate: Estimate
    cells: int
    missing_turns: int
    reference_turns: int
    noted: Mapping[str, int] = field(
        default_factory=dict
    )  # turns with a note of NOTED, on either side

    @property
    def is_complete(self) -> bool:
        return self.missing_turns <= MOST_MISSING * self.reference_turns


def difference(
    turns: pl.DataFrame,
    one: Arm,
    other: Arm,
    where: pl.Expr = EVERY_TURN,
) -> Number:
    """`one` minus `other`, the reference, turn by turn."""
    seen = turns.filter(where)
    reference = other.scores(seen)
    both = one.scores(seen).join(reference, on="at", suffix="_other").sort("at")
    if one.model != other.model:  # their sessions are the same texts only if they are equally long
        both = both.filter(pl.col("prompt_tokens") == pl.col("prompt_tokens_other"))
    values = (both["value"] - both["value_other"]).to_numpy()
    return _number(both, reference.height, partial(_difference, values))


def level(
    turns: pl.DataFrame, one: Arm, where: pl.Expr = EVERY_TURN, *, reference: Arm | None = None
) -> Number:
    """The mean score itself. With a `reference`, turns that only the reference has a score for are
    missing.
    """
    seen = turns.filter(where)
    rows = one.scores(seen)
    planned = rows.height if reference is None else reference.scores(seen).height
    mean = partial(_level, rows["value"].to_numpy(), rows["floor"].to_numpy())
    return _number(rows, max(planned, rows.height), mean)


@dataclass(frozen=True, slots=True)
class _Places:
    """Draw and part of each row, as numbers from 0, and what a part weighs in the mean: its share
    of a cell, and each cell the same, divided by 1 - floor."""

    draws: Indices
    parts: Indices
    weights: tuple[float, ...]

    @classmethod
    def of(cls, rows: pl.DataFrame) -> _Places:
        parts = rows.group_by("part").agg(pl.col("cell", "floor").first()).sort("part")
        shared = parts.with_columns(pl.len().over("cell").alias("count"))
        cells = parts["cell"].n_unique()
        weights = shared.select(1.0 / cells / pl.col("count") / (1.0 - pl.col("floor")))
        return cls(
            _index(rows["draw"].to_numpy()),
            _index(rows["part"].to_numpy()),
            tuple(weights.to_series().to_list()),
        )

    @property
    def scale(self) -> float:
        """What the weights add up to: they are shares of it where a mean is taken."""
        return sum(self.weights)


def _number(
    rows: pl.DataFrame, reference_turns: int, mean: Callable[[_Places], Estimate]
) -> Number:
    missing = reference_turns - rows.height
    if not rows.height:
        return Number(GAP, 0, missing, reference_turns)
    cells = rows["cell"].n_unique()
    return Number(mean(_Places.of(rows)), cells, missing, reference_turns, _noted(rows))


def _difference(values: Floats, places: _Places) -> Estimate:
    """The mean of differences, scaled by what is above chance."""
    changes = Changes.of(
        values,
        places.draws,
        places.parts,
        part_count=len(places.weights),
        weights=places.weights,
    )
    if changes.gains.sessions < 2:
        plain = estimate(changes, None)
        assert plain.value is not None, "every part has a row"
        return replace(plain, value=places.scale * plain.value)
    room = places.scale
    return estimate(changes, changes.paired(scale=room, most_up=room, most_down=room))


def _level(values: Floats, floors: Floats, places: _Places) -> Estimate:
    """The mean of scores, free of chance."""
    clusters = SessionClusters.of(
        values,
        places.draws,
        places.parts,
        part_count=len(places.weights),
        weights=places.weights,
    )
    raw = mean_of(clusters)
    first = np.unique(places.parts, return_index=True)[1]
    shift = float(np.dot(places.weights, floors[first]))
    value, low, high = (
        None if one is None else places.scale * one - shift
        for one in (raw.value, raw.low, raw.high)
    )
    return replace(raw, value=value, low=low, high=high)


def _noted(rows: pl.DataFrame) -> dict[str, int]:
    """How many turns have a note that marks a number, in any of the records behind them."""
    sides = [name for name in ("notes", "notes_other") if name in rows.columns]
    texts = rows.select(pl.concat_str(sides, separator="; ").str.split("; "))
    notes = {name: int(texts.to_series().list.contains(name).sum()) for name in NOTED}
    return {name: count for name, count in notes.items() if count}


def _index(names: Indices) -> Indices:
    """0, 1, ... in the place of any whole numbers."""
    index: Indices = np.unique(names, return_inverse=True)[1].astype(np.int64)
    return index


def apart(one: Estimate, other: Estimate) -> Estimate:
    """`one` minus `other` where they come from different sessions: squared distances to the limits
    add (MOVER, as `combine`).
    """
    if one.value is None or other.value is None:
        return GAP
    value, n, sessions = one.value - other.value, one.n + other.n, one.sessions + other.sessions
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return Estimate(value=value, n=n, sessions=sessions, how="one-session")
    below = sqrt((one.value - one.low) ** 2 + (other.high - other.value) ** 2)
    above = sqrt((one.high - one.value) ** 2 + (other.value - other.low) ** 2)
    return Estimate(
        value=value, low=value - below, high=value + above, n=n, sessions=sessions, how="combined"
    )


def judge(estimate: Estimate, side: Side, threshold: float) -> Verdict:
    """Holds if the whole interval lies on the side, does not hold if all of it lies on the other;
    else nobody can tell.
    """
    if estimate.low is None or estimate.high is None:
        return Verdict.UNKNOWN
    is_above, is_below = estimate.low > threshold, estimate.high < threshold
    if not (is_above or is_below):
        return Verdict.UNKNOWN
    return Verdict.HOLDS if is_above == (side is Side.ABOVE) else Verdict.FAILS


def check(
    what: str,
    number: Number,
    side: Side,
    threshold: float,
    *,
    is_difference: bool = True,
    binds: bool = True,
) -> Check:
    verdict, why = judge(number.estimate, side, threshold), ""
    if number.estimate.is_gap:
        why = "no cell has scores for it: not run, or no cell passes the gate"
    elif not number.is_complete:
        verdict, why = (
            Verdict.UNKNOWN,
            f"{number.missing_turns:,} of {number.reference_turns:,} turns are missing",
        )
    return Check(
        what=what,
        side=side,
        threshold=threshold,
        estimate=number.estimate,
        verdict=verdict,
        cells=number.cells,
        missing_turns=number.missing_turns,
        is_difference=is_difference,
        binds=binds,
        why=why,
        noted=number.noted,
    )


def all_of(verdicts: Iterable[Verdict]) -> Verdict:
    """One that does not hold decides; else one that nobody can tell, or that had nothing to lose;
    nothing at all says nothing.
    """
    found = set(verdicts) or {Verdict.UNKNOWN}
    order = (
        Verdict.FAILS,
        Verdict.UNKNOWN,
        Verdict.NO_HEADROOM,
        Verdict.NOT_ASKED,
        Verdict.HOLDS,
    )
    return next(verdict for verdict in order if verdict in found)
