"""Scores by session: the sums from which means, variances and posteriors are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from scbench.stats.rates import (
    MOST_STEPS,
    Floats,
    HitCounts,
    Indices,
    KnownRate,
    at_most,
    correlation,
    posterior,
)

ROUNDS = 4  # in which the counts of an average settle


@dataclass(frozen=True)
class SessionClusters:
    """Values in 0..1, summed by session (S) and part (P).

    A plain task has one part, a mix two, an average one for each of its tasks. `squares_P` sums the
    squared values, `weights_P` are the parts' shares of the mean and add up to 1.
    """

    sums_SP: Floats
    counts_SP: Floats
    squares_P: Floats
    weights_P: Floats

    @classmethod
    def of(
        cls,
        values: Floats,
        sessions: Indices,
        parts: Indices,
        *,
        part_count: int = 1,
        weights: Sequence[float] = (),
    ) -> SessionClusters:
        """`sessions` and `parts` are 0-based indices, one for each value."""
        shape = (int(sessions.max()) + 1 if sessions.size else 0, part_count)
        sums, counts, squares = np.zeros(shape), np.zeros(shape), np.zeros(part_count)
        np.add.at(sums, (sessions, parts), values)
        np.add.at(counts, (sessions, parts), 1.0)
        np.add.at(squares, parts, values**2)
        shares = np.asarray(weights or [1.0] * part_count, dtype=np.float64)
        return cls(sums, counts, squares, shares / shares.sum())

    @cached_property
    def sessions(self) -> int:
        return int((self.counts_SP.sum(axis=1) > 0).sum())

    @cached_property
    def n(self) -> int:
        return int(self.counts_SP.sum())

    @cached_property
    def is_complete(self) -> bool:
        """Whether every part has at least one score; the mean of a mix is a gap otherwise."""
        return bool(self.counts_SP.size) and bool((self.counts_SP.sum(axis=0) > 0).all())

    @cached_property
    def means_P(self) -> Floats:
        means: Floats = self.sums_SP.sum(axis=0) / self.counts_SP.sum(axis=0)
        return means

    @cached_property
    def mean(self) -> float:
        return float(np.clip(self.means_P @ self.weights_P, 0.0, 1.0))

    def influence_S(self) -> Floats:
        """What each session adds to the error of the mean, to first order."""
        totals = self.counts_SP.sum(axis=0)
        shares: Floats = (self.sums_SP - self.means_P * self.counts_SP) / totals @ self.weights_P
        return shares

    @cached_property
    def turn_weights_P(self) -> Floats:
        """What a turn of each part weighs; 1 on average over the turns."""
        totals = self.counts_SP.sum(axis=0)
        weights: Floats = totals.sum() * self.weights_P / totals
        return weights

    @cached_property
    def distinct(self) -> float:
        """How far the parts' means are to be believed: 0 if they differ by chance, 1 if surely.

        The share of their spread that the sessions' own spread does not explain.
        """
        apart = float((self.weights_P * (self.means_P - self.mean) ** 2).sum())
        sessions = np.maximum((self.counts_SP > 0).sum(axis=0), 2)
        totals = self.counts_SP.sum(axis=0)
        errors_SP = (self.sums_SP - self.means_P * self.counts_SP) / totals
        noise_P = (errors_SP**2).sum(axis=0) * sessions / (sessions - 1)
        noise = float((self.weights_P * noise_P).sum())
        return max(0.0, 1.0 - noise / apart) if apart > 1e-12 else 0.0

    @cached_property
    def spread(self) -> float:
        """How much the turns of a part spread, as a share of right-or-wrong turns of this mean.

        1 for right or wrong answers of one task; 0.05 or so for ROUGE. Half a hit and half a miss
        are added, so that few turns that happen to be equal do not pass for turns that must be.
        Turns of unequal weight spread more.
        """
        totals = self.counts_SP.sum(axis=0)
        unequal = float((totals * self.turn_weights_P**2).sum() / totals.sum())
        mean = (self.sessions * self.mean + 0.5) / (self.sessions + 1.0)
        added = mean * (1.0 - mean)
        whole = totals.sum() * self.mean * (1.0 - self.mean)
        about = self.mean + self.distinct * (self.means_P - self.mean)
        apart_P = self.squares_P - 2.0 * about * totals * self.means_P + totals * about**2
        within = float((self.turn_weights_P**2 * np.maximum(apart_P, 0.0)).sum()) / unequal
        share = min(1.0, (within + added) / (whole + added))
        return float(round(share * unequal, 9))

    @cached_property
    def counts(self) -> HitCounts:
        """Hits and turns by session, each part moved to the common mean as far as it is distinct:
        what one task is harder than another is no chance."""
        moved = (self.means_P - self.mean) * self.distinct
        hits_S = (self.sums_SP - moved * self.counts_SP) @ self.turn_weights_P
        turns_S = self.counts_SP @ self.turn_weights_P
        is_there = turns_S > 0
        share = max(self.spread, turns_S.max() / MOST_STEPS)
        turns_S = turns_S[is_there] / share
        hits_S = _within(hits_S[is_there] / share, turns_S)
        more = 1.0 if self.weights_P.size == 1 else self._unlike(hits_S, turns_S)
        return HitCounts.of(hits_S / more, turns_S / more)

    def _unlike(self, hits_S: Floats, turns_S: Floats) -> float:
        """By how much the counts have to fall for the law to allow what the sessions vary.

        At least 1: one correlation for all tasks explains too little where the sessions of tasks
        that share questions go up and down together, and those of others do not.
        """
        room = self.mean * (1.0 - self.mean)
        if self.sessions < 2 or room < 1e-12:
            return 1.0
        seen = self.sessions / (self.sessions - 1) * float((self.influence_S() ** 2).sum())
        total, squares = float(turns_S.sum()), float((turns_S**2).sum())
        more = 1.0
        for _ in range(ROUNDS):
            # Fewer turns say less of the correlation, so it is asked again.
            counts = HitCounts.of(hits_S / more, turns_S / more)
            alike = correlation(counts, at_most(self.spread))
            # (more (1 - alike) total + alike squares) / total^2 is the variance by the law.
            needed = (seen / room * total**2 - alike * squares) / ((1.0 - alike) * total)
            if needed <= more * 1.01:
                break
            more = needed
        return more

    @property
    def is_plain(self) -> bool:
        """Whether these are right or wrong answers of one task, the only ones that tell others."""
        return self.spread == 1.0 and self.weights_P.size == 1

    def rate(self, told: tuple[float, ...] = ()) -> KnownRate:
        """What is known of the mean; `told` is what others say of the correlation."""
        known = told if self.is_plain else at_most(self.spread)
        return KnownRate(self.mean, posterior(self.counts, known))


def _within(hits_S: Floats, turns_S: Floats) -> Floats:
    """Hits that a move has left outside 0 and the turns, brought back without moving their mean.

    A session without a hit of an easy task is moved below 0, one of hits only of a hard task beyond
    its turns. Cut off alone, they would pull the mean to the middle.
    """
    share = float(hits_S.sum() / turns_S.sum())
    cut_S = np.clip(hits_S, 0.0, turns_S)
    cut_share = float(cut_S.sum() / turns_S.sum())
    if cut_share > share:
        return cut_S * max(share, 0.0) / cut_share
    if cut_share < share:
        return turns_S - (turns_S - cut_S) * max(1.0 - share, 0.0) / (1.0 - cut_share)
    return cut_S
