"""How often the 95 % intervals hold the truth; docs/statistics.md quotes what this prints.

Every regime is simulated with the very functions that reports use. Run with
`pytest -m slow -s tests/stats/test_coverage.py`: three minutes on one core.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from simulated import (
    LEAST_CORE,
    MEAN_FROM,
    MEAN_TO,
    MORE_RUNS,
    RUNS,
    SESSIONS,
    Floats,
    flat,
    graded,
    limits_of,
    noise,
    paired_of,
    right,
    simulate,
    told,
)

from scbench.stats.clusters import SessionClusters
from scbench.stats.paired import Changes

# The worst of the review's beta-binomial, simulated 2,000 times a regime.
REVIEW_WORST = {5: 0.869, 8: 0.874, 16: 0.924, 50: 0.906, 100: 0.859}
REVIEW_WIDTH_16 = 0.19


@pytest.mark.slow
@pytest.mark.parametrize("sessions", SESSIONS)
def test_right_or_wrong_means_hold_the_truth(sessions: int) -> None:
    found = []
    for turns in (1, 2, 5, 8):
        for alike in (0.0, 0.3, 0.5, 0.8) if turns > 1 else (0.0,):
            for mean in (0.02, 0.05, 0.2, 0.5, 0.95, 0.99):

                def interval(
                    rng: np.random.Generator,
                    turns: int = turns,
                    alike: float = alike,
                    mean: float = mean,
                ) -> tuple[float, float, float]:
                    hits_S = right(rng, sessions, turns, mean, alike).sum(axis=1)
                    return *limits_of(tuple(sorted(hits_S.astype(int).tolist())), turns), mean

                found.append(
                    simulate(
                        f"{turns} turns, correlation {alike}, mean {mean}",
                        interval,
                        runs=RUNS[sessions],
                        is_core=alike <= 0.5 and 0.05 <= mean <= 0.95,
                    )
                )
    mean, worst, core, _ = told(f"right or wrong, {sessions} sessions", found)
    assert MEAN_FROM <= mean <= MEAN_TO
    assert core.hits >= LEAST_CORE
    assert worst.hits >= REVIEW_WORST[sessions] - noise(MORE_RUNS)
    if sessions == 16:
        several = [one.width for one in found if not one.name.startswith("1 ")]
        print(f"  width over 2 to 8 turns {100 * np.mean(several):.1f}")
        assert np.mean(several) <= 1.15 * REVIEW_WIDTH_16


@pytest.mark.slow
@pytest.mark.parametrize("sessions", SESSIONS[:4])
def test_graded_means_hold_the_truth(sessions: int) -> None:
    found = []
    for turns in (1, 5):
        for alike in (0.0, 0.5, 0.8) if turns > 1 else (0.0,):
            for mean in (0.05, 0.3, 0.9):
                for spread in (0.05, 0.15, 0.3):

                    def interval(
                        rng: np.random.Generator,
                        turns: int = turns,
                        alike: float = alike,
                        mean: float = mean,
                        spread: float = spread,
                    ) -> tuple[float, float, float]:
                        scores = graded(rng, sessions, turns, mean, alike, spread)
                        return *SessionClusters.of(*flat(scores)).rate().limits(), mean

                    found.append(
                        simulate(
                            f"{turns} turns, correlation {alike}, mean {mean}, spread {spread}",
                            interval,
                            runs=RUNS[sessions] // 3,
                            is_core=alike <= 0.5,
                        )
                    )
    mean, worst, core, _ = told(f"graded, {sessions} sessions", found)
    assert MEAN_FROM <= mean <= MEAN_TO
    assert core.hits >= LEAST_CORE
    assert worst.hits >= 0.855  # the best of the review's tables, at 16


# By the sign test five answers that all differ one way can still be chance: every interval then
# holds zero, and rare losses with it. Where more differ, an interval can be wrong.
ENOUGH_TO_DIFFER = 6
LOSSES = ((0.0, 0.0), (0.0, 0.01), (0.0, 0.05), (0.2, 0.2), (0.0, 0.4), (0.0, 0.94))


@pytest.mark.slow
@pytest.mark.parametrize("sessions", SESSIONS)
def test_paired_differences_hold_the_truth(sessions: int) -> None:
    """The truth is that of these questions, as dense answers them: how many of its right answers a
    method loses. The interval never passes what dense leaves room for, so it cannot be another."""
    found, can_be_wrong = [], []
    for turns in (3, 8):
        for base in (0.95, 1.0):
            for gain, loss in LOSSES:
                differ = sessions * turns * (base * loss + (1.0 - base) * gain)
                for alike in (0.0, 0.3, 0.8):

                    def interval(
                        rng: np.random.Generator,
                        turns: int = turns,
                        base: float = base,
                        gain: float = gain,
                        loss: float = loss,
                        alike: float = alike,
                    ) -> tuple[float, float, float]:
                        dense = right(rng, sessions, turns, base, alike)
                        lost = right(rng, sessions, turns, loss, alike)
                        gained = right(rng, sessions, turns, gain, alike)
                        gains_S = ((1.0 - dense) * gained).sum(axis=1).astype(int)
                        losses_S = (dense * lost).sum(axis=1).astype(int)
                        changed = zip(gains_S.tolist(), losses_S.tolist(), strict=True)
                        level = float(dense.mean())
                        known = replace(
                            paired_of(tuple(sorted(changed)), turns),
                            most_up=1.0 - level,
                            most_down=level,
                        )
                        low, high = known.limits()
                        return float(low), float(high), (1.0 - level) * gain - level * loss

                    found.append(
                        simulate(
                            f"{turns} turns, correlation {alike}, dense {base}, gain {gain}, "
                            f"loss {loss}",
                            interval,
                            runs=RUNS[sessions],
                            is_core=alike <= 0.5,
                        )
                    )
                    if differ >= ENOUGH_TO_DIFFER:
                        can_be_wrong.append(found[-1].hits)
    _, worst, core, _ = told(f"differences, {sessions} sessions", found)
    mean = float(np.mean(can_be_wrong))
    print(f"  where six turns or more differ: mean {100 * mean:.1f}")
    assert MEAN_FROM <= mean <= MEAN_TO
    assert core.hits >= LEAST_CORE
    assert worst.hits >= LEAST_CORE - noise(MORE_RUNS)


def swung(rng: np.random.Generator, sessions: int, kind: str) -> tuple[Floats, float]:
    """Differences of graded scores: jitter around nothing, a shift, rare and frequent losses."""
    shape, one = (sessions, 4), (sessions, 1)
    match kind:
        case "jitter":
            return rng.normal(0, 0.08, one) + rng.normal(0, 0.08, shape), 0.0
        case "shift":
            return -0.1 + rng.normal(0, 0.05, one) + rng.normal(0, 0.08, shape), -0.1
        case "rare":
            return -1.0 * (rng.random(shape) < 0.05) * rng.uniform(0.2, 0.6, shape), -0.02
    lost = rng.random(shape) < rng.beta(0.45, 1.05, one)
    return -1.0 * lost * rng.uniform(0.2, 0.6, shape), -0.12


@pytest.mark.slow
@pytest.mark.parametrize("sessions", SESSIONS[:4])
def test_differences_of_graded_scores_hold_the_truth(sessions: int) -> None:
    found = []
    for kind in ("jitter", "shift", "rare", "frequent"):

        def interval(rng: np.random.Generator, kind: str = kind) -> tuple[float, float, float]:
            values, truth = swung(rng, sessions, kind)
            low, high = Changes.of(*flat(np.clip(values, -1.0, 1.0))).paired().limits()
            return float(low), float(high), truth

        found.append(simulate(kind, interval, runs=RUNS[sessions] // 2, is_core=True))
    mean, worst, _, _ = told(f"differences of graded scores, {sessions} sessions", found)
    assert mean >= MEAN_FROM
    assert worst.hits >= LEAST_CORE
