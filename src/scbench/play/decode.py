"""The one decode loop of the project, and the scheduler that drives many of them together.

A play is a generator: it yields what it wants fed (a `Feed`, or several for streams of its own) and
is sent the logits after it. Methods act only through their stores, so two methods can never stop,
sample or position differently.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from torch import Tensor

from scbench.engines.contract import Engine, Feed
from scbench.errors import CannotWrite, NotFinite
from scbench.kv import Stream
from scbench.play.faults import FAULTS, Fault, fault_of
from scbench.play.sampling import Choose
from scbench.play.saying import Saying
from scbench.prompts import Stops, Thinking, Tokenizer
from scbench.types import Answer, Finish

Wish: TypeAlias = Feed | tuple[Feed, ...]
NO_STOPS = Stops()
Play: TypeAlias = Generator["Wish | Aside", Any, None]


@dataclass(frozen=True, slots=True)
class Aside:
    """A part of a play that goes on by itself from here, on streams of its own.

    A conversation hands over each answer so, and reads its next question meanwhile.
    """

    turn: int  # that the part answers
    play: Generator[Wish, Any, object]


def decode(
    stream: Stream,
    logits_V: Tensor,
    *,
    tokenizer: Tokenizer,
    limit_tokens: int,
    stops: Stops = NO_STOPS,
    thinking: Thinking | None = None,
    choose: Choose | None = None,
) -> Generator[Feed, Tensor, Answer]:
    """An answer, greedy unless `choose` draws its tokens; nothing else in scbench appends generated
    tokens. The end token is never part of the answer.

    The answer is cut where one of `stops` appears in its text. A thought before it has a budget of
    its own, is no part of its text, and does not count for `limit_tokens`. Raises NotFinite where
    no token can be chosen.
    """
    said = Saying(tokenizer, stops, thinking)
    while True:
        token = best_token(logits_V, tokenizer)  # raises where no token can be chosen
        token = token if choose is None else choose(logits_V)
        if token in tokenizer.end_ids:
            return said.answer(Finish.END)
        said.add(token)
        if said.cut is not None:
            return said.answer(Finish.STOP)
        if not said.is_thinking and said.answer_tokens >= limit_tokens:
            return said.answer(Finish.LENGTH)
        logits_V = yield Feed(stream, [token, *said.forced()])


def best_token(logits_V: Tensor, tokenizer: Tokenizer) -> int:
    """The id with the highest logit, the lowest of equals.

    Raises NotFinite if that logit is NaN or infinite (`argmax` takes a NaN for the highest), or
    if the tokenizer has no such id: heads are often padded beyond their tokens.
    """
    token = int(logits_V.argmax())
    logit = float(logits_V[token])
    if not math.isfinite(logit):
        raise NotFinite(
            f"the logit of the best token, {token}, is {logit}; there is no answer to choose"
        )
    known = tokenizer.vocabulary_tokens
    if not 0 <= token < known:
        raise NotFinite(
            f"the best token is id {token:,}, and the tokenizer has ids below {known:,}; the "
            "model's head is wider than its tokenizer, and there is no text for it"
        )
    return token


@dataclass(slots=True)
class Lost:
    """A play that ended with an exception. `is_own`: raised by the play itself, not by a forward it
    shared with others.
    """

    at: int
    fault: Fault
    is_own: bool
    turn: int | None = None  # of a part that went on by itself; None: the play did not get further


@dataclass(slots=True)
class _Running:
    """A play, or a part that it put aside, and what it wants fed next."""

    at: int
    play: Generator[Wish | Aside, Any, object]
    turn: int | None = None
    wish: Wish = ()

    def lost(self, fault: Fault, *, is_own: bool) -> Lost:
        return Lost(self.at, fault, is_own, self.turn)


def drive(
    engine: Engine,
    plays: Sequence[Play],
    *,
    lanes: int,
    on_tokens: Callable[[int], None] | None = None,
    debug: bool = False,
) -> list[Lost]:
    """Run plays to their end, at most `lanes` at a time in one packed forward; a play that ends
    makes room for the next, and parts put aside go before plays that have not begun.

    A forward that fails takes all plays in it down with it (their streams may be half written);
    they come back as `Lost` and the caller may start them again one by one: with one lane nothing
    is packed. `on_tokens` is told tokens as they are fed. With `debug` the first exception is
    raised as it is.
    """
    lost: list[Lost] = []
    waiting = [_Running(at, play) for at, play in enumerate(plays)][::-1]
    running: list[_Running] = []

    def resume(one: _Running, given: Tensor | list[Tensor] | None) -> None:
        if _resumed(one, given, waiting, lost, debug):
            running.append(one)

    while waiting or running:
        while waiting and len(running) < lanes:
            resume(waiting.pop(), None)
        if not running:
            continue
        feeds = [feed for one in running for feed in _feeds(one.wish)]
        logits, fault = _advance(engine, feeds, debug, is_packed=lanes > 1)
        if fault is not None:
            for one in running:
                one.play.close()
                lost.append(one.lost(fault, is_own=len(feeds) == 1))
            running.clear()
            continue
        if on_tokens is not None:
            on_tokens(sum(len(feed.ids) for feed in feeds))
        stepped, rows = list(running), iter(logits)
        running.clear()
        for one in stepped:
            given = [next(rows) for _ in _feeds(one.wish)]
            resume(one, given[0] if isinstance(one.wish, Feed) else given)
    return lost


def _feeds(wish: Wish) -> tuple[Feed, ...]:
    return (wish,) if isinstance(wish, Feed) else wish


def _advance(
    engine: Engine, feeds: list[Feed], debug: bool, *, is_packed: bool
) -> tuple[Sequence[Tensor], Fault | None]:
    """The logits of a packed forward, or what is left of its exception: the frames are gone when
    this returns, and with them what the forward held. Not packed: each feed in a forward of its
    own, which takes least memory."""
    try:
        if is_packed:
            return list(engine.advance(feeds)), None
        return [engine.advance([feed])[0] for feed in feeds], None
    except (CannotWrite, KeyboardInterrupt):
        raise
    except FAULTS as error:
        if debug:
            raise
        return [], fault_of(error)


def _resumed(
    one: _Running,
    given: Tensor | list[Tensor] | None,
    waiting: list[_Running],
    lost: list[Lost],
    debug: bool,
) -> bool:
    """Whether the play goes on: it knows what it wants fed next. Its parts join those who wait."""
    try:
        wish = next(one.play) if given is None else one.play.send(given)
        while isinstance(wish, Aside):
            waiting.append(_Running(one.at, wish.play, wish.turn))
            wish = next(one.play)
    except StopIteration:
        return False
    except CannotWrite:  # the disk failed: no play can go on
        raise
    except FAULTS as error:
        if debug:
            raise
        lost.append(one.lost(fault_of(error), is_own=True))
        return False
    one.wish = wish
    return True
