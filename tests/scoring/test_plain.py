"""Scorers that serve any task: what they read, and what they do not take for an answer."""

from __future__ import annotations

import pytest

from scbench.errors import Unknown
from scbench.scoring import library
from scbench.scoring.plain import contains, exact, f1
from scbench.types import Wanted


def wanted(*golds: str) -> Wanted:
    return Wanted(golds=golds)


@pytest.mark.parametrize(
    ("answer", "golds", "value"),
    [
        ("It was Lisbon, I think.", ("lisbon",), 1.0),
        ("It was LISBON\n  town", ("Lisbon town",), 1.0),
        ("Lisbonne", ("Lisbon",), 0.0),
        ("112 km", ("12 km",), 0.0),
        ("C", ("C++",), 0.0),
        ("It is C++.", ("C++",), 1.0),
        ("答案是北京。", ("北京",), 1.0),
        ("neither", ("Ada", "neither"), 1.0),
        ("", ("Ada",), 0.0),
    ],
)
def test_contains_asks_for_whole_words(answer: str, golds: tuple[str, ...], value: float) -> None:
    assert contains(answer, wanted(*golds)).value == value


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("Lisbon", 1.0),
        ('"lisbon."', 1.0),
        ("\nAnswer:\nLisbon\nin Portugal", 1.0),
        ("In Lisbon", 0.0),
        ("", 0.0),
    ],
)
def test_exact_reads_the_first_line(answer: str, value: float) -> None:
    assert exact(answer, wanted("Lisbon")).value == value


def test_f1_counts_words_and_in_scripts_without_blanks_characters() -> None:
    assert f1("the old mill", wanted("Old mill.")).value == 1.0
    assert f1("old barn", wanted("old mill")).value == pytest.approx(0.5)
    assert f1("北海", wanted("北京")).value == pytest.approx(0.5)
    assert f1("", wanted("old mill")).value == 0.0


@pytest.mark.parametrize("name", library.names())
def test_every_name_of_the_library_has_a_scorer(name: str) -> None:
    score = library.scorer(name)("nothing of the kind", wanted("41"))
    assert score.rule == "strict/3"
    assert score.value in (0.0, None)


def test_a_scorer_of_nobody_is_refused_with_those_there_are() -> None:
    with pytest.raises(Unknown, match="did you mean 'contains'"):
        library.scorer("contain")
