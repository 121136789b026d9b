"""The one decode loop, and the scheduler that drives many of them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from scbench.engines.contract import Feed
from scbench.kv import Stream
from scbench.play.beside import side_by_side
from scbench.play.decode import NO_STOPS, Aside, Play, decode, drive
from scbench.prompts import ByteTokenizer, Stops
from scbench.types import Answer, Finish

END = 257


def logits(token: int) -> Tensor:
    row = torch.zeros(300)
    row[token] = 1.0
    return row


def said(
    script: str, *, limit_tokens: int = 50, stops: Stops = NO_STOPS, ends: bool = True
) -> tuple[Answer, list[int]]:
    """The answer of a model that would write `script` and then end, and what was fed back to it."""
    tokens = [*script.encode(), *([END] if ends else [])]
    stream = Stream(layers={}, ids=[])
    loop = decode(
        stream,
        logits(tokens[0]),
        tokenizer=ByteTokenizer(),
        limit_tokens=limit_tokens,
        stops=stops,
    )
    fed: list[int] = []
    try:
        feed = next(loop)
        while True:
            assert feed.stream is stream
            fed += feed.ids
            feed = loop.send(logits(tokens[len(fed)]))
    except StopIteration as done:
        answer: Answer = done.value
        return answer, fed


def test_the_end_token_ends_the_answer_and_is_no_part_of_it() -> None:
    answer, fed = said("seven")
    assert (answer.text, answer.finish) == ("seven", Finish.END)
    assert bytes(answer.ids) == b"seven"
    assert bytes(fed) == b"seven"  # each token is fed once, the end token never


def test_an_answer_may_be_empty() -> None:
    assert said("") == (Answer(ids=(), text="", finish=Finish.END), [])


def test_the_limit_counts_new_tokens_and_the_last_is_not_fed() -> None:
    answer, fed = said("seven", limit_tokens=3)
    assert (answer.text, answer.finish) == ("sev", Finish.LENGTH)
    assert bytes(fed) == b"se"


def test_an_answer_that_just_fits_its_limit_ends_by_length() -> None:
    assert said("sev", limit_tokens=3, ends=False)[0].finish is Finish.LENGTH


def test_a_stop_text_cuts_the_answer_before_it() -> None:
    answer, _ = said("seven\n\nand more", stops=Stops(blank_line=True))
    assert (answer.text, answer.finish) == ("seven", Finish.STOP)


def test_a_stop_text_before_any_text_stops_nothing() -> None:
    answer, _ = said("\n\n seven\n\nmore", stops=Stops(blank_line=True))
    assert (answer.text, answer.finish) == ("\n\n seven", Finish.STOP)


def test_a_line_that_announces_the_answer_is_not_the_answer() -> None:
    answer, _ = said("Sure, here it is:\n\nseven\n\nmore", stops=Stops(blank_line=True))
    assert (answer.text, answer.finish) == ("Sure, here it is:\n\nseven", Finish.STOP)


def test_an_invented_question_ends_the_answer_and_a_mention_does_not() -> None:
    answer, _ = said("a Key: of seven\nKey: eight", stops=Stops(questions=("Key:",)))
    assert (answer.text, answer.finish) == ("a Key: of seven", Finish.STOP)


def test_the_end_of_a_turn_in_ordinary_text_ends_even_an_empty_answer() -> None:
    answer, _ = said("### Instruction:\nand?", stops=Stops(turn_ends=("### Instruction:",)))
    assert (answer.text, answer.finish) == ("", Finish.STOP)


def test_without_a_stop_text_blank_lines_are_text() -> None:
    assert said("a\n\nb")[0].text == "a\n\nb"


class Echo:
    """An engine whose logits are the last id fed; notes which streams it saw together, and fails on
    request.
    """

    def __init__(self, *, fails_at: int | None = None) -> None:
        self.fails_at, self.groups = fails_at, list[int]()
        self.facts: Any = None
        self.tokenizer = ByteTokenizer()

    def read(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def advance(self, feeds: Sequence[Feed]) -> Tensor:
        self.groups.append(len(feeds))
        if len(self.groups) == self.fails_at:
            raise RuntimeError("no more")
        return torch.stack([logits(feed.ids[-1]) for feed in feeds])


def counting(
    name: int, steps: int, seen: list[tuple[int, int]], *, breaks_at: int | None = None
) -> Play:
    """Feeds its name `steps` times and checks that it gets its own row back."""
    stream = Stream(layers={}, ids=[])
    for step in range(steps):
        if step == breaks_at:
            raise KeyError("own mistake")
        row = yield Feed(stream, [name])
        assert int(row.argmax()) == name
        seen.append((name, step))


@pytest.mark.parametrize("lanes", [1, 2, 3, 99])
def test_every_play_runs_to_its_end_with_its_own_rows(lanes: int) -> None:
    seen: list[tuple[int, int]] = []
    steps = [3, 1, 5, 2]
    engine = Echo()
    assert (
        drive(
            engine, [counting(name, count, seen) for name, count in enumerate(steps)], lanes=lanes
        )
        == []
    )
    assert sorted(seen) == [
        (name, step) for name, count in enumerate(steps) for step in range(count)
    ]
    assert max(engine.groups) == min(lanes, 4)
    assert sum(engine.groups) == sum(steps)


def test_a_play_that_ends_makes_room_for_the_next() -> None:
    engine = Echo()
    drive(engine, [counting(0, 6, []), *(counting(name, 2, []) for name in (1, 2, 3))], lanes=2)
    assert engine.groups == [2] * 6


def test_a_play_that_wants_nothing_is_no_lane() -> None:
    engine = Echo()
    assert drive(engine, [counting(0, 0, []), counting(1, 2, [])], lanes=1) == []
    assert engine.groups == [1, 1]


def test_a_play_that_raises_is_lost_alone() -> None:
    seen: list[tuple[int, int]] = []
    lost = drive(
        Echo(),
        [
            counting(0, 3, seen),
            counting(1, 3, seen, breaks_at=1),
            counting(2, 3, seen, breaks_at=0),
        ],
        lanes=9,
    )
    assert [(one.at, one.is_own) for one in lost] == [(2, True), (1, True)]
    assert {one.fault.failure.kind for one in lost} == {"crashed"}
    assert all("KeyError" in one.fault.trace for one in lost)
    assert (0, 2) in seen


def test_a_forward_that_fails_takes_all_in_it_and_no_other() -> None:
    seen: list[tuple[int, int]] = []
    lost = drive(Echo(fails_at=2), [counting(name, 3, seen) for name in range(4)], lanes=2)
    assert [(one.at, one.is_own) for one in lost] == [(0, False), (1, False)]
    assert {name for name, step in seen if step == 2} == {2, 3}


def test_a_forward_that_fails_with_one_play_is_that_plays_own() -> None:
    (lost,) = drive(Echo(fails_at=1), [counting(0, 1, [])], lanes=5)
    assert lost.is_own


def test_an_interrupt_is_no_lost_play() -> None:
    def interrupted() -> Play:
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt):
        drive(Echo(), [interrupted()], lanes=1)


def test_two_parts_of_a_play_are_fed_in_the_same_forwards_and_end_apart() -> None:
    """The long part takes three steps, the short one rides along in the first."""
    packed: list[list[int]] = []

    class Counting:
        def advance(self, feeds: Sequence[Feed]) -> list[Tensor]:
            packed.append([len(feed.ids) for feed in feeds])
            for feed in feeds:
                feed.stream.ids.extend(feed.ids)
            return [logits(feed.ids[-1]) for feed in feeds]

    def part(stream: Stream, feeds: list[list[int]]) -> Generator[Feed, Tensor, list[int]]:
        best = []
        for ids in feeds:
            row = yield Feed(stream, ids)
            best.append(int(row.argmax()))
        return best

    ended: list[tuple[list[int], list[int]]] = []
    long, short = Stream(layers={}, ids=[]), Stream(layers={}, ids=[])

    def play() -> Play:
        both = yield from side_by_side(part(long, [[1], [2], [3]]), part(short, [[4, 5]]))
        ended.append(both)

    def empty() -> Play:
        ended.append((yield from side_by_side(part(long, []), part(short, []))))

    assert drive(Counting(), [play(), empty()], lanes=2) == []  # type: ignore[arg-type]
    assert packed == [[1, 2], [1], [1]]
    assert ended == [([], []), ([1, 2, 3], [5])]
    assert (long.ids, short.ids) == ([1, 2, 3], [4, 5])


def test_a_part_put_aside_goes_on_while_its_play_does_and_fails_alone() -> None:
    """The play reads two questions; the first answer takes two steps beside the second."""
    engine = Echo()
    seen: list[tuple[int, int]] = []

    def conversation() -> Play:
        yield Feed(Stream(layers={}, ids=[]), [1])
        yield Aside(0, counting(10, 2, seen))
        yield Feed(Stream(layers={}, ids=[]), [2])
        yield Aside(1, counting(11, 2, seen, breaks_at=0))

    (lost,) = drive(engine, [conversation()], lanes=4)
    assert engine.groups == [1, 2, 1]  # one after the other these are 1, 1, 1, 1
    assert (lost.at, lost.turn, lost.is_own) == (0, 1, True)
    assert [name for name, _ in seen] == [10, 10]
