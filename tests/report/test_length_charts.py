"""Scores over context lengths, and a mark where pages, blocks or windows are not the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from factory import run

from scbench.report import page
from scbench.report.length_charts import TITLE, length_charts, units_text
from scbench.stats import OVERALL, Summary, summarise
from scbench.types import Record

PAGES = {512: 4, 1024: 4, 2048: 16}


def over_lengths(pages: Mapping[int, int]) -> list[Record]:
    """dense and quest at three lengths; quest reads pages of this many tokens there."""
    found = []
    for length, page_tokens in pages.items():
        rows = run(
            tasks=("kv", "qa_eng"),
            methods={"dense": lambda turn: 0.9, "quest": lambda turn: 0.6},
            sessions=3,
            length_tokens=length,
        )
        units = {"quest": {"quest.page_tokens": page_tokens}, "dense": {}}
        found += [replace(one, units=units[one.method]) for one in rows]
    return found


@pytest.fixture(scope="module")
def told() -> Summary:
    return summarise(over_lengths(PAGES), resamples=0)


def test_a_point_says_which_unit_is_not_that_of_the_length_before(told: Summary) -> None:
    mine = [one for one in told.lengths if (one.method, one.mode) == ("quest", "multi-turn")]
    assert [one.setting.length_tokens for one in mine] == list(PAGES)
    assert [dict(one.changed) for one in mine] == [{}, {}, {"quest.page_tokens": (4, 16)}]
    assert units_text(mine[2]) == "quest.page_tokens 4 → 16"
    assert units_text(mine[1]) == "quest.page_tokens 4"


def test_units_that_hold_are_never_marked() -> None:
    held = summarise(over_lengths(dict.fromkeys(PAGES, 4)), resamples=0)
    assert held.lengths
    assert not any(one.changed for one in held.lengths)


def test_the_picture_has_the_averages_of_the_summary_and_marks_the_change(told: Summary) -> None:
    (chart,) = length_charts(told)
    (rows,) = chart.spec["datasets"].values()
    shown = {(row["mode"], row["method"], row["length"]): row["score"] for row in rows}
    for setting in told.settings:
        for mode in told.modes:
            for method in ("dense", "quest"):
                average = told.average(setting, mode, method, OVERALL)
                assert average is not None
                assert average.strict.value is not None
                key = (mode, method, setting.length_tokens)
                assert shown[key] == pytest.approx(100.0 * average.strict.value)
    assert {(row["method"], row["length"]) for row in rows if row["changed"]} == {("quest", 2048)}
    assert "diamond" in str(chart.spec)


@pytest.mark.slow
def test_the_page_shows_it_once_and_only_where_there_are_lengths(told: Summary) -> None:
    assert page(told).count(f"<h3>{TITLE}, toy</h3>") == 1
    alone = summarise(over_lengths({512: 4}), resamples=0)
    assert length_charts(alone) == []
    assert TITLE not in page(alone)
