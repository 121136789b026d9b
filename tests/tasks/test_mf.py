"""Math.Find: golds are right by definition, asked values lie at one place, and the most frequent
value leads.
"""

from __future__ import annotations

import json
from collections import Counter as Tally

import pytest
from solvers_strings import figure_of

from scbench.errors import BadConfig
from scbench.scoring import grade
from scbench.tasks import task
from scbench.tasks.contract import Bytes, Words
from scbench.tasks.draw import Draw
from scbench.tasks.materials import figures
from scbench.types import Role, Session, Turn

LARGE = 6000


def make(seed: str = "3:0", target: int = LARGE, turns: int = 8, **knobs: object) -> Session:
    return task("mf").make(seed=seed, target=target, turns=turns, count=Words(), **knobs)


def numbers(session: Session) -> list[int]:
    found: list[int] = json.loads(session.context)
    assert str(found) == session.context
    return found


def by_definition(turn: Turn, listed: list[int]) -> int:
    """Each statistic written out once more, apart from the generator's own."""
    figure, tally = figure_of(turn.ask), Tally(listed)
    distinct = sorted(tally)
    answers = {
        "min": distinct[0],
        "max": distinct[-1],
        "median": sorted(listed)[(len(listed) - 1) // 2],
        "mode": max(tally, key=lambda value: tally[value]),
        "first_index": listed.index(figure.k) + 1 if figure.k in tally else -1,
        "count_of": tally[figure.k],
        "kth_largest": distinct[-figure.k] if 0 < figure.k <= len(distinct) else -1,
        "kth_smallest": distinct[figure.k - 1] if 0 < figure.k <= len(distinct) else -1,
    }
    return answers[figure.kind]


@pytest.mark.parametrize("target", [100, LARGE])
@pytest.mark.parametrize("digits", [2, 3, 6])
@pytest.mark.parametrize("kinds", [figures.DEFAULT_KINDS, figures.KINDS])
def test_golds_are_right_by_definition(target: int, digits: int, kinds: tuple[str, ...]) -> None:
    for seed in range(5):
        session = make(f"3:{seed}", target, kinds=kinds, digits=digits)
        listed = numbers(session)
        assert len(listed) % 2 == 1
        assert all(len(str(number)) == digits for number in listed)
        assert [int(turn.gold) for turn in session.turns] == [
            by_definition(turn, listed) for turn in session.turns
        ]


@pytest.mark.parametrize("target", [100, LARGE])
def test_values_asked_for_by_order_stand_once_at_their_span(target: int) -> None:
    session = make(target=target, turns=20)
    tally = Tally(numbers(session))
    ordered = [turn for turn in session.turns if figure_of(turn.ask).is_ordered]
    assert len(ordered) == 18
    for turn in ordered:
        assert tally[int(turn.gold)] == 1
        assert turn.depth is not None
        assert [session.context[span.start : span.stop] for span in turn.evidence] == [
            turn.gold
        ] * 2


@pytest.mark.parametrize("target", [100, 1000, LARGE])
def test_the_most_frequent_number_leads_by_two_and_by_5_percent(target: int) -> None:
    for seed in range(5):
        session = make(f"3:{seed}", target, kinds=("mode",), turns=1)
        (first, most), (_, second) = Tally(numbers(session)).most_common(2)
        assert most - second >= max(2, second / 20)
        (turn,) = session.turns
        assert turn.gold == str(first)
        assert len(turn.evidence) == most
        assert {session.context[span.start : span.stop] for span in turn.evidence} == {turn.gold}
        centres = [(span.start + span.stop) / 2 / len(session.context) for span in turn.evidence]
        assert most < 30 or abs(sum(centres) / most - 0.5) < 0.1


def test_a_statistic_of_the_whole_list_has_global_evidence_and_no_depth() -> None:
    for turn in make(kinds=("median", "count_of"), turns=4).turns:
        assert turn.depth is None
        assert turn.evidence[0].role is Role.GLOBAL
        assert {span.role for span in turn.evidence[1:]} == {Role.ANSWER}


def test_a_session_repeats_no_question_before_all_were_asked() -> None:
    asked = figures.plan(Draw("x"), 45, figures.DEFAULT_KINDS)
    assert len(set(asked[:20])) == 20
    assert set(asked[20:40]) == set(asked[:20])
    assert {figure.kind for figure in asked[:6]} == set(figures.DEFAULT_KINDS)


def test_no_question_holds_a_digit_unless_it_asks_about_a_number() -> None:
    assert not any(any(c.isdigit() for c in turn.ask) for turn in make(turns=20).turns)


def test_the_published_prompt_can_be_made_of_every_question() -> None:
    for turn in make(turns=20, kinds=figures.KINDS).turns:
        prefix = turn.ask[turn.ask.index("The ") :]
        assert prefix.endswith(" is")
        assert f"What is {prefix.lower()[:-3]}?".startswith("What is the ")


def test_extremes_may_be_left_as_they_fall() -> None:
    session = make(unique_extremes=False, target=20_000, kinds=("min", "max"), turns=2)
    assert all(turn.depth is None for turn in session.turns)
    assert sum(len(turn.evidence) for turn in session.turns) > 4
    assert [int(turn.gold) for turn in session.turns] == [
        by_definition(turn, numbers(session)) for turn in session.turns
    ]


def test_ranges_differ_between_sessions() -> None:
    ranges = {
        (make(f"3:{i}", 200).recipe["low"], make(f"3:{i}", 200).recipe["high"]) for i in range(20)
    }
    assert len(ranges) == 20


@pytest.mark.parametrize(
    "knobs",
    [
        {"digits": 1},
        {"digits": 7},
        {"kinds": ()},
        {"kinds": ("mean",)},
        {"kinds": ("min", "min")},
        {"digits": 3.0},
    ],
)
def test_a_knob_that_is_not_allowed_is_refused(knobs: dict[str, object]) -> None:
    with pytest.raises(BadConfig, match="mf"):
        make(**knobs)


def test_a_published_answer_may_be_a_whole_number_and_the_written_context_is_a_list() -> None:
    turn = task("mf").read_turn(
        {"context": [1, 2]},
        {"answer": 77, "input": "Answer with one number. The largest number is"},
    )
    assert (turn.gold, turn.wanted.golds) == ("77", ("77",))
    assert grade("mf", "77", turn.wanted, rule="strict").value == 1.0
    session = task("mf").make(seed="1", target=700, turns=2, count=Bytes())
    row = task("mf").write_row(session, 0)
    assert row["context"] == numbers(session)
