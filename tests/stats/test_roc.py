"""The area under the curve is that of all pairs of a right and a wrong answer."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest

from scbench.stats.roc import area


@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_share_of_pairs_in_order_and_half_of_those_that_tie(seed: int) -> None:
    draw = np.random.default_rng(seed)
    values = draw.integers(0, 6, 60) / 5
    is_right = draw.random(60) < values * 0.8 + 0.1
    pairs = list(itertools.product(values[is_right], values[~is_right]))
    wanted = sum((right > wrong) + 0.5 * (right == wrong) for right, wrong in pairs) / len(pairs)
    assert area(pl.Series(values), pl.Series(is_right)) == pytest.approx(wanted)


def test_what_tells_nothing_is_a_half_and_one_kind_of_answer_has_no_area() -> None:
    same = pl.Series([0.3] * 4)
    assert area(same, pl.Series([True, False, True, False])) == 0.5
    assert area(same, pl.Series([True] * 4)) is None
    assert area(same, pl.Series([False] * 4)) is None
