"""ICL.ManyShot: every shot is solved by rule, answers are balanced, and made-up names can be learnt
only from shots.
"""

from __future__ import annotations

import re
from collections import Counter as Tally

import pytest
from solvers_strings import many_shot, meaning, options, shots, split

from scbench.errors import BadConfig
from scbench.tasks import task
from scbench.tasks.contract import Bytes, Words
from scbench.types import Role, Session

FAMILIES = ("date", "tracking", "translation")
EACH = pytest.mark.parametrize("family", FAMILIES)


def make(seed: str = "3:0", target: int = 40_000, turns: int = 6, **knobs: object) -> Session:
    return task("many_shot").make(seed=seed, target=target, turns=turns, count=Bytes(), **knobs)


def wrong(session: Session) -> int:
    return sum(options(ask).get(meaning(ask)) != letter for ask, letter in shots(session.context))


@EACH
@pytest.mark.parametrize("target", [2000, 40_000])
def test_every_shot_and_every_gold_is_right_and_no_other_option_is(
    family: str, target: int
) -> None:
    for seed in range(4):
        session = make(f"3:{seed}", target, family=family)
        assert len(shots(session.context)) == session.context.count("Question:") > 0
        assert wrong(session) == 0
        for turn in session.turns:
            assert (
                options(turn.ask)[meaning(turn.ask)]
                == turn.gold.strip("()")
                == turn.wanted.golds[0]
            )
            assert (
                len(set(turn.wanted.options)) == len(turn.wanted.options) == len(options(turn.ask))
            )


@EACH
def test_no_instance_comes_twice_and_none_that_is_asked_is_shown(family: str) -> None:
    for relabel in (False, True):
        session = make(family=family, relabel=relabel, target=60_000)
        questions = [ask.split("\nOptions")[0] for ask, _ in shots(session.context)]
        questions += [turn.ask.split("\nOptions")[0] for turn in session.turns]
        assert len(set(questions)) == len(questions)


@EACH
def test_letters_and_classes_are_balanced(family: str) -> None:
    session = make(family=family, target=100_000, relabel=True)
    letters = Tally(letter for _, letter in shots(session.context))
    classes = Tally(meaning(ask) for ask, _ in shots(session.context))
    assert max(letters.values()) - min(letters.values()) <= 1
    assert max(classes.values()) - min(classes.values()) <= 1
    assert len(letters) == len(classes) == (7 if family == "tracking" else 6)
    asked = Tally(turn.gold for turn in make(family=family, turns=13).turns)
    assert max(asked.values()) - min(asked.values() if len(asked) > 5 else [1]) <= 2


@EACH
@pytest.mark.parametrize("target", [3000, 40_000])
def test_made_up_names_are_learnt_from_the_shots_of_their_class_and_from_no_others(
    family: str, target: int
) -> None:
    session = make(family=family, relabel=True, target=target)
    for turn in session.turns:
        support, rest = split(session, turn)
        assert many_shot(support, turn) == many_shot(session.context, turn) == turn.gold
        assert many_shot(rest, turn) is None
        assert turn.evidence[0].role is Role.GLOBAL
        own = [span for span in turn.evidence if span.role is Role.SUPPORT]
        centres = [(span.start + span.stop) / 2 / len(session.context) for span in own]
        assert len(own) < 8 or abs(sum(centres) / len(centres) - 0.5) < 0.1
    names = {name for turn in session.turns for name in turn.wanted.options}
    assert all(re.fullmatch("[a-z]{5}", name) for name in names)


def test_noise_gives_the_stated_share_of_wrong_letters() -> None:
    session = make(family="date", label_noise=0.25, target=100_000)
    assert 0.15 < wrong(session) / len(shots(session.context)) < 0.35
    assert all(
        options(turn.ask)[meaning(turn.ask)] == turn.wanted.golds[0] for turn in session.turns
    )
    assert wrong(make(family="date", label_noise=1.0)) == len(
        shots(make(family="date", label_noise=1.0).context)
    )


def test_shots_can_be_counted_instead_of_measured() -> None:
    assert len(shots(make(shots=17).context)) == 17
    assert (
        len(
            shots(
                task("many_shot")
                .make(seed="1", target=22_000, turns=5, count=Words(), shots=150)
                .context
            )
        )
        == 150
    )


def test_seeds_take_all_families_and_compact_tracking_has_three_things() -> None:
    assert {make(f"3:{i}", 2000).recipe["family"] for i in range(12)} == set(FAMILIES)
    assert (
        make(target=2000, family="tracking").recipe["objects"],
        make(family="tracking").recipe["objects"],
    ) == (3, 7)
    session = make(family="tracking", objects=5, swaps=2)
    assert all(len(turn.wanted.options) == 5 for turn in session.turns)


@pytest.mark.parametrize(
    "knobs",
    [
        {"family": "salient"},
        {"objects": 1},
        {"family": "date", "objects": 4},
        {"label_noise": 1.5},
        {"shots": 0},
        {"swaps": -1},
        {"swaps": 1.5},
    ],
)
def test_a_knob_that_is_not_allowed_is_refused(knobs: dict[str, object]) -> None:
    with pytest.raises(BadConfig, match="many_shot"):
        make(**knobs)


def test_a_published_turn_is_read_with_the_options_of_its_question() -> None:
    item = {"answer": "B", "input": "Which?\nOptions:\n(A) one\n(B) two\n"}
    turn = task("many_shot").read_turn({"task": "date"}, item)
    assert (turn.gold, turn.wanted.options, turn.ask) == ("B", ("one", "two"), item["input"])
    assert task("many_shot").write_row(make(family="date"), 1)["task"] == "date"
