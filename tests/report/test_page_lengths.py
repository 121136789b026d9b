"""Scores over context lengths, and a sign where pages, blocks or windows are not the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from factory import run
from page_parts import unpacked

from scbench.report import page
from scbench.report.page.data import effective_length
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


def test_units_that_hold_are_never_marked() -> None:
    held = summarise(over_lengths(dict.fromkeys(PAGES, 4)), resamples=0)
    assert held.lengths
    assert not any(one.changed for one in held.lengths)


def test_the_page_has_the_averages_of_the_summary_and_marks_the_change(told: Summary) -> None:
    lines = unpacked(page(told))["lengths"]
    shown = {
        (line["mode"], line["method"], tokens): value
        for line in lines
        for tokens, value in zip(line["tokens"], line["value"], strict=True)
    }
    for setting in told.settings:
        for mode in told.modes:
            for method in ("dense", "quest"):
                average = told.average(setting, mode, method, OVERALL)
                assert average is not None
                assert shown[mode, method, setting.length_tokens] == pytest.approx(
                    average.strict.value, abs=1e-4
                )
    changed = {
        (line["method"], tokens)
        for line in lines
        for tokens, units in zip(line["tokens"], line["changed"], strict=True)
        if units
    }
    assert changed == {("quest", 2048)}


def test_a_run_of_one_length_has_no_curve_over_lengths() -> None:
    alone = summarise(over_lengths({512: 4}), resamples=0)
    assert unpacked(page(alone))["lengths"] == []


@pytest.mark.parametrize(
    ("scores", "longest"),
    [
        ([(1, 1.0), (2, 0.85), (4, 0.8499)], 2),
        ([(4, 0.9), (1, 1.0), (2, 0.1)], 1),  # what comes back later was lost all the same
        ([(1, 1.0), (2, None), (4, 1.0)], 1),
        ([(1, 0.0), (2, 0.5)], None),
        ([(1, None), (2, 0.5)], None),
        ([], None),
    ],
)
def test_the_effective_length_keeps_85_percent_all_the_way(
    scores: list[tuple[int, float | None]], longest: int | None
) -> None:
    assert effective_length(scores) == longest
