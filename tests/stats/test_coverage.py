"""How often the 95 % intervals hold the truth; the numbers are quoted in docs/decisions/0045-intervals.md."""

from __future__ import annotations

import numpy as np
import pytest

from scbench.stats.intervals import Clusters, combine, mean_of
from scbench.stats.paired import difference_of

RUNS, TURNS = 1000, 5
SHORTFALL = 0.025  # 0.95 minus what a 1,000-run simulation and the method may lack


def draw(
    rng: np.random.Generator, sessions: int, mean: float, alike: float
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Right or wrong answers whose chance varies between sessions; `alike` is the intraclass correlation."""
    if alike == 0.0:
        return (rng.random((sessions, TURNS)) < mean).astype(float)
    spread = (1.0 - alike) / alike
    chance = rng.beta(mean * spread, (1.0 - mean) * spread, size=(sessions, 1))
    return (rng.random((sessions, TURNS)) < chance).astype(float)


def flat(values_ST: np.ndarray) -> tuple[np.ndarray, ...]:
    index = np.repeat(np.arange(values_ST.shape[0]), values_ST.shape[1])
    return values_ST.ravel(), index, np.zeros(values_ST.size, dtype=np.int64)


@pytest.mark.slow
@pytest.mark.parametrize("alike", [0.0, 0.2, 0.6])
@pytest.mark.parametrize("mean", [0.5, 0.9, 0.98])
@pytest.mark.parametrize("sessions", [3, 5, 8, 20, 50])
def test_mean_interval_holds_the_truth_19_times_in_20(
    sessions: int, mean: float, alike: float
) -> None:
    rng = np.random.Generator(np.random.PCG64(sessions))
    hits, boot_hits = 0, 0
    for _ in range(RUNS):
        got = mean_of(Clusters.of(*flat(draw(rng, sessions, mean, alike))), resamples=400)
        hits += got.low <= mean <= got.high  # type: ignore[operator]
        boot_hits += got.bootstrap is not None and got.bootstrap[0] <= mean <= got.bootstrap[1]
    print(
        f"mean: {sessions} sessions, {mean}, alike {alike}: {100 * hits / RUNS:.1f} (bootstrap {100 * boot_hits / RUNS:.1f})"
    )
    assert hits / RUNS >= 0.95 - SHORTFALL


@pytest.mark.slow
@pytest.mark.parametrize(
    ("base", "other", "shared"),
    [(0.9, 0.9, 0.95), (0.95, 0.5, 0.9), (0.9, 0.1, 0.1), (0.6, 0.6, 0.5), (0.98, 0.02, 0.02)],
)
@pytest.mark.parametrize("sessions", [3, 5, 8, 20, 50])
def test_difference_interval_holds_the_truth_19_times_in_20(
    sessions: int, base: float, other: float, shared: float
) -> None:
    """A method copies the baseline's outcome on a share of turns, and answers by its own chance on the rest."""
    rng, truth = np.random.Generator(np.random.PCG64(sessions)), (1.0 - shared) * (other - base)
    hits, boot_hits = 0, 0
    for _ in range(RUNS):
        dense = draw(rng, sessions, base, 0.3)
        method = np.where(rng.random(dense.shape) < shared, dense, draw(rng, sessions, other, 0.3))
        got = difference_of(*flat(method - dense), part_count=1, resamples=400).estimate
        hits += got.low <= truth <= got.high  # type: ignore[operator]
        boot_hits += got.bootstrap is not None and got.bootstrap[0] <= truth <= got.bootstrap[1]
    print(
        f"difference: {sessions} sessions, {truth:+.3f}: {100 * hits / RUNS:.1f} (bootstrap {100 * boot_hits / RUNS:.1f})"
    )
    assert hits / RUNS >= 0.95 - SHORTFALL


@pytest.mark.slow
@pytest.mark.parametrize("sessions", [2, 4, 10, 50])
def test_average_of_twelve_tasks_holds_the_truth_19_times_in_20(sessions: int) -> None:
    rng, means = np.random.Generator(np.random.PCG64(sessions)), np.linspace(0.3, 0.98, 12)
    hits, width = 0, 0.0
    for _ in range(RUNS):
        tasks = [mean_of(Clusters.of(*flat(draw(rng, sessions, mean, 0.2)))) for mean in means]
        got = combine(tasks, [1.0] * 12, floor=0.0, ceiling=1.0)
        hits += got.low <= means.mean() <= got.high  # type: ignore[operator]
        width += (got.high - got.low) / RUNS  # type: ignore[operator]
    print(f"average of 12: {sessions} sessions each: {100 * hits / RUNS:.1f}, width {width:.3f}")
    assert hits / RUNS >= 0.95 - SHORTFALL
