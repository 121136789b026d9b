"""A rate in 0..1 and what is known of it: a posterior on a grid, with limits at any level.

Sessions are the unit of chance: each draws its own rate from a Beta law, and its turns are hits or
misses at that rate (the beta-binomial law). Why this one: docs/statistics.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import pi
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Indices: TypeAlias = NDArray[np.int64]

# The grid of rates is even in the angle whose squared sine is the rate: on it Jeffreys' prior,
# Beta(1/2, 1/2), is flat, and cells are narrow where rates near 0 or 1 need them to be.
CELLS_P = 400
EDGES = np.sin(np.linspace(0.0, pi / 2.0, CELLS_P + 1)) ** 2
RATES_P = np.sin((np.arange(CELLS_P) + 0.5) * (pi / 2.0 / CELLS_P)) ** 2
# The correlation within sessions has a flat prior on 0..1: Gauss-Legendre places of its root, so
# that they lie close to each other near 0, with the weights of its square.
_PLACES, _WEIGHTS = np.polynomial.legendre.leggauss(28)
ALIKE_R = ((_PLACES + 1.0) / 2.0) ** 2
LOG_PRIOR_R = np.log(_WEIGHTS * (_PLACES + 1.0) / 2.0)
AT_AN_END = 0.15  # what the prior's exponent has more than Jeffreys' where nothing was seen
MOST_STEPS = 200  # a session of more turns counts as one of so many


@dataclass(frozen=True, slots=True)
class HitCounts:
    """Sessions by their hits and misses, in the form in which the likelihood needs them.

    `hits[j]` is how many sessions have more than j hits; a part of a hit counts in part. Three
    sessions of two turns with 2, 1 and 0 hits: hits (2, 1), misses (2, 1), turns (3, 3).
    """

    hits: tuple[float, ...]
    misses: tuple[float, ...]
    turns: tuple[float, ...]

    @classmethod
    def of(cls, hits_S: Floats, turns_S: Floats) -> HitCounts:
        steps = np.arange(np.ceil(turns_S.max() - 1e-6) if turns_S.size else 0)[:, None]
        return cls(*(_beyond(values, steps) for values in (hits_S, turns_S - hits_S, turns_S)))


def _beyond(values_S: Floats, steps: Floats) -> tuple[float, ...]:
    reached = np.clip(values_S - steps, 0.0, 1.0).sum(axis=1)
    return tuple(np.round(reached, 6).tolist())


@dataclass(frozen=True, slots=True, eq=False)
class KnownRate:
    """A rate: the share that was seen, and the posterior mass of each cell of the grid.

    From 0 hits in 24 sessions of one turn: value 0, and 0 to 0.112 by `limits()`.
    """

    value: float
    mass_P: Floats

    def lower(self, alpha: Floats | float) -> Floats:
        """The lower limit of the equal-tailed interval at 1 - alpha; 0 where nothing was hit."""
        if self.value <= 0.0:
            return np.zeros_like(np.asarray(alpha, dtype=np.float64))
        reached = np.concatenate([[0.0], np.cumsum(self.mass_P)])
        low: Floats = np.interp(np.asarray(alpha) / 2.0, reached, EDGES)
        return np.minimum(low, self.value)

    def upper(self, alpha: Floats | float) -> Floats:
        """The upper limit; its tail is summed from above, where 1 - 1e-12 would be rounding."""
        if self.value >= 1.0:
            return np.ones_like(np.asarray(alpha, dtype=np.float64))
        reached = np.concatenate([[0.0], np.cumsum(self.mass_P[::-1])])
        high: Floats = np.interp(np.asarray(alpha) / 2.0, reached, EDGES[::-1])
        return np.maximum(high, self.value)

    def limits(self, alpha: float = 0.05) -> tuple[float, float]:
        return float(self.lower(alpha)), float(self.upper(alpha))


@lru_cache(maxsize=4)
def _log_steps(steps: int) -> tuple[Floats, Floats, Floats]:
    """Log-chances of a hit after so many hits and of a miss after so many misses, a row a step
    over all correlations and rates; and the log of what both are divided by, (steps, R)."""
    step = np.arange(steps)[:, None, None]
    alike, rate = ALIKE_R[:, None], RATES_P[None, :]
    hit = np.log(rate * (1.0 - alike) + step * alike)
    miss = np.log((1.0 - rate) * (1.0 - alike) + step * alike)
    whole = np.log(1.0 - alike + step * alike)
    return hit.reshape(steps, -1), miss.reshape(steps, -1), whole.reshape(steps, -1)


def log_likelihood(counts: HitCounts) -> Floats:
    """Of rate and correlation under the beta-binomial law, (R, P), up to a constant."""
    steps = len(counts.turns)
    # Tables are made for some numbers of steps only, and read as far as they are needed.
    hit, miss, whole = (table[:steps] for table in _log_steps(-(-steps // 16) * 16))
    logs = np.array(counts.hits) @ hit + np.array(counts.misses) @ miss
    found: Floats = logs.reshape(ALIKE_R.size, CELLS_P)
    found -= (np.array(counts.turns) @ whole)[:, None]
    # Where nothing was hit Jeffreys' prior promises too much (Brown, Cai and DasGupta 2001). At
    # that end it becomes Beta(0.65). With 0.7 and more one different answer can have a narrower
    # interval than none; with 0.5 a mean of 0.05 is held in 89 % only, at 50 single turns.
    if not any(counts.hits):
        found += AT_AN_END * np.log(RATES_P)
    elif not any(counts.misses):
        found += AT_AN_END * np.log(1.0 - RATES_P)
    return found


@lru_cache(maxsize=8192)
def evidence(counts: HitCounts) -> tuple[float, ...]:
    """Log-likelihood of each correlation, the rate integrated out: what a method tells others."""
    joint = log_likelihood(counts)
    most = joint.max(axis=1)
    found = most + np.log(np.exp(joint - most[:, None]).sum(axis=1))
    return tuple((found - found.max()).tolist())


@lru_cache(maxsize=8192)
def posterior(counts: HitCounts, told: tuple[float, ...] = ()) -> Floats:
    """Mass of each rate, the correlation integrated out; `told` is what others say of it."""
    joint = log_likelihood(counts) + LOG_PRIOR_R[:, None]
    if told:
        joint += np.array(told)[:, None]
    mass = np.exp(joint - joint.max()).sum(axis=0)
    found: Floats = mass / mass.sum()
    return found


@lru_cache(maxsize=8192)
def correlation(counts: HitCounts, told: tuple[float, ...] = ()) -> float:
    """Posterior mean of the correlation within sessions."""
    logs = np.array(evidence(counts)) + LOG_PRIOR_R + (np.array(told) if told else 0.0)
    weights = np.exp(logs - logs.max())
    return float(weights @ ALIKE_R / weights.sum())


def at_most(share: float) -> tuple[float, ...]:
    """What turns of so small a spread say of the correlation: it is no larger than their spread.

    A session of turns that spread by `share` of right-or-wrong ones counts as 1 / share as many.
    """
    return () if share >= 1.0 else tuple((-((ALIKE_R / share) ** 4)).tolist())


def shared(told: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
    """What the other methods of a column say of the correlation, for each method.

    Methods meet the same sessions, so together the others count as one: the mean of their logs.
    """
    if len(told) < 2:
        return [() for _ in told]
    logs = np.array(told)
    others = (logs.sum(axis=0) - logs) / (len(told) - 1)
    return [tuple(np.round(one - one.max(), 6).tolist()) for one in others]
