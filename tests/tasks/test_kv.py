"""Retr.KV: a JSON object in which every key and value is alone."""

from __future__ import annotations

import json
import zlib

import pytest

from scbench.errors import BadConfig, BadRow
from scbench.tasks import task
from scbench.tasks.contract import Bytes, Words
from scbench.tasks.draw import Draw
from scbench.tasks.materials.pairs import PairMaker, PairShape, digits_for, key_words_for
from scbench.tasks.materials.words import WORDS
from scbench.types import Role, Session


def make(seed: str = "3:0", target: int = 20_000, turns: int = 5, **knobs: object) -> Session:
    return task("kv").make(seed=seed, target=target, turns=turns, count=Bytes(), **knobs)


def pairs(session: Session) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = json.loads(session.context, object_pairs_hook=list)
    return [pair for pair in found if pair[0] != "_note"]


@pytest.mark.parametrize(
    "knobs", [{}, {"variant": "easy"}, {"variant": "easy", "near_keys": 4}, {"near_keys": 2}]
)
def test_the_context_is_json_and_lookup_gives_the_gold(knobs: dict[str, object]) -> None:
    for session in (make(**knobs), make(target=2500, **knobs)):
        found = json.loads(session.context)
        for turn in session.turns:
            assert turn.wanted.asked_key is not None
            assert found[turn.wanted.asked_key] == turn.gold


@pytest.mark.parametrize("knobs", [{}, {"variant": "easy", "near_keys": 4}])
def test_every_key_and_value_stands_once_and_inside_no_other(knobs: dict[str, object]) -> None:
    for session in (make(**knobs), make(target=2500, **knobs)):
        keys, values = zip(*pairs(session), strict=True)
        assert len({*keys, *values}) == 2 * len(keys)
        for turn in session.turns:
            assert session.context.count(turn.gold) == 1
            assert len({turn.wanted.asked_key for turn in session.turns}) == len(session.turns)
        assert not any(value in key for key in keys for value in values)


def test_uuid_text_cannot_be_compressed_and_compact_text_is_easy() -> None:
    text = make(target=60_000).context.encode()
    assert len(zlib.compress(text, 9)) / len(text) > 0.4
    assert make(target=2000).recipe["variant"] == "easy"
    assert make(target=4096).recipe["variant"] == "uuid"


@pytest.mark.slow
def test_easy_keys_and_values_leave_room_for_each_pair() -> None:
    for target in (1000, 20_000, 300_000):
        session = task("kv").make(seed="3:0", target=target, turns=2, count=Words(), variant="easy")
        found = len(pairs(session))
        assert 512 ** int(str(session.recipe["key_words"])) >= 4 * found
        assert 9 * 10 ** (int(str(session.recipe["digits"])) - 1) >= 18 * found
    assert (key_words_for(128), key_words_for(129), digits_for(450), digits_for(451)) == (
        1,
        2,
        4,
        5,
    )


def test_near_keys_are_one_or_two_edits_away_and_marked() -> None:
    session = make(near_keys=3, variant="easy")
    for turn in session.turns:
        near = [span for span in turn.evidence if span.role is Role.DISTRACTOR]
        assert len(near) == 3
        for span in near:
            (key,) = json.loads("{" + session.context[span.start : span.stop] + "}")
            assert turn.wanted.asked_key is not None
            assert 1 <= sum(a != b for a, b in zip(key, turn.wanted.asked_key, strict=True)) <= 2


def test_a_near_uuid_is_a_uuid_of_version_4() -> None:
    maker, draw = PairMaker(PairShape("uuid")), Draw("x")
    for _ in range(50):
        key, _ = maker.fresh(draw)
        near, _ = maker.near(key, draw)
        assert (len(near), near[14], near[19] in "89ab", [near[i] for i in (8, 13, 18, 23)]) == (
            36,
            "4",
            True,
            ["-"] * 4,
        )


def test_there_are_512_different_short_words() -> None:
    assert len(set(WORDS)) == len(WORDS) == 512
    assert all(word.isalpha() and word.islower() and 2 <= len(word) <= 7 for word in WORDS)


@pytest.mark.parametrize(
    "knobs",
    [
        {"variant": "hard"},
        {"near_keys": -1},
        {"digits": 5},
        {"variant": "easy", "key_words": 1},
        {"variant": "easy", "digits": 0},
        {"near_keys": "2"},
    ],
)
def test_a_knob_that_is_not_allowed_is_refused(knobs: dict[str, object]) -> None:
    with pytest.raises(BadConfig):
        make(target=100_000, **knobs)


def test_a_published_turn_is_read_with_its_key_and_shape() -> None:
    gold = "0f3c9a52-7b1e-4d60-9c55-2a8e61d4b7f0"
    item = {
        "answer": gold,
        "input": 'Key: "a1b2"\nThe value associated with the specified key is: ',
    }
    turn = task("kv").read_turn({"id": 7, "context": "{}", "spare": None}, item)
    assert (turn.gold, turn.wanted.asked_key, turn.wanted.shape, turn.wanted.generated) == (
        gold,
        "a1b2",
        "uuid",
        False,
    )
    assert turn.ask == item["input"]
    for wrong in (
        {"input": "x"},
        {"answer": "x"},
        {"answer": [], "input": "x"},
        {"answer": True, "input": "x"},
    ):
        with pytest.raises(BadRow, match="scbench_kv"):
            task("kv").read_turn({}, wrong)
