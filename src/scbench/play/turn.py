"""What is to be said of a played turn: what its stream held and used, and how its answer ended."""

from __future__ import annotations

from collections.abc import Sequence

from scbench.kv import CacheShape, Stream
from scbench.methods.method import Method
from scbench.play.pooled import Served
from scbench.prompts import Thinking
from scbench.types import LOOPS, THOUGHT_CLOSED, THOUGHT_OPEN, Answer, Cost, Finish

LOOP_TOKENS, LOOP_TIMES, MOST_PERIOD = 24, 4, 32


def turn_cost(
    stream: Stream, method: Method, served: Served, prompt_tokens: int, shape: CacheShape
) -> Cost:
    """The cost of an answered turn, as its stream counted it; seconds come from the cost pass."""
    steps = stream.steps
    moves = steps and method.tier.traits.has_slow_tier
    return Cost(
        held_bytes=stream.held_bytes(),
        held_accounted_bytes=stream.accounted_bytes(),
        shared_bytes=stream.shared_bytes(),
        loaded_bytes=stream.loaded_bytes // steps if steps else None,
        moved_bytes=stream.moved_bytes // steps if moves else None,
        logical_tokens=stream.logical_tokens,
        stored_tokens=stream.stored_tokens(shape) if stream.layers else None,
        hit_tokens=served.tokens,
        hit_disk_tokens=served.disk_tokens,
        fetched_bytes=served.read_bytes,
        read_tokens=prompt_tokens - served.tokens,
        extra_passes=method.extra_passes,
        simulated=stream.simulated,
    )


def answer_notes(answer: Answer, thinking: Thinking | None) -> tuple[str, ...]:
    """What there is to say of an answer beside its text: a thought that was closed, a loop."""
    is_closed = thinking is not None and answer.thought_tokens >= thinking.budget_tokens
    is_loop = answer.finish is Finish.LENGTH and loops(answer.ids)
    is_open = answer.thought_tokens == len(answer.ids) > 0 and not is_closed
    return (*[THOUGHT_CLOSED] * is_closed, *[THOUGHT_OPEN] * is_open, *[LOOPS] * is_loop)


def loops(ids: Sequence[int]) -> bool:
    """Whether ids end in one run of tokens, said at least four times and in 24 tokens at least.

    >>> loops([7, 1, 2, 3] + [4, 5, 6] * 8), loops([4, 5, 6] * 3), loops(range(40))
    (True, False, False)
    """
    for period in range(1, MOST_PERIOD + 1):
        size = max(LOOP_TOKENS, LOOP_TIMES * period)
        tail = list(ids[-size:])
        if len(tail) == size and tail[period:] == tail[:-period]:
            return True
    return False
