"""Two parts of a play in the same forwards: an answer, and the gold one beside it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TypeVar, cast

from torch import Tensor

from scbench.engines.contract import Feed

One = TypeVar("One")
Other = TypeVar("Other")


def side_by_side(
    first: Generator[Feed, Tensor, One], second: Generator[Feed, Tensor, Other]
) -> Generator[tuple[Feed, ...], Sequence[Tensor], tuple[One, Other]]:
    """Two parts of a play on streams of their own, fed in the same forwards; what both return.

    One that ends leaves the other alone. Neither may feed the other's stream.
    """
    parts: list[Generator[Feed, Tensor, object]] = [first, second]
    results: dict[int, object] = {}
    logits: dict[int, Tensor | None] = {0: None, 1: None}
    while True:
        feeds: dict[int, Feed] = {}
        for at, given in logits.items():
            try:
                feeds[at] = next(parts[at]) if given is None else parts[at].send(given)
            except StopIteration as end:
                results[at] = end.value
        if not feeds:
            return cast("One", results[0]), cast("Other", results[1])
        logits = dict(zip(feeds, (yield tuple(feeds.values())), strict=True))
