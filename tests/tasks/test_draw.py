"""Seeded chance: the stream is the specified one, and every number it gives is fair."""

from __future__ import annotations

from collections import Counter as Tally
from hashlib import sha256
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scbench.tasks.draw import Draw


def specified(path: str, blocks: int) -> int:
    """The bits of a stream as the specification has them, least significant first."""
    key = sha256(b"scbench-gen/1/" + path.encode()).digest()
    return int.from_bytes(
        b"".join(sha256(key + i.to_bytes(8, "big")).digest() for i in range(blocks)), "little"
    )


@given(st.lists(st.integers(1, 700), max_size=30))
def test_bits_are_those_of_the_specified_blocks_however_they_are_taken(sizes: list[int]) -> None:
    draw, whole = Draw("7:0", "plan"), specified("7:0/plan", sum(sizes) // 256 + 1)
    for size in sizes:
        assert draw.bits(size) == whole & ((1 << size) - 1)
        whole >>= size


@given(st.text(), st.text())
def test_a_child_is_the_stream_of_the_joined_path(first: str, second: str) -> None:
    assert Draw("seed").child(first, second).bits(512) == Draw("seed", first, second).bits(512)


def test_a_parents_draws_do_not_move_its_children() -> None:
    parent = Draw("seed")
    before = parent.child("a").bits(64)
    parent.bits(1000)
    assert parent.child("a").bits(64) == before != parent.child("b").bits(64)


def test_the_units_of_a_filler_have_streams_of_their_own() -> None:
    streams = list(islice(Draw("seed").children("filler"), 12))
    assert [stream.bits(300) for stream in streams] == [
        Draw("seed", "filler", str(i)).bits(300) for i in range(12)
    ]


@given(st.integers(1, 10**30))
def test_numbers_below_n_are_below_n(n: int) -> None:
    draw = Draw("range", str(n))
    assert all(0 <= draw.below(n) < n for _ in range(20))


def test_numbers_are_equally_likely() -> None:
    draw = Draw("fair")
    for source in (
        [draw.below(6) for _ in range(6000)],
        draw.many(6, 6000),
        [int(c) - 1 for c in draw.text("123456", 6000)],
    ):
        assert all(880 < count < 1120 for count in Tally(source).values())
    assert 0.48 < sum(draw.unit() for _ in range(4000)) / 4000 < 0.52


def test_shuffles_and_samples_reach_every_order() -> None:
    draw = Draw("orders")
    shuffled: Tally[tuple[int, ...]] = Tally()
    for _ in range(2400):
        items = [0, 1, 2, 3]
        draw.shuffle(items)
        shuffled[tuple(items)] += 1
    sampled = Tally(tuple(draw.sample(range(4), 2)) for _ in range(2400))
    assert len(shuffled) == 24
    assert min(shuffled.values()) > 60
    assert len(sampled) == 12
    assert min(sampled.values()) > 140


@given(st.integers(0, 60), st.data())
def test_a_sample_has_no_repeats(size: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, size))
    found = Draw("sample", str(size), str(k)).sample(range(size), k)
    assert len(set(found)) == len(found) == k


def test_a_sample_of_a_huge_range_touches_little_of_it() -> None:
    assert len(set(Draw("huge").sample(range(10**12), 5))) == 5


def test_what_cannot_be_drawn_is_an_error() -> None:
    draw = Draw("x")
    for wrong in (
        lambda: draw.below(0),
        lambda: draw.sample([1], 2),
        lambda: draw.many(0, 1),
        lambda: draw.between(3, 3),
    ):
        with pytest.raises(ValueError):
            wrong()


def test_many_numbers_are_a_prefix_of_more() -> None:
    assert Draw("list").many(900, 50) == Draw("list").many(900, 9000)[:50]
    assert max(Draw("wide").many(1 << 20, 5000)) >= 1 << 19


PINNED = ([835, 116, 346, 729], "c2bcc11c", [74, 30, 82], 0.5555750117505514)


def test_the_stream_of_this_version_does_not_change() -> None:
    draw = Draw("7:0", "plan")
    assert (
        [draw.below(1000) for _ in range(4)],
        draw.text("abc123", 8),
        draw.many(100, 3),
        draw.unit(),
    ) == PINNED
