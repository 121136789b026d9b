from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scbench.errors import BadConfig
from scbench.stats.power import detectable_points, sessions_for, sessions_to_see


@pytest.mark.parametrize(("sessions", "points"), [(16, 16.0), (50, 8.5), (100, 5.9), (200, 4.2)])
def test_the_detectable_difference_is_that_of_millers_formula(sessions: int, points: float) -> None:
    """10 % discordant turns, 5 turns, correlation 0.3: the figures of a review, to its rounding."""
    assert detectable_points(sessions, 5) == pytest.approx(points, abs=0.15 + 8 / sessions)


@given(st.floats(0.5, 60.0), st.integers(1, 8), st.integers(1, 100))
def test_the_sessions_for_a_difference_are_the_fewest_that_see_it(
    points: float, turns: int, family: int
) -> None:
    found = sessions_for(points, turns, family=family)
    assert detectable_points(found, turns, family=family) <= points
    if found > 2:
        assert detectable_points(found - 1, turns, family=family) > points


def test_more_turns_help_less_the_more_alike_they_are() -> None:
    alone, alike = (
        detectable_points(20, 8, correlation=one) / detectable_points(20, 1, correlation=one)
        for one in (0.0, 1.0)
    )
    assert alone == pytest.approx(1 / np.sqrt(8))
    assert alike == pytest.approx(1.0)


def test_a_family_asks_for_a_larger_difference() -> None:
    assert detectable_points(16, 5, family=100) > 1.5 * detectable_points(16, 5)


def test_four_times_the_sessions_halve_the_error() -> None:
    few = sessions_to_see(0.05, 0.02, 100)
    assert sessions_to_see(0.025, 0.02, 100) == pytest.approx(4 * few, abs=4)


@pytest.mark.parametrize("wrong", [{"sessions": 1}, {"turns": 0}, {"family": 0}])
def test_a_design_without_spread_or_turns_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(BadConfig, match="the formula takes"):
        detectable_points(**{"sessions": 8, "turns": 3, **wrong})


@pytest.mark.parametrize("points", [0.0, -3.0, 120.0])
def test_a_difference_that_cannot_be_is_refused(points: float) -> None:
    with pytest.raises(BadConfig, match="for instance 5"):
        sessions_for(points, 5)
