from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scbench.stats.clusters import SessionClusters
from scbench.stats.difference import holm
from scbench.stats.intervals import Estimate, mean_of
from scbench.stats.paired import Changes, Paired, estimate_of
from scbench.stats.quantiles import beta_cdf, t_quantile

Sessions = list[list[float]]


def flat(sessions: Sessions) -> tuple[np.ndarray, ...]:
    values = np.array([value for one in sessions for value in one])
    index = np.array([place for place, one in enumerate(sessions) for _ in one], dtype=np.int64)
    return values, index, np.zeros(values.size, dtype=np.int64)


def clusters(sessions: Sessions) -> SessionClusters:
    return SessionClusters.of(*flat(sessions))


def paired(sessions: Sessions, level: float | None = None) -> Paired:
    """Of differences; `level` is the other method's mean score."""
    room = {} if level is None else {"most_up": 1.0 - level, "most_down": level}
    return Changes.of(*flat(sessions)).paired(**room)


def limits(sessions: Sessions) -> tuple[float, float]:
    low, high = paired(sessions).limits()
    return float(low), float(high)


def difference(sessions: Sessions) -> Estimate:
    return estimate_of(*flat(sessions), part_count=1)


@pytest.mark.parametrize(
    ("df", "expected"),
    [(1, 12.7062047), (2, 4.3026527), (5, 2.5705818), (29, 2.0452296), (1e9, 1.9599640)],
)
def test_t_quantiles_are_those_of_the_tables(df: float, expected: float) -> None:
    assert t_quantile(0.975, df) == pytest.approx(expected, abs=1e-6)


def test_incomplete_beta_agrees_with_a_closed_form() -> None:
    assert beta_cdf(0.3, 2, 1) == pytest.approx(0.09, abs=1e-12)
    assert beta_cdf(0.9, 1, 3) == pytest.approx(1 - 0.1**3, abs=1e-12)


def test_mean_is_over_turns_not_over_session_means() -> None:
    assert mean_of(clusters([[1, 1, 1, 1], [0, 0]])).value == pytest.approx(4 / 6)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.5])
def test_equal_scores_do_not_get_a_zero_width_interval(value: float) -> None:
    got = mean_of(clusters([[value] * 5] * 20))
    assert got.low is not None
    assert got.high is not None
    assert got.high - got.low > 0.03
    assert got.low <= value <= got.high


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
    assert alike.high - alike.low > 1.4 * (mixed.high - mixed.low)  # type: ignore[operator]


def test_graded_scores_of_small_spread_have_a_narrower_interval_than_right_or_wrong_ones() -> None:
    graded = mean_of(clusters([[0.45, 0.55], [0.5, 0.5], [0.48, 0.52], [0.55, 0.45]] * 4))
    coarse = mean_of(clusters([[1, 0], [0, 1], [1, 0], [0, 1]] * 4))
    assert graded.value == pytest.approx(coarse.value)
    assert graded.high - graded.low < 0.6 * (coarse.high - coarse.low)  # type: ignore[operator]


@given(st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=6), min_size=2, max_size=12))
def test_interval_holds_the_mean_and_stays_in_0_to_1(sessions: Sessions) -> None:
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
def test_difference_interval_holds_the_difference_and_mirrors(sessions: Sessions) -> None:
    got = difference(sessions)
    turned = difference([[-value for value in one] for one in sessions])
    assert -1.0 <= got.low <= got.value + 1e-9 <= got.high + 2e-9 <= 1.0 + 2e-9  # type: ignore[operator]
    assert (turned.low, turned.high) == (
        pytest.approx(-got.high, abs=1e-9),
        pytest.approx(-got.low, abs=1e-9),
    )  # type: ignore[operator]


TURNS = st.integers(1, 6)


@st.composite
def changed(draw: st.DrawFn) -> tuple[Sessions, int, int]:
    """Differences of right-or-wrong answers, and the place of one turn that differs."""
    turns = draw(TURNS)
    row = st.lists(st.sampled_from([-1.0, 0.0, 0.0, 0.0, 1.0]), min_size=turns, max_size=turns)
    sessions = draw(st.lists(row, min_size=2, max_size=16))
    session = draw(st.integers(0, len(sessions) - 1))
    turn = draw(st.integers(0, turns - 1))
    if sessions[session][turn] == 0.0:
        sessions[session][turn] = draw(st.sampled_from([-1.0, 1.0]))
    return sessions, session, turn


@settings(max_examples=150, deadline=None)
@given(changed())
def test_one_more_equal_answer_never_makes_a_larger_loss_or_gain_plausible(
    case: tuple[Sessions, int, int],
) -> None:
    sessions, session, turn = case
    low, high = limits(sessions)
    was = sessions[session][turn]
    sessions[session][turn] = 0.0
    less_low, less_high = limits(sessions)
    if was < 0.0:
        assert less_low >= low - 1e-6
    else:
        assert less_high <= high + 1e-6


Changed = list[tuple[int, float]]  # session and difference of the turns that differ
# All ways in which one or two turns can differ, but for the order of sessions and for the sign.
NEARLY_EQUAL: tuple[Changed, ...] = (
    [(0, -1.0)],
    [(0, -1.0), (1, -1.0)],
    [(0, -1.0), (1, 1.0)],
    [(0, -1.0), (0, -1.0)],
    [(0, -1.0), (0, 1.0)],
)


def differing(sessions: int, turns: int, where: Changed) -> Sessions:
    """Sessions of equal answers but for these."""
    found: Sessions = []
    for place in range(sessions):
        mine = [value for session, value in where if session == place]
        found.append(mine + [0.0] * (turns - len(mine)))
    return found


@pytest.mark.parametrize("turns", [1, 2, 3, 4, 5, 6, 7, 8, 12, 20])
@pytest.mark.parametrize("sessions", [4, 5, 6, 7, 8, 9, 12, 16, 50, 100])
def test_from_four_sessions_on_all_equal_answers_have_the_narrowest_interval_of_nearly_equal_ones(
    sessions: int, turns: int
) -> None:
    """At most two turns differ, anywhere: every placement is tried."""
    least, most = limits(differing(sessions, turns, []))
    for where in NEARLY_EQUAL:
        in_first = sum(session == 0 for session, _ in where)
        if in_first > turns:
            continue
        low, high = limits(differing(sessions, turns, where))
        assert most - least < high - low, where


def test_where_more_than_two_differ_the_sure_part_can_make_the_interval_narrower() -> None:
    """What docs/statistics.md says of three sessions, and of three turns that differ."""
    for sessions, where in ((3, [(0, -1.0)]), (4, [(0, -1.0), (1, -1.0), (2, -1.0)])):
        least, most = limits(differing(sessions, 6 if sessions == 4 else 1, []))
        low, high = limits(differing(sessions, 6 if sessions == 4 else 1, where))
        assert high - low < most - least


@given(changed(), st.floats(0.0, 1.0))
def test_no_interval_passes_what_the_other_score_leaves_room_for(
    case: tuple[Sessions, int, int], share: float
) -> None:
    """Dense 98 cannot be beaten by 21 points, and cannot lose more than 98."""
    sessions = case[0]
    n = sum(map(len, sessions))
    losses = sum(value < 0.0 for one in sessions for value in one)
    gains = sum(value > 0.0 for one in sessions for value in one)
    level = (losses + share * (n - losses - gains)) / n  # right wherever the method lost
    for alpha in (0.05, 1e-4):
        low, high = paired(sessions, level).limits(alpha)
        assert level + high <= 1.0 + 1e-9
        assert level + low >= -1e-9


def test_dense_at_98_with_one_loss_of_24_prints_no_interval_above_100() -> None:
    low, high = paired([[-1.0, 0.0, 0.0]] + [[0.0] * 3] * 7, 0.98).limits()
    assert high <= 0.02 + 1e-12
    assert low < -0.04


def test_a_method_that_never_differs_still_has_width_and_no_p_value() -> None:
    got = paired([[0.0] * 4] * 10)
    low, high = got.limits()
    assert low < -0.05
    assert high > 0.05
    assert got.p == 1.0


@pytest.mark.parametrize("sessions", [8, 12, 30])
def test_a_p_value_and_its_interval_never_contradict_each_other(sessions: int) -> None:
    for lost in range(1, sessions):
        got = paired([[-1.0, 0.0, 0.0]] * lost + [[0.0] * 3] * (sessions - lost))
        for alpha in (0.05, 0.01, 0.001):
            low, high = got.limits(alpha)
            is_out = not low <= 0.0 <= high
            assert is_out == (got.p <= alpha) or got.p == pytest.approx(alpha, rel=0.005)


def test_a_loss_that_the_interval_proves_is_significant_by_its_p_value() -> None:
    """Six of 24 lost: -48.7 to -0.2, which a coarse list of levels called 0.056."""
    got = paired([[-1.0, 0.0, 0.0]] * 6 + [[0.0] * 3] * 2)
    assert got.limits()[1] < 0.0
    assert 0.045 < got.p < 0.05


def test_more_sessions_of_the_same_kind_give_a_smaller_p_value_and_a_narrower_interval() -> None:
    kind = [[-1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 0.0, 0.0]]
    found = [paired(kind * times) for times in (2, 4, 8, 16)]
    p_values = [one.p for one in found]
    widths = [float(one.limits()[1] - one.limits()[0]) for one in found]
    assert p_values == sorted(p_values, reverse=True)
    assert widths == sorted(widths, reverse=True)
    assert p_values[-1] < 1e-4


def test_equivalence_needs_the_whole_interval_inside_the_margin() -> None:
    few, many = paired([[0.0] * 5] * 8), paired([[0.0] * 5] * 120)
    assert few.p_within(0.05) > 0.05 > many.p_within(0.05)
    assert many.p_within(0.0001) > 0.05


def test_holm_multiplies_the_smallest_by_the_number_of_comparisons_and_never_falls() -> None:
    assert holm([0.04, 0.01, None, 0.03]) == pytest.approx([0.06, 0.03, None, 0.06])
    assert holm([0.01], size=10) == pytest.approx([0.1])


def test_parts_are_moved_to_one_mean_before_sessions_are_compared() -> None:
    """One task all right and one all wrong: nothing is left to chance but what was not seen."""
    values = np.array([1.0, 0.0] * 40)
    sessions = np.repeat(np.arange(40), 2)
    parts = np.tile([0, 1], 40)
    apart = SessionClusters.of(values, np.arange(80), parts, part_count=2)
    as_one = SessionClusters.of(values, np.arange(80), np.zeros(80, dtype=np.int64))
    low, high = apart.rate().limits()
    wide_low, wide_high = as_one.rate().limits()
    assert high - low < 0.6 * (wide_high - wide_low)
    assert SessionClusters.of(values, sessions, parts, part_count=2).mean == 0.5


def test_the_interval_of_an_average_lies_about_its_mean_where_tasks_are_unlike() -> None:
    """An easy task's few bad sessions, moved to the common mean, fall below no hit at all."""
    easy = np.repeat([1.0, 0.0], [27 * 3, 3 * 3])
    values = np.concatenate([easy, np.zeros(90)])
    parts = np.repeat([0, 1], 90)
    average = SessionClusters.of(values, np.repeat(np.arange(60), 3), parts, part_count=2)
    low, high = average.rate().limits()
    assert average.mean == pytest.approx(0.45)
    assert (low + high) / 2.0 == pytest.approx(0.45, abs=0.05 * (high - low))


def test_an_average_allows_for_all_that_its_sessions_vary() -> None:
    """Three tasks that share questions, and two of easy and six of hard ones of their own."""
    rng = np.random.Generator(np.random.PCG64(9))
    means = np.array([0.9] * 5 + [0.1] * 6)
    chance_KS1 = rng.beta(means[:, None, None], 1.0 - means[:, None, None], size=(11, 80, 1))
    chance_KS1[:3] = chance_KS1[0]
    luck_KST = rng.random((11, 80, 3))
    luck_KST[:3] = luck_KST[0]
    values = (luck_KST < chance_KS1).astype(float).ravel()
    source = np.repeat(np.array([0, 0, 0, *range(1, 9)]) * 80, 240)
    sessions = source + np.tile(np.repeat(np.arange(80), 3), 11)
    average = SessionClusters.of(values, sessions, np.repeat(np.arange(11), 240), part_count=11)
    low, high = average.rate().limits()
    sandwich = float((average.influence_S() ** 2).sum()) ** 0.5
    assert high - low > 0.95 * 2.0 * 1.96 * sandwich


def test_the_interval_of_an_average_mirrors_as_right_and_wrong_change_places() -> None:
    rng = np.random.Generator(np.random.PCG64(4))
    chance = np.repeat([0.9, 0.3, 0.05], 60)
    values = (rng.random(180) < chance).astype(float)
    sessions, parts = np.repeat(np.arange(60), 3), np.repeat([0, 1, 2], 60)
    low, high = SessionClusters.of(values, sessions, parts, part_count=3).rate().limits()
    turned = SessionClusters.of(1.0 - values, sessions, parts, part_count=3).rate().limits()
    assert turned == (pytest.approx(1.0 - high, abs=1e-9), pytest.approx(1.0 - low, abs=1e-9))
