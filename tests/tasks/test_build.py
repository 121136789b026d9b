"""Placement and lengths: pieces lie where their depth says, spans hold their text, and any length
is met with few counts.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scbench.errors import BadConfig, TooLarge, TooSmall, Unknown
from scbench.task_cards import PAPER
from scbench.tasks import TASKS, card, names, task
from scbench.tasks.build import (
    MOST_COUNTS,
    FittedText,
    Mark,
    Piece,
    by_shape,
    depth_of,
    fit,
    sealed,
    strata,
    tolerance,
    weave,
)
from scbench.tasks.contract import Bytes, Counter, Words
from scbench.tasks.draw import Draw
from scbench.types import Role, Span

PIECE = "the needle is here"


class Clumsy:
    """Counts that do not add up: runs of four letters are one token, and a blank joins the word
    after it.
    """

    name = "clumsy"

    def __call__(self, text: str) -> int:
        return len(re.findall(r" ?[a-z]{1,4}|\s|[^a-z\s]", text))


def fitted(
    target: int,
    count: Counter,
    *,
    depth: float = 0.5,
    unit: str = "lorem ipsum dolor sit amet",
    padded: bool = True,
    **more: object,
) -> FittedText:
    pieces = [
        Piece(PIECE, depth, (Mark(4, 10, Role.ANSWER, 0), Mark(0, len(PIECE), Role.SUPPORT, 0)))
    ]

    def filler(i: int) -> str:
        return unit[: 6 + i % len(unit)]

    return fit(
        pieces=pieces,
        filler=filler,
        pad=(lambda steps: " ".join(["pad"] * steps)) if padded else None,
        join="\n",
        head="Head. ",
        tail=" Tail.",
        target=target,
        count=count,
        what="test",
        **more,  # type: ignore[arg-type]
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(20, 20_000), st.sampled_from([Words(), Bytes(), Clumsy()]), st.floats(0, 0.999))
def test_a_length_is_met_and_spans_hold_their_text(
    target: int, count: Counter, depth: float
) -> None:
    if count.name == "bytes" and target < 40:
        return
    found = fitted(target, count, depth=depth)
    assert found.counted == count(found.context)
    assert abs(found.counted - target) <= tolerance(target)
    answer, support = (found.context[span.start : span.stop] for span in found.spans[0])
    assert (answer, support) == ("needle", PIECE)


def test_few_whole_texts_are_counted() -> None:
    counts = 0

    class Watched:
        name = "watched"

        def __call__(self, text: str) -> int:
            nonlocal counts
            counts += 1
            return Clumsy()(text)

    for target in (30, 500, 20_000):
        counts = 0
        fitted(target, Watched())
        assert counts <= MOST_COUNTS + 1  # and the sample of 64 units


def test_a_unit_coarser_than_the_rest_gives_way_to_the_pad_slot() -> None:
    """The pad slot's first step may be longer than what is left: then a unit leaves for it."""
    for target in range(100, 160):
        found = fit(
            pieces=[],
            filler=lambda _: "x" * 19,
            pad=lambda steps: "p" * (12 + steps) if steps else "",
            target=target,
            count=Bytes(),
            what="test",
        )
        assert abs(found.counted - target) <= 4


def test_too_small_says_what_is_needed_and_that_much_is_enough() -> None:
    with pytest.raises(TooSmall) as caught:
        fitted(20, Bytes())
    assert abs(fitted(caught.value.minimum, Bytes()).counted - caught.value.minimum) <= 4


def test_too_large_says_what_there_is_and_that_much_can_be_had() -> None:
    with pytest.raises(TooLarge) as caught:
        fitted(5000, Bytes(), padded=False, max_units=100)
    most = caught.value.maximum
    assert abs(fitted(most, Bytes(), padded=False, max_units=100).counted - most) <= tolerance(most)


def test_a_length_between_two_coarse_units_is_refused_without_a_pad_slot() -> None:
    with pytest.raises(BadConfig, match="nearest"):
        fit(pieces=[], filler=lambda _: "x" * 1000, target=500, count=Bytes(), what="test")


@given(st.lists(st.floats(0, 0.999), min_size=1, max_size=9), st.integers(0, 40))
def test_a_piece_stands_before_the_unit_its_depth_says(depths: list[float], units: int) -> None:
    pieces = [
        Piece(f"P{i}", depth, (Mark(0, 2, Role.SUPPORT, i),)) for i, depth in enumerate(depths)
    ]
    found = weave(pieces, [f"u{i}" for i in range(units)], join=" ", head="<", tail=">")
    words = found.context[1:-1].split(" ")
    assert sorted(words) == sorted(
        [*(f"P{i}" for i in range(len(depths))), *(f"u{i}" for i in range(units))]
    )
    for i, depth in enumerate(depths):
        before = [word for word in words[: words.index(f"P{i}")] if word.startswith("u")]
        assert len(before) == int(depth * (units + 1))
        (span,) = found.spans[i]
        assert found.context[span.start : span.stop] == f"P{i}"


def test_pieces_of_one_place_keep_their_order() -> None:
    assert weave([Piece("b", 0.5), Piece("a", 0.5)], ["u"], join=" ").context == "u b a"


@given(st.integers(1, 60), st.integers(0, 10**6))
def test_strata_hold_one_depth_each(pieces: int, seed: int) -> None:
    assert sorted(int(depth * pieces) for depth in strata(Draw(str(seed)), pieces)) == list(
        range(pieces)
    )


def test_depth_is_the_first_answers_else_the_first_supports_else_none() -> None:
    spans = (
        Span(0, 100, Role.GLOBAL),
        Span(10, 30, Role.SUPPORT),
        Span(40, 60, Role.ANSWER),
        Span(80, 90, Role.ANSWER),
    )
    assert depth_of(spans, 100) == 0.5
    assert depth_of(spans[:2], 100) == 0.2
    assert depth_of(spans[:1], 100) is None


def test_many_turns_take_the_compact_shape_where_only_that_fits() -> None:
    def attempt(small: bool) -> str:
        if not small:
            raise TooSmall("no", minimum=9)
        return "compact"

    assert by_shape(9000, attempt) == "compact"
    assert by_shape(9000, lambda small: "small" if small else "large") == "large"
    assert by_shape(4095, lambda small: "small" if small else "large") == "small"


def test_a_digest_depends_on_every_field() -> None:
    base = {
        "task": "kv",
        "context": "c",
        "turns": (),
        "counted": 1,
        "counter": "words",
        "recipe": {"seed": "1"},
    }
    changes = (
        {"task": "vt"},
        {"context": "d"},
        {"counted": 2},
        {"counter": "bytes"},
        {"recipe": {"seed": "2"}},
    )
    digests = {sealed(**(base | change)).digest for change in ({}, *changes)}  # type: ignore[arg-type]
    assert len(digests) == 6


def test_a_task_is_found_by_each_of_its_names_and_says_the_same_itself() -> None:
    assert len(PAPER) == 12
    assert names() == tuple(TASKS)
    for name in names():
        found = task(name)
        assert task(found.config.upper()) is task(f" {found.title} ") is found
        assert (found.name, found.title) == (name, card(name).title)
        assert name not in found.subtasks or found.subtasks == (name,)


def test_an_unknown_task_is_refused_with_the_nearest() -> None:
    with pytest.raises(Unknown, match=r"did you mean .*'kv'"):
        task("Retr.KW")
    with pytest.raises(Unknown, match="many_shot"):
        task("zzzzzz")
