"""Differences between two methods on the very same turns, as gains and losses.

A turn that only one of them gets right is a gain or a loss; each has a rate of its own, and the two
are joined (MOVER, Zou and Donner 2008). A p-value is the level at which the interval lets zero go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from scbench.stats.clusters import SessionClusters
from scbench.stats.intervals import ALPHA, Estimate, bootstrap
from scbench.stats.rates import Floats, Indices, KnownRate

Flags: TypeAlias = NDArray[np.bool_]

LEVELS = 10.0 ** np.linspace(0.0, -12.0, 145)  # the levels at which an interval is tried
STEPS_BETWEEN = np.arange(48) / 48.0  # and then between two of them, half a hundredth apart


@dataclass(frozen=True, eq=False)
class Paired:
    """What is known of a mean difference: the rates of gains and of losses.

    `scale` turns their difference into that of the scores (1 but for chance-corrected averages);
    `most_up` and `most_down` are how far the other score leaves room.
    """

    gain: KnownRate
    loss: KnownRate
    joint: float = 0.0  # correlation of the sessions' gains and losses, at most 0
    scale: float = 1.0
    most_up: float = 1.0
    most_down: float = 1.0

    @property
    def value(self) -> float:
        return self.scale * (self.gain.value - self.loss.value)

    def limits(self, alpha: Floats | float = ALPHA) -> tuple[Floats, Floats]:
        """Limits at 1 - alpha, never beyond what the other score leaves room for."""
        gain, loss = self.gain.value, self.loss.value
        gain_down, gain_up = gain - self.gain.lower(alpha), self.gain.upper(alpha) - gain
        loss_down, loss_up = loss - self.loss.lower(alpha), self.loss.upper(alpha) - loss
        below = gain_down**2 + loss_up**2 - 2.0 * self.joint * gain_down * loss_up
        above = gain_up**2 + loss_down**2 - 2.0 * self.joint * gain_up * loss_down
        low = self.value - self.scale * np.sqrt(below)
        high = self.value + self.scale * np.sqrt(above)
        least, most = min(self.value, -self.most_down), max(self.value, self.most_up)
        return np.maximum(low, least), np.minimum(high, most)

    @cached_property
    def p(self) -> float:
        """Two-sided: the smallest level whose interval leaves out zero."""

        def leaves_out_zero(levels: Floats) -> Flags:
            low, high = self.limits(levels)
            return (low > 0.0) | (high < 0.0)

        return _smallest_level(leaves_out_zero)

    def p_within(self, margin: float) -> float:
        """That it lies within the margin, two one-sided tests: half the level of the interval."""

        def lies_within(levels: Floats) -> Flags:
            low, high = self.limits(levels)
            return (low > -margin) & (high < margin)

        return _smallest_level(lies_within) / 2.0

    def p_above(self, bound: float) -> float:
        """That it lies above a bound: the smallest level whose lower limit does."""
        return _smallest_level(lambda levels: self.limits(levels)[0] > bound)

    def p_below(self, bound: float) -> float:
        """That it lies below a bound: the smallest level whose upper limit does."""
        return _smallest_level(lambda levels: self.limits(levels)[1] < bound)

    @property
    def error(self) -> float:
        """A standard error: from the half-widths of the interval."""
        low, high = self.limits(ALPHA)
        return float(high - low) / (2.0 * 1.96)


def _smallest_level(holds: Callable[[Floats], Flags]) -> float:
    """The last level, from 1 downwards, at which something holds; 1 if it never does.

    Tried again between two of the levels, so that 0.05 by the interval is 0.05 by the p-value.
    """
    places = np.flatnonzero(holds(LEVELS))
    if not places.size:
        return 1.0
    last = int(places[-1])
    if last + 1 == LEVELS.size:
        return float(LEVELS[last])
    between = LEVELS[last] * (LEVELS[last + 1] / LEVELS[last]) ** STEPS_BETWEEN
    return float(between[np.flatnonzero(holds(between))[-1]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Gains and losses by session: the same sessions, turns and parts."""

    gains: SessionClusters
    losses: SessionClusters

    @classmethod
    def of(
        cls,
        values: Floats,
        sessions: Indices,
        parts: Indices,
        *,
        part_count: int = 1,
        weights: Sequence[float] = (),
    ) -> Changes:
        """`values` are method minus other per turn, in -1..1."""
        gains, losses = (
            SessionClusters.of(
                np.maximum(sign * values, 0.0),
                sessions,
                parts,
                part_count=part_count,
                weights=weights,
            )
            for sign in (1.0, -1.0)
        )
        return cls(gains=gains, losses=losses)

    def paired(
        self,
        *,
        told: tuple[tuple[float, ...], tuple[float, ...]] = ((), ()),
        scale: float = 1.0,
        most_up: float = 1.0,
        most_down: float = 1.0,
    ) -> Paired:
        is_plain = self.gains.is_plain and self.losses.is_plain
        return Paired(
            self.gains.rate(told[0]),
            self.losses.rate(told[1]),
            # Right-or-wrong turns need no more than their two rates; graded ones swing together.
            0.0 if is_plain else _correlation(self.gains, self.losses),
            scale,
            most_up,
            most_down,
        )


def _correlation(gains: SessionClusters, losses: SessionClusters) -> float:
    """At most 0: a positive one would narrow the interval, and few sessions estimate it badly."""
    left, right = gains.influence_S(), losses.influence_S()
    scale = sqrt(float((left**2).sum() * (right**2).sum()))
    return min(0.0, max(-1.0, float((left * right).sum()) / scale)) if scale > 1e-12 else 0.0


def estimate_of(
    values: Floats, sessions: Indices, parts: Indices, *, part_count: int, resamples: int = 0
) -> Estimate:
    """The mean of differences in -1..1 with its interval."""
    changes = Changes.of(values, sessions, parts, part_count=part_count)
    return estimate(changes, changes.paired() if _can(changes) else None, resamples=resamples)


def _can(changes: Changes) -> bool:
    return changes.gains.is_complete and changes.gains.sessions > 1


def estimate(changes: Changes, known: Paired | None, *, resamples: int = 0) -> Estimate:
    """As an estimate; a gap where a part has no turns, without interval from one session."""
    gains = changes.gains
    if not gains.is_complete:
        return Estimate(value=None, n=gains.n, sessions=gains.sessions)
    if known is None:
        value = gains.mean - changes.losses.mean
        return Estimate(value=value, n=gains.n, sessions=gains.sessions, how="one-session")
    low, high = known.limits(ALPHA)
    return Estimate(
        value=known.value,
        low=float(low),
        high=float(high),
        n=gains.n,
        sessions=gains.sessions,
        how="gain-loss",
        bootstrap=_bootstrap(changes, known.scale, resamples) if resamples else None,
    )


def _bootstrap(changes: Changes, scale: float, resamples: int) -> tuple[float, float] | None:
    gains, losses = changes.gains, changes.losses
    both = SessionClusters(
        gains.sums_SP - losses.sums_SP, gains.counts_SP, gains.squares_P, gains.weights_P
    )
    limits = bootstrap(both, resamples=resamples)
    return limits and (scale * limits[0], scale * limits[1])
