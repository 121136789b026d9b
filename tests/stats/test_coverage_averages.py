"""How often the 95 % intervals of averages, and of values without a ceiling, hold the truth.

Run with `pytest -m slow -s tests/stats/test_coverage_averages.py`: a minute on one core.
"""

from __future__ import annotations

import numpy as np
import pytest
from simulated import (
    LEAST_CORE,
    MEAN_FROM,
    MEAN_TO,
    RUNS,
    SESSIONS,
    chances,
    right,
    simulate,
    told,
)

from scbench.stats.agreement import unbounded
from scbench.stats.clusters import SessionClusters
from scbench.stats.paired import Changes

TASKS, STORY = 11, 3  # as many tasks as the paper's, three of them with the same questions


def drawn(
    rng: np.random.Generator, sessions: int, turns: int, mean_K: np.ndarray, alike: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Right-or-wrong scores of eleven tasks; the first three meet the same luck, seed by seed."""
    scores, clusters, parts = [], [], []
    luck = rng.random((sessions, turns))
    for task, mean in enumerate(mean_K):
        if task in (0, STORY):
            ease = chances(rng, sessions, 0.5, 0.5)
        if task < STORY:  # the same sessions are easy, and the same turns are lucky
            chance = mean + (ease - 0.5) * 2.0 * alike * min(mean, 1.0 - mean)
            answers = (luck < chance).astype(float)
        else:
            answers = right(rng, sessions, turns, float(mean), alike)
        scores.append(answers.ravel())
        source = 0 if task < STORY else task
        clusters.append(source * sessions + np.repeat(np.arange(sessions), turns))
        parts.append(np.full(answers.size, task))
    index = np.unique(np.concatenate(clusters), return_inverse=True)[1]
    return np.concatenate(scores), index, np.concatenate(parts)


def average(
    rng: np.random.Generator, sessions: int, turns: int, mean_K: np.ndarray, alike: float
) -> SessionClusters:
    return SessionClusters.of(*drawn(rng, sessions, turns, mean_K, alike), part_count=len(mean_K))


WORLDS = {
    "none": np.zeros(TASKS),
    "2 % everywhere": np.full(TASKS, 0.02),
    "5 % everywhere": np.full(TASKS, 0.05),
    "0 to 90 %": np.linspace(0.0, 0.9, TASKS),
    "90 to 0 %": np.linspace(0.9, 0.0, TASKS),
    "five of 90, six of 10 %": np.array([0.9] * 5 + [0.1] * 6),
    "half": np.full(TASKS, 0.5),
}


@pytest.mark.slow
@pytest.mark.parametrize("sessions", SESSIONS)
def test_averages_of_correlated_tasks_hold_the_truth(sessions: int) -> None:
    found, runs = [], max(150, RUNS[sessions] // 3)
    for name, mean_K in WORLDS.items():
        for alike in (0.0, 0.3, 0.5):

            def interval(
                rng: np.random.Generator, mean_K: np.ndarray = mean_K, alike: float = alike
            ) -> tuple[float, float, float]:
                clusters = average(rng, sessions, 3, mean_K, alike)
                return *clusters.rate().limits(), float(mean_K.mean())

            title = f"{name}, correlation {alike}"
            is_core = name != "2 % everywhere"
            found.append(simulate(title, interval, runs=runs, is_core=is_core))
    mean, worst, core, _ = told(f"averages of {TASKS} tasks, {sessions} sessions a task", found)
    assert MEAN_FROM <= mean <= MEAN_TO
    assert core.hits >= LEAST_CORE
    assert worst.hits >= LEAST_CORE
    none = next(one for one in found if one.name.startswith("none"))
    print(f"  no loss seen: up to {100 * none.width:.1f} would go unseen")
    if sessions == 8:
        assert none.width < 0.041  # all tasks fail or none: 1 - 0.025^(1 / 88)


# Losses of the first tasks, gains of the others, in shares of the turns.
CHANGED = {
    "nothing": np.zeros(TASKS),
    "1 % lost": np.full(TASKS, -0.01),
    "5 % lost": np.full(TASKS, -0.05),
    "40 % lost": np.full(TASKS, -0.4),
    "0 to 90 % lost": -np.linspace(0.0, 0.9, TASKS),
    "six lose 20, five gain 10 %": np.array([-0.2] * 6 + [0.1] * 5),
}


@pytest.mark.slow
@pytest.mark.parametrize("sessions", SESSIONS)
def test_differences_of_averages_hold_the_truth(sessions: int) -> None:
    found, runs = [], max(150, RUNS[sessions] // 3)
    for name, mean_K in CHANGED.items():
        for alike in (0.0, 0.3, 0.5):

            def interval(
                rng: np.random.Generator, mean_K: np.ndarray = mean_K, alike: float = alike
            ) -> tuple[float, float, float]:
                values, *index = drawn(rng, sessions, 3, np.abs(mean_K), alike)
                signs = np.sign(mean_K)[index[1]]
                low, high = Changes.of(values * signs, *index, part_count=TASKS).paired().limits()
                return float(low), float(high), float(mean_K.mean())

            title = f"{name}, correlation {alike}"
            found.append(simulate(title, interval, runs=runs, is_core=True))
    mean, worst, _, _ = told(f"differences of averages, {sessions} sessions a task", found)
    assert MEAN_FROM <= mean <= MEAN_TO
    assert worst.hits >= LEAST_CORE


@pytest.mark.slow
@pytest.mark.parametrize("sessions", [4, 8, 16])
def test_means_of_skewed_values_without_a_ceiling_hold_the_truth(sessions: int) -> None:
    found = []
    for effect in (0.3, 0.7, 1.2):

        def interval(
            rng: np.random.Generator, effect: float = effect
        ) -> tuple[float, float, float]:
            level = np.exp(rng.normal(0.0, effect, (sessions, 1)))
            values = level * np.exp(rng.normal(0.0, 0.7, (sessions, 3)))
            got = unbounded(values.mean(axis=1))
            assert got.low is not None
            assert got.high is not None
            return got.low, got.high, float(np.exp(effect**2 / 2.0 + 0.7**2 / 2.0))

        found.append(simulate(f"lognormal, {effect}", interval, runs=1000, is_core=effect < 1.0))
    mean, worst, core, _ = told(f"without a ceiling, {sessions} sessions", found)
    assert mean >= 0.915
    assert core.hits >= LEAST_CORE
    assert worst.hits >= 0.88
