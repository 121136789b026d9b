"""One number against one threshold, with an interval and a verdict: what the findings are made of.

Numbers are means over cells (task, length, mode), each cell with the same weight, of paired
differences per turn; sessions are the draws. A session is named by its seed and by what its
questions are drawn from, so that models which share a tokenizer meet on the same texts, and twins
of one seed over lengths count once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import sqrt
from typing import TypeAlias

import numpy as np
import polars as pl

from scbench.errors import BadRecord
from scbench.stats.cells import NOTED
from scbench.stats.clusters import SessionClusters
from scbench.stats.intervals import GAP, Estimate, mean_of
from scbench.stats.paired import estimate_of
from scbench.stats.paper import PAPER_BOOK
from scbench.stats.rates import Floats, Indices

CellName: TypeAlias = tuple[str, int, str]  # task, length in tokens, mode
KEYS: dict[
    str, tuple[str, ...]
] = {  # columns of whole numbers that stand for others, so that these are compared once
    "cell": ("task", "length_tokens", "mode"),
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
    "strict",
    "held_bytes",
    "prompt_tokens",
    "notes",
    *KEYS,
)
# of the turns that the reference has a score for; with more missing, a number says nothing
MOST_MISSING = 0.10
EVERY_TURN = pl.lit(True)
MULTI_TURN = pl.col("mode") == "multi-turn"
FIRST_TURN, LATER_TURNS = MULTI_TURN & (pl.col("turn") == 0), MULTI_TURN & (pl.col("turn") > 0)


class Verdict(StrEnum):
    HOLDS = "holds"
    FAILS = "does not hold"
    UNKNOWN = "cannot tell"


class Side(StrEnum):
    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """`estimate` is asked to lie on a side of `threshold`. All in 0..1, differences in -1..1;
    per-byte ones as `per_byte` says.
    """

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
        """One row a turn: value, held_bytes, prompt_tokens."""
        mine = turns.filter(
            (pl.col("model") == self.model)
            & pl.col("method").is_in(self.methods)
            & pl.col("strict").is_not_null()
        )
        means = mine.group_by("at").agg(
            pl.col("cell", "draw").first(),
            pl.col("strict").mean().alias("value"),
            pl.col("held_bytes").mean(),
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


def gated(table: pl.DataFrame, cells: Collection[CellName]) -> pl.DataFrame:
    """The turns of these cells of a `frame`, with the columns KEPT. Raises BadRecord where one
    number would mix protocols or forms.
    """
    for name in ("protocol", "form"):
        if len(found := table[name].unique().to_list()) > 1:
            raise BadRecord(
                f"the records have more than one {name} ({'; '.join(sorted(found))}); findings are "
                f"of one: give the folder of one run"
            )
    named = pl.DataFrame(
        sorted(cells),
        schema={"task": pl.String, "length_tokens": pl.Int64, "mode": pl.String},
        orient="row",
    )
    source = (
        pl.col("task").map_elements(PAPER_BOOK.source_of, return_dtype=pl.String).alias("source")
    )
    counted = table.join(named, on=KEYS["cell"], how="semi").with_columns(source)
    return counted.with_columns(
        pl.struct(names).rank("dense").alias(key) for key, names in KEYS.items()
    ).select(KEPT)


def difference(
    turns: pl.DataFrame,
    one: Arm,
    other: Arm,
    where: pl.Expr = EVERY_TURN,
    *,
    is_per_byte: bool = False,
) -> Number:
    """`one` minus `other`, the reference, turn by turn."""
    seen = turns.filter(where)
    reference = other.scores(seen)
    both = one.scores(seen).join(reference, on="at", suffix="_other").sort("at")
    if one.model != other.model:  # their sessions are the same texts only if they are equally long
        both = both.filter(pl.col("prompt_tokens") == pl.col("prompt_tokens_other"))
    values = per_byte(both) if is_per_byte else both["value"] - both["value_other"]
    return _number(both, values.to_numpy(), reference.height, is_difference=True)


def level(
    turns: pl.DataFrame, one: Arm, where: pl.Expr = EVERY_TURN, *, reference: Arm | None = None
) -> Number:
    """The mean score itself. With a `reference`, turns that only the reference has a score for are
    missing.
    """
    seen = turns.filter(where)
    rows = one.scores(seen)
    planned = rows.height if reference is None else reference.scores(seen).height
    return _number(rows, rows["value"].to_numpy(), max(planned, rows.height), is_difference=False)


def per_byte(both: pl.DataFrame) -> pl.Series:
    """Difference of scores at the bytes of the smaller of the two: each score is divided by how
    many times these its own cache holds.
    """
    least = pl.min_horizontal("held_bytes", "held_bytes_other")
    value = pl.col("value") * least / pl.col("held_bytes") - pl.col("value_other") * least / pl.col(
        "held_bytes_other"
    )
    return both.select(value.alias("value"))["value"]


def _number(
    rows: pl.DataFrame, values: Floats, reference_turns: int, *, is_difference: bool
) -> Number:
    missing = reference_turns - rows.height
    kept = ~np.isnan(values.astype(np.float64))  # held bytes may be unknown
    if not kept.any():
        return Number(GAP, 0, missing, reference_turns)
    sessions, cells = _index(rows["draw"].to_numpy()[kept]), _index(rows["cell"].to_numpy()[kept])
    count, values = int(cells.max()) + 1, values[kept]
    if is_difference:
        estimate = estimate_of(values, sessions, cells, part_count=count)
    else:
        estimate = mean_of(SessionClusters.of(values, sessions, cells, part_count=count))
    noted = _noted(rows.filter(pl.Series(kept)))
    return Number(estimate, count, missing + int((~kept).sum()), reference_turns, noted)


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
    """One that does not hold decides; else one that nobody can tell; nothing at all says
    nothing.
    """
    found = set(verdicts) or {Verdict.UNKNOWN}
    return next(
        verdict for verdict in (Verdict.FAILS, Verdict.UNKNOWN, Verdict.HOLDS) if verdict in found
    )
