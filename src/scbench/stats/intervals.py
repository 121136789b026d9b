"""A mean and its 95 % interval, which hold however few the sessions and however equal the scores.

A session is the unit of chance: its turns share one context, so whole sessions are independent
draws and single turns are not. `rates` has the law, docs/statistics.md the coverage.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from scbench.stats.clusters import SessionClusters
from scbench.stats.rates import Floats

CONFIDENCE = 0.95
ALPHA = 0.05
TAIL = (1.0 - CONFIDENCE) / 2.0
SEED = 20_241_213  # of every random draw in this room
NOTHING = 1e-15  # a variance below this is rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean and its 95 % interval.

    No value: a gap. A value without low and high: too few sessions to say more.

    >>> half = Estimate(value=0.5, low=0.3, high=0.7, n=40, sessions=8, how="beta-binomial")
    >>> half.is_gap, GAP.is_gap
    (False, True)
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0  # scored turns
    sessions: int = 0
    how: str = "gap"  # beta-binomial, gain-loss, t, log-t, combined, one-session, gap
    # percentile limits, resampling sessions; a second opinion for the files
    bootstrap: tuple[float, float] | None = None

    @property
    def is_gap(self) -> bool:
        return self.value is None


GAP = Estimate(value=None)


def mean_of(
    clusters: SessionClusters, *, resamples: int = 0, told: tuple[float, ...] = ()
) -> Estimate:
    """The mean of scores in 0..1 with its interval; a gap if any part has no score.

    `told` is what the other methods of a column say of the correlation within sessions.
    """
    if not clusters.is_complete:
        return Estimate(value=None, n=clusters.n, sessions=clusters.sessions)
    if clusters.sessions < 2:
        return Estimate(value=clusters.mean, n=clusters.n, sessions=1, how="one-session")
    low, high = clusters.rate(told).limits(ALPHA)
    return Estimate(
        value=clusters.mean,
        low=low,
        high=high,
        n=clusters.n,
        sessions=clusters.sessions,
        how="beta-binomial",
        bootstrap=bootstrap(clusters, resamples=resamples) if resamples else None,
    )


def bootstrap(clusters: SessionClusters, *, resamples: int = 2000) -> tuple[float, float] | None:
    """Percentile limits from resampling sessions with their turns; None if a part runs empty.

    The same records give the same limits.
    """
    draws = _resamples(clusters.sums_SP.shape[0], resamples)
    counts = draws @ clusters.counts_SP
    if (counts <= 0).any():
        return None
    means = (draws @ clusters.sums_SP) / counts @ clusters.weights_P
    low, high = np.quantile(means, [TAIL, 1.0 - TAIL])
    return float(low), float(high)


@lru_cache(maxsize=16)
def _resamples(sessions: int, resamples: int) -> Floats:
    """How often each resample (rows) holds each session; drawn once, with a fixed seed."""
    generator = np.random.Generator(np.random.PCG64(SEED))
    drawn: Floats = generator.multinomial(
        sessions, np.full(sessions, 1.0 / sessions), size=resamples
    ).astype(np.float64)
    return drawn
