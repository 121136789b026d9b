"""Differences between a method and the baseline on the very same turns: interval, permutation p-value, Holm's correction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import sqrt

import numpy as np

from scbench.stats.intervals import (
    NOTHING,
    SEED,
    Clusters,
    Estimate,
    Floats,
    Indices,
    bootstrap,
    wilson,
)

EXACT_SESSIONS = 14  # 2^14 sign patterns are enumerated; above, patterns are drawn
DRAWN_PATTERNS = 20_000
ALPHA = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Method minus baseline. `p_holm` is corrected over the methods of one table column (same setting, mode and task)."""

    estimate: Estimate
    p: float | None = None
    p_holm: float | None = None

    @property
    def is_significant(self) -> bool:
        return self.p_holm is not None and self.p_holm < ALPHA


def split(
    clusters: Clusters, values: Floats, sessions: Indices, parts: Indices
) -> tuple[Clusters, Clusters]:
    """Gains and losses apart, both in 0..1, over the same sessions and parts as `clusters`."""
    count = clusters.squares_P.size
    gains = Clusters.of(np.maximum(values, 0.0), sessions, parts, part_count=count)
    losses = Clusters.of(np.maximum(-values, 0.0), sessions, parts, part_count=count)
    return gains, losses


def difference_of(
    values: Floats, sessions: Indices, parts: Indices, *, part_count: int, resamples: int = 0
) -> Difference:
    """As `estimate_of`, with the p-value of a sign-flip permutation; both need two sessions."""
    estimate = estimate_of(values, sessions, parts, part_count=part_count, resamples=resamples)
    if not estimate.has_interval:
        return Difference(estimate=estimate)
    clusters = Clusters.of(values, sessions, parts, part_count=part_count)
    return Difference(
        estimate=estimate,
        p=sign_flip((clusters.sums_SP / clusters.counts_SP.sum(axis=0)).mean(axis=1)),
    )


def estimate_of(
    values: Floats, sessions: Indices, parts: Indices, *, part_count: int, resamples: int = 0
) -> Estimate:
    """`values` are method minus baseline per turn, in -1..1; `sessions` and `parts` are 0-based indices.

    Two intervals cover, and the inner limits of both are taken. One is Wilson's for (1 + difference) / 2, which is wide when hardly any
    turn differs. The other joins the limits of the mean gain and the mean loss, with their covariance where it widens (Newcombe's idea
    for paired proportions), which is wide when gains or losses never occur. A method that never differed gets the width that its few
    sessions deserve, not zero. Simulated coverage: docs/decisions/0045-intervals.md.
    """
    clusters = Clusters.of(values, sessions, parts, part_count=part_count)
    if not clusters.is_complete:
        return Estimate(value=None, n=clusters.n, sessions=clusters.sessions)
    if clusters.sessions < 2:
        return Estimate(
            value=clusters.mean, n=clusters.n, sessions=clusters.sessions, how="one-session"
        )
    gains, losses = split(clusters, values, sessions, parts)
    joined, scaled = gain_loss_limits(gains, losses), scaled_limits(clusters)
    low, high = max(joined[0], scaled[0]), min(joined[1], scaled[1])
    return Estimate(
        value=clusters.mean,
        low=low,
        high=high,
        n=clusters.n,
        sessions=clusters.sessions,
        how="gain-loss",
        bootstrap=bootstrap(clusters, resamples=resamples) if resamples else None,
    )


def gain_loss_limits(gains: Clusters, losses: Clusters) -> tuple[float, float]:
    """Limits for mean(gains) - mean(losses)."""
    gain_low, gain_high = wilson(gains.mean, gains.variance(), gains.sessions)
    loss_low, loss_high = wilson(losses.mean, losses.variance(), losses.sessions)
    joint = _correlation(gains.influence_S(), losses.influence_S())
    value = gains.mean - losses.mean
    gain_down, gain_up = gains.mean - gain_low, gain_high - gains.mean
    loss_down, loss_up = losses.mean - loss_low, loss_high - losses.mean
    below = gain_down**2 + loss_up**2 - 2.0 * joint * gain_down * loss_up
    above = gain_up**2 + loss_down**2 - 2.0 * joint * gain_up * loss_down
    return max(-1.0, value - sqrt(below)), min(1.0, value + sqrt(above))


def scaled_limits(clusters: Clusters) -> tuple[float, float]:
    """Limits for a mean of values in -1..1, as those of a score in 0..1; without any spread they say nothing."""
    variance = clusters.variance()
    if variance < NOTHING:
        return -1.0, 1.0
    low, high = wilson((1.0 + clusters.mean) / 2.0, variance / 4.0, clusters.sessions)
    return 2.0 * low - 1.0, 2.0 * high - 1.0


def _correlation(left: Floats, right: Floats) -> float:
    """At most 0: a positive one would narrow the interval, and few sessions estimate it badly."""
    scale = float(np.sqrt((left**2).sum() * (right**2).sum()))
    return min(0.0, max(-1.0, float((left * right).sum()) / scale)) if scale > 1e-12 else 0.0


def sign_flip(shares_S: Floats) -> float:
    """Two-sided p-value of sum(shares) when every session's difference may as well have had the other sign.

    Exact up to 14 sessions that differ, so it cannot be below 2 / 2^n; above, 20,000 drawn patterns and the observed one.
    """
    shares = shares_S[
        np.abs(shares_S) > 1e-15
    ]  # a session without a difference has the same sum under both signs
    if shares.size == 0:
        return 1.0
    seen = abs(float(shares.sum())) - 1e-12
    signs = _signs(shares.size)
    hits = int((np.abs(signs @ shares) >= seen).sum())
    if shares.size <= EXACT_SESSIONS:
        return hits / len(signs)
    return (hits + 1) / (len(signs) + 1)


@lru_cache(maxsize=16)
def _signs(sessions: int) -> Floats:
    """Patterns of +1 and -1 (rows): all of them for few sessions, drawn ones for many."""
    if sessions <= EXACT_SESSIONS:
        bits = np.arange(2**sessions)[:, None] >> np.arange(sessions) & 1
    else:
        bits = np.random.Generator(np.random.PCG64(SEED)).integers(
            0, 2, size=(DRAWN_PATTERNS, sessions)
        )
    signs: Floats = 1.0 - 2.0 * bits
    return signs


def holm(differences: Sequence[Difference]) -> list[Difference]:
    """The same differences with `p_holm`, corrected over all of them that have a p-value (Holm 1979)."""
    order = sorted((d.p, place) for place, d in enumerate(differences) if d.p is not None)
    corrected, reached = list(differences), 0.0
    for rank, (p, place) in enumerate(order):
        reached = max(reached, min(1.0, (len(order) - rank) * p))
        corrected[place] = replace(differences[place], p_holm=reached)
    return corrected
