"""How well a number tells right answers from wrong ones."""

from __future__ import annotations

import polars as pl


def area(values: pl.Series, is_right: pl.Series) -> float | None:
    """The area under the curve: how often the value of a right answer is above that of a wrong one,
    over all such pairs; a tie counts half. None without a right or without a wrong answer.

    >>> area(pl.Series([0.9, 0.5, 0.5, 0.1]), pl.Series([True, True, False, False]))
    0.875
    """
    right = int(is_right.sum())
    wrong = len(is_right) - right
    if not right or not wrong:
        return None
    ranks = values.rank("average").filter(is_right)
    return (float(ranks.sum()) - right * (right + 1) / 2) / (right * wrong)
