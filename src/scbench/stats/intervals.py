"""Means of clustered scores with 95 % intervals that stay honest when sessions are few or all scores are equal.

A session is the unit of chance: its turns share one context, so whole sessions are independent draws and single turns are not.
Why these formulas and not a bootstrap is in docs/decisions/0045-intervals.md, with simulated coverage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from scbench.stats.quantiles import binomial_bound, t_quantile

Floats: TypeAlias = NDArray[np.float64]
Indices: TypeAlias = NDArray[np.int64]
CONFIDENCE = 0.95
TAIL = (1.0 - CONFIDENCE) / 2.0
SEED = 20_241_213  # of every random draw in this room
NOTHING = 1e-15  # a variance below this is rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean and its 95 % interval. No value: a gap. A value without low and high: too few sessions to say more."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0  # scored turns
    sessions: int = 0
    how: str = "gap"  # wilson-t, exact, gain-loss, t, combined, one-session, gap
    bootstrap: tuple[float, float] | None = (
        None  # percentile limits, resampling sessions; a second opinion for the files
    )

    @property
    def is_gap(self) -> bool:
        return self.value is None

    @property
    def has_interval(self) -> bool:
        return self.low is not None and self.high is not None


GAP = Estimate(value=None)


@dataclass(frozen=True, slots=True)
class Clusters:
    """Scores summed by session (S) and part (P): one part for a plain task, two for a mix. `squares_P` sums the squared scores."""

    sums_SP: Floats
    counts_SP: Floats
    squares_P: Floats

    @classmethod
    def of(
        cls, values: Floats, sessions: Indices, parts: Indices, *, part_count: int = 1
    ) -> Clusters:
        """`sessions` and `parts` are 0-based indices, one for each value."""
        shape = (int(sessions.max()) + 1 if sessions.size else 0, part_count)
        sums, counts, squares = np.zeros(shape), np.zeros(shape), np.zeros(part_count)
        np.add.at(sums, (sessions, parts), values)
        np.add.at(counts, (sessions, parts), 1.0)
        np.add.at(squares, parts, values**2)
        return cls(sums, counts, squares)

    @property
    def sessions(self) -> int:
        return int((self.counts_SP.sum(axis=1) > 0).sum())

    @property
    def n(self) -> int:
        return int(self.counts_SP.sum())

    @property
    def is_complete(self) -> bool:
        """Whether every part has at least one score; the mean of a mix is a gap otherwise."""
        return bool(self.counts_SP.size) and bool((self.counts_SP.sum(axis=0) > 0).all())

    @property
    def means_P(self) -> Floats:
        means: Floats = self.sums_SP.sum(axis=0) / self.counts_SP.sum(axis=0)
        return means

    @property
    def mean(self) -> float:
        return float(self.means_P.mean())

    def influence_S(self) -> Floats:
        """What each session adds to the error of the mean, to first order: the mean is a mean of ratios of sums over sessions."""
        totals = self.counts_SP.sum(axis=0)
        shares: Floats = ((self.sums_SP - self.means_P * self.counts_SP) / totals).mean(axis=1)
        return shares

    def variance(self) -> float:
        """Variance of the mean: between sessions, but never below that of independent turns (turns of a session are not *less* alike)."""
        between = self.sessions / (self.sessions - 1) * float((self.influence_S() ** 2).sum())
        totals = self.counts_SP.sum(axis=0)
        spread = np.maximum(self.squares_P / totals - self.means_P**2, 0.0) / np.maximum(
            totals - 1.0, 1.0
        )
        return max(between, float(spread.sum()) / float(self.means_P.size**2))


def wilson(mean: float, variance: float, sessions: int) -> tuple[float, float]:
    """Wilson's score interval at the effective number of draws, mean (1 - mean) / variance, with Student's t for few sessions.

    Scores lie in 0..1. All scores equal leave no variance to read: then the sessions count as single draws that all agreed, and
    the limits are those of Clopper and Pearson at none of n (from 20 sessions all right: 83 % to 100 %).
    """
    if variance < NOTHING:
        reach = binomial_bound(sessions, TAIL)
        return max(0.0, mean - reach), min(1.0, mean + reach)
    t = t_quantile(1.0 - TAIL, float(sessions - 1))
    spread = max(mean * (1.0 - mean), 0.0)
    if spread < NOTHING:  # a variance beside a mean at the border is rounding
        return wilson(mean, 0.0, sessions)
    weight = t * t * variance / spread  # t^2 / n_effective
    centre = (mean + weight / 2.0) / (1.0 + weight)
    reach = t / (1.0 + weight) * sqrt(variance + weight * variance / (4.0 * spread))
    return max(0.0, centre - reach), min(1.0, centre + reach)


def mean_of(clusters: Clusters, *, resamples: int = 0) -> Estimate:
    """The mean of scores in 0..1 with its interval; a gap if any part has no score."""
    if not clusters.is_complete:
        return Estimate(value=None, n=clusters.n, sessions=clusters.sessions)
    if clusters.sessions < 2:
        return Estimate(value=clusters.mean, n=clusters.n, sessions=1, how="one-session")
    variance = clusters.variance()
    low, high = wilson(clusters.mean, variance, clusters.sessions)
    how = "exact" if variance < NOTHING else "wilson-t"
    boot = bootstrap(clusters, resamples=resamples) if resamples else None
    return Estimate(
        value=clusters.mean,
        low=low,
        high=high,
        n=clusters.n,
        sessions=clusters.sessions,
        how=how,
        bootstrap=boot,
    )


def bootstrap(clusters: Clusters, *, resamples: int = 2000) -> tuple[float, float] | None:
    """Percentile limits from resampling sessions with their turns; the same records give the same limits. None if a part runs empty."""
    draws = _resamples(clusters.sums_SP.shape[0], resamples)
    counts = draws @ clusters.counts_SP
    if (counts <= 0).any():
        return None
    means = ((draws @ clusters.sums_SP) / counts).mean(axis=1)
    low, high = np.quantile(means, [TAIL, 1.0 - TAIL])
    return float(low), float(high)


@lru_cache(maxsize=16)
def _resamples(sessions: int, resamples: int) -> Floats:
    """How often each resample (rows) holds each session; drawn once for a number of sessions, with a fixed seed."""
    generator = np.random.Generator(np.random.PCG64(SEED))
    drawn: Floats = generator.multinomial(
        sessions, np.full(sessions, 1.0 / sessions), size=resamples
    ).astype(np.float64)
    return drawn


def combine(
    parts: Sequence[Estimate], weights: Sequence[float], *, floor: float, ceiling: float
) -> Estimate:
    """A weighted mean of estimates from different sessions: squared distances to the limits add (Zou and Donner 2008, "MOVER").

    A part without an interval (one session) enters with the whole range `floor`..`ceiling`: it can say nothing narrower.
    """
    total = sum(weights)
    value = below = above = 0.0
    for part, weight in zip(parts, weights, strict=True):
        assert part.value is not None, "a gap cannot be averaged"
        low = floor if part.low is None else part.low
        high = ceiling if part.high is None else part.high
        value += weight / total * part.value
        below += (weight / total * (part.value - low)) ** 2
        above += (weight / total * (high - part.value)) ** 2
    return Estimate(
        value=value,
        low=max(floor, value - sqrt(below)),
        high=min(ceiling, value + sqrt(above)),
        n=sum(part.n for part in parts),
        sessions=sum(part.sessions for part in parts),
        how="combined",
    )
