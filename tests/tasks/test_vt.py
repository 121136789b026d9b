"""Retr.MultiHop: assignments in dull text; an interpreter finds each gold set, and every assignment
counts.
"""

from __future__ import annotations

import re
import zlib
from itertools import combinations

import pytest
from solvers_strings import vt as interpret

from scbench.errors import BadConfig
from scbench.tasks import task
from scbench.tasks.contract import Bytes
from scbench.tasks.materials.noise import CYCLE, of_words
from scbench.types import Role, Session

KNOBS: list[dict[str, object]] = [
    {},
    {"noise": "varied"},
    {"hops": 5, "branch": 3},
    {"order": "shuffled", "hops": 8},
    {"hops": 1, "extra_chains": 20},
]


def make(seed: str = "3:0", target: int = 30_000, turns: int = 5, **knobs: object) -> Session:
    return task("vt").make(seed=seed, target=target, turns=turns, count=Bytes(), **knobs)


@pytest.mark.parametrize("knobs", KNOBS)
def test_the_interpreter_finds_each_gold_and_misses_it_without_any_one_assignment(
    knobs: dict[str, object],
) -> None:
    session = make(**knobs)
    for turn in session.turns:
        assert interpret(session.context, turn) == turn.gold
        hops, branch = int(str(session.recipe["hops"])), int(str(session.recipe["branch"]))
        assert len(turn.wanted.golds) == 1 + hops * branch
        for span in turn.evidence:
            if span.role is Role.SUPPORT:
                assert (
                    interpret(session.context[: span.start] + session.context[span.stop :], turn)
                    != turn.gold
                )


def test_a_chain_keeps_its_order_and_a_shuffled_one_does_not() -> None:
    def ordered(session: Session) -> list[bool]:
        found = re.findall(r"VAR ([A-Z]{5}) = VAR ([A-Z]{5})", session.context)
        return [
            session.context.index(f"VAR {source} =") < session.context.index(f"VAR {name} =")
            for name, source in found
        ]

    assert all(ordered(make(hops=6, branch=2)))
    assert not all(ordered(make(hops=6, order="shuffled")))


@pytest.mark.parametrize("knobs", KNOBS)
def test_names_are_far_apart_and_assigned_once_and_values_stand_once(
    knobs: dict[str, object],
) -> None:
    session = make(**knobs)
    names = re.findall(r"VAR ([A-Z]{5}) =", session.context)
    assert len(set(names)) == len(names)
    assert all(
        sum(a != b for a, b in zip(one, other, strict=True)) >= 2
        for one, other in combinations(names, 2)
    )
    values = re.findall(r"\d+", session.context)
    assert len(set(values)) == len(values) == 5 + int(str(session.recipe["extra_chains"]))
    assert not any(set(name) & set("AEIOUY") for name in names)


def test_repeated_noise_compresses_and_varied_noise_has_no_digits_or_names() -> None:
    repeat, varied = make(target=60_000).context, make(target=60_000, noise="varied").context
    assert (
        len(zlib.compress(repeat.encode())) / len(repeat)
        < 0.05
        < len(zlib.compress(varied.encode())) / len(varied)
    )
    bare = re.sub(r"VAR [A-Z]{5} = (VAR [A-Z]{5}|\d{5})\.", "", varied)
    assert not re.search(r"\d|[A-Z]{2}", bare)
    assert all(not re.search(r"\d|[A-Z]{2}", sentence) for sentence in CYCLE)


def test_noise_of_any_number_of_words_has_that_many() -> None:
    assert [len(of_words(words).split()) for words in range(3, 60)] == list(range(3, 60))
    assert of_words(2) == ""


def test_compact_contexts_hold_the_asked_chains_alone() -> None:
    assert (make(target=2000).recipe["extra_chains"], make(target=4096).recipe["extra_chains"]) == (
        0,
        2,
    )


def test_the_limit_is_twice_the_answer_and_at_least_30() -> None:
    assert make(hops=1).turns[0].max_new_tokens == 30
    turn = make(hops=8).turns[0]
    assert turn.max_new_tokens >= 2 * Bytes()(turn.gold)


@pytest.mark.parametrize(
    "knobs",
    [
        {"hops": 0},
        {"hops": 9},
        {"branch": 0},
        {"noise": "loud"},
        {"order": "up"},
        {"extra_chains": -1},
        {"hops": 2.5},
    ],
)
def test_a_knob_that_is_not_allowed_is_refused(knobs: dict[str, object]) -> None:
    with pytest.raises(BadConfig, match="vt"):
        make(**knobs)


def test_a_published_row_has_its_context_in_input_and_lists_as_answers() -> None:
    turn = task("vt").read_turn(
        {"input": "VAR", "index": 3}, {"answer": ["AAAAA", "BBBBB"], "input": "Find all"}
    )
    assert (turn.gold, turn.wanted.golds, turn.max_new_tokens) == (
        "AAAAA, BBBBB",
        ("AAAAA", "BBBBB"),
        30,
    )
    row = task("vt").write_row(make(), 2)
    assert set(row) == {"input", "index", "length", "multi_turns"}


def test_depth_is_that_of_any_link_and_not_of_the_first_alone() -> None:
    depths = sorted(turn.depth or 0.0 for i in range(40) for turn in make(f"8:{i}", 8000).turns)
    assert len(depths) == 200
    assert max(abs((i + 0.5) / 200 - depth) for i, depth in enumerate(depths)) < 0.1
