from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scbench.stats.intervals import Clusters, combine, mean_of, wilson
from scbench.stats.paired import Difference, difference_of, holm, sign_flip
from scbench.stats.quantiles import beta_cdf, t_quantile


def clusters(sessions: list[list[float]]) -> Clusters:
    values = np.array([value for one in sessions for value in one])
    index = np.array([place for place, one in enumerate(sessions) for _ in one], dtype=np.int64)
    return Clusters.of(values, index, np.zeros(values.size, dtype=np.int64))


def difference(sessions: list[list[float]]) -> Difference:
    values = np.array([value for one in sessions for value in one])
    index = np.array([place for place, one in enumerate(sessions) for _ in one], dtype=np.int64)
    return difference_of(values, index, np.zeros(values.size, dtype=np.int64), part_count=1)


@pytest.mark.parametrize(
    ("df", "expected"),
    [(1, 12.7062047), (2, 4.3026527), (5, 2.5705818), (29, 2.0452296), (1e9, 1.9599640)],
)
def test_t_quantiles_are_those_of_the_tables(df: float, expected: float) -> None:
    assert t_quantile(0.975, df) == pytest.approx(expected, abs=1e-6)


def test_incomplete_beta_agrees_with_a_closed_form() -> None:
    assert beta_cdf(0.3, 2, 1) == pytest.approx(0.09, abs=1e-12)
    assert beta_cdf(0.9, 1, 3) == pytest.approx(1 - 0.1**3, abs=1e-12)


def test_wilson_with_many_independent_draws_is_the_textbook_interval() -> None:
    low, high = wilson(0.5, 0.25 / 100_000, 100_000)
    assert (low, high) == (pytest.approx(0.4969, abs=1e-4), pytest.approx(0.5031, abs=1e-4))


def test_mean_is_over_turns_not_over_session_means() -> None:
    assert mean_of(clusters([[1, 1, 1, 1], [0, 0]])).value == pytest.approx(4 / 6)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.5])
def test_equal_scores_do_not_get_a_zero_width_interval(value: float) -> None:
    got = mean_of(clusters([[value] * 5] * 20))
    assert got.low is not None
    assert got.high is not None
    assert got.high - got.low > 0.16
    assert got.low <= value <= got.high


def test_equal_scores_are_bounded_by_sessions_not_by_turns() -> None:
    assert mean_of(clusters([[1.0] * 50] * 20)).low == pytest.approx(0.025 ** (1 / 20))


def test_one_session_has_a_mean_but_no_interval() -> None:
    got = mean_of(clusters([[1, 0, 1]]))
    assert (got.value, got.low, got.high, got.how) == (
        pytest.approx(2 / 3),
        None,
        None,
        "one-session",
    )


def test_no_scores_is_a_gap_and_not_zero() -> None:
    assert mean_of(clusters([])).is_gap


def test_alike_turns_of_a_session_widen_the_interval() -> None:
    alike = mean_of(clusters([[1, 1, 1, 1], [0, 0, 0, 0]] * 5))
    mixed = mean_of(clusters([[1, 0, 1, 0], [0, 1, 0, 1]] * 5))
    assert alike.value == mixed.value == 0.5
    assert alike.high - alike.low > mixed.high - mixed.low  # type: ignore[operator]


@given(st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=6), min_size=2, max_size=12))
def test_interval_holds_the_mean_and_stays_in_0_to_1(sessions: list[list[float]]) -> None:
    got = mean_of(clusters(sessions))
    assert 0.0 <= got.low <= got.value + 1e-9  # type: ignore[operator]
    assert got.value - 1e-9 <= got.high <= 1.0  # type: ignore[operator]
    assert got.high - got.low > 1e-9  # type: ignore[operator]


@given(
    st.lists(
        st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.25, 1.0]), min_size=1, max_size=6),
        min_size=2,
        max_size=12,
    )
)
def test_difference_interval_holds_the_difference_and_mirrors(sessions: list[list[float]]) -> None:
    got = difference(sessions).estimate
    turned = difference([[-value for value in one] for one in sessions]).estimate
    assert -1.0 <= got.low <= got.value + 1e-9 <= got.high + 2e-9 <= 1.0 + 2e-9  # type: ignore[operator]
    assert (turned.low, turned.high) == (
        pytest.approx(-got.high, abs=1e-9),
        pytest.approx(-got.low, abs=1e-9),
    )  # type: ignore[operator]


def test_a_method_that_never_differs_still_has_width() -> None:
    got = difference([[0.0] * 4] * 10)
    assert got.estimate.low < -0.05  # type: ignore[operator]
    assert got.estimate.high > 0.05  # type: ignore[operator]
    assert got.p == 1.0


def test_sign_flip_is_exact_for_few_sessions() -> None:
    assert sign_flip(np.array([0.1, 0.2, 0.3, 0.4, 0.5])) == pytest.approx(2 / 32)
    assert sign_flip(np.array([1.0, -1.0, 1.0, -1.0])) == 1.0


def test_sign_flip_of_many_sessions_repeats_itself_and_is_never_zero() -> None:
    shares = np.full(40, 0.5)
    assert sign_flip(shares) == sign_flip(shares) == pytest.approx(1 / 20_001)


def test_holm_multiplies_the_smallest_by_the_number_of_methods_and_never_falls() -> None:
    three = [
        Difference(estimate=difference([[0.0], [0.0]]).estimate, p=p) for p in (0.04, 0.01, 0.03)
    ]
    assert [one.p_holm for one in holm(three)] == pytest.approx([0.06, 0.03, 0.06])


def test_combining_is_a_plain_mean_with_a_narrower_interval() -> None:
    part = mean_of(clusters([[1, 0, 1], [0, 1, 1], [1, 1, 0], [0, 0, 1]]))
    got = combine([part, part, part], [1, 1, 1], floor=0, ceiling=1)
    assert got.value == pytest.approx(part.value)
    assert got.high - got.low < part.high - part.low  # type: ignore[operator]


def test_a_part_with_one_session_widens_the_combination_to_all_it_could_be() -> None:
    sure, lone = mean_of(clusters([[1.0, 0.0]] * 30)), mean_of(clusters([[1.0]]))
    got = combine([sure, lone], [1, 1], floor=0, ceiling=1)
    assert got.low < 0.26  # type: ignore[operator]
