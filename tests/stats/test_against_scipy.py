"""Our distributions against scipy 1.17 and statsmodels 0.15.

Neither is a dependency: the numbers below were computed with them once. Where they are installed
the same is asked again, of more values.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from scbench.stats.difference import holm
from scbench.stats.quantiles import beta_cdf, t_quantile
from scbench.stats.rates import ALIKE_R, RATES_P, HitCounts, KnownRate, log_likelihood, posterior

HITS = (0, 1, 3, 3, 2)  # of sessions of three turns


def alone(hits: int, turns: int) -> KnownRate:
    """Sessions of one turn: nothing of the correlation can be seen, or matters."""
    hits_S = np.array([1.0] * hits + [0.0] * (turns - hits))
    return KnownRate(hits / turns, posterior(HitCounts.of(hits_S, np.ones(turns))))


@pytest.mark.parametrize(
    ("hits", "turns", "low", "high"),
    [
        (1, 24, 0.004533, 0.178695),
        (7, 24, 0.141025, 0.489236),  # as statsmodels' proportion_confint(method="jeffreys")
        (50, 100, 0.403174, 0.596826),
        (99, 100, 0.954221, 0.998919),
    ],
)
def test_single_turns_have_jeffreys_interval(
    hits: int, turns: int, low: float, high: float
) -> None:
    assert alone(hits, turns).limits() == (
        pytest.approx(low, abs=4e-4),
        pytest.approx(high, abs=4e-4),
    )


@pytest.mark.parametrize(("turns", "high"), [(8, 0.293859), (24, 0.112352), (50, 0.055983)])
def test_nothing_hit_has_the_limit_of_beta_065(turns: int, high: float) -> None:
    assert alone(0, turns).limits() == (0.0, pytest.approx(high, abs=4e-4))
    assert alone(turns, turns).limits() == (pytest.approx(1.0 - high, abs=4e-4), 1.0)


def likelihood(
    hits: Sequence[int], turns: int
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    turns_S = np.full(len(hits), float(turns))
    return log_likelihood(HitCounts.of(np.array(hits, dtype=float), turns_S))


def ours(rate: float, alike: float) -> float:
    """Log-likelihood at a place of the grid, against that at the middle of it."""
    grid = likelihood(HITS, 3)
    row = int(np.abs(ALIKE_R - alike).argmin())
    column = int(np.abs(RATES_P - rate).argmin())
    return float(grid[row, column] - grid[ALIKE_R.size // 2, RATES_P.size // 2])


def test_the_beta_binomial_likelihood_is_that_of_its_closed_form() -> None:
    """From Gamma functions: k hits of n have B(k + a, n - k + b) / B(a, b)."""
    from math import lgamma

    def closed(rate: float, alike: float) -> float:
        a, b = rate * (1.0 - alike) / alike, (1.0 - rate) * (1.0 - alike) / alike
        return sum(
            lgamma(k + a) + lgamma(3 - k + b) - lgamma(3 + a + b)
            - lgamma(a) - lgamma(b) + lgamma(a + b)
            for k in HITS
        )  # fmt: skip

    middle = float(RATES_P[RATES_P.size // 2]), float(ALIKE_R[ALIKE_R.size // 2])
    for row, column in ((5, 40), (14, 200), (20, 390), (26, 10)):
        rate, alike = float(RATES_P[column]), float(ALIKE_R[row])
        expected = closed(rate, alike) - closed(*middle)
        assert ours(rate, alike) == pytest.approx(expected, abs=1e-7)


def test_holms_correction_is_that_of_statsmodels() -> None:
    assert holm([0.04, 0.01, 0.03, 0.002, 0.5]) == pytest.approx([0.09, 0.04, 0.09, 0.01, 0.5])


@pytest.mark.parametrize(
    ("probability", "df", "expected"),
    [(0.975, 3, 3.18244631), (0.9, 7.5, 1.40521185), (0.9995, 15, 4.0727652)],
)
def test_students_t_is_that_of_scipy(probability: float, df: float, expected: float) -> None:
    assert t_quantile(probability, df) == pytest.approx(expected, abs=1e-6)
    assert beta_cdf(0.3, 2.5, 4) == pytest.approx(0.3521975859067672, abs=1e-12)


def test_where_scipy_is_installed_many_values_agree() -> None:
    stats = pytest.importorskip("scipy.stats")
    grid = likelihood(HITS, 3)
    for row in range(2, ALIKE_R.size - 1, 5):
        for column in range(5, RATES_P.size, 60):
            rate, alike = RATES_P[column], ALIKE_R[row]
            spread = (1.0 - alike) / alike
            logs = stats.betabinom.logpmf(HITS, 3, rate * spread, (1.0 - rate) * spread)
            middle = RATES_P[200], (1.0 - ALIKE_R[14]) / ALIKE_R[14]
            base = stats.betabinom.logpmf(
                HITS, 3, middle[0] * middle[1], (1.0 - middle[0]) * middle[1]
            )
            assert grid[row, column] - grid[14, 200] == pytest.approx(
                logs.sum() - base.sum(), abs=1e-6
            )
    for hits in range(1, 40, 3):
        low, high = stats.beta.ppf([0.025, 0.975], hits + 0.5, 40 - hits + 0.5)
        assert alone(hits, 40).limits() == (
            pytest.approx(low, abs=4e-4),
            pytest.approx(high, abs=4e-4),
        )


def test_where_statsmodels_is_installed_its_correction_is_ours() -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    values = np.random.Generator(np.random.PCG64(1)).random(30) ** 3
    corrected = multitest.multipletests(values, method="holm")[1]
    assert holm(values.tolist()) == pytest.approx(corrected.tolist())
