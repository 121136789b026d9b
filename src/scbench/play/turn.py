"""What a played turn held and used: bytes and slots of its stream, and how much of its evidence."""

from __future__ import annotations

from collections.abc import Sequence

from scbench.kv import CacheShape, Stream
from scbench.kv.stream import share
from scbench.methods.method import Method
from scbench.play.pooled import Served
from scbench.play.rewriting import evidence_left
from scbench.prompts import Rendering, Thinking
from scbench.prompts.tokens import RESTS_ON
from scbench.types import LOOPS, THOUGHT_CLOSED, THOUGHT_OPEN, Answer, Cost, Finish, Session

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


def evidence_kept(
    session: Session,
    shown: Session,
    talk: Rendering,
    turn: int,
    stream: Stream,
    method: Method,
    shape: CacheShape,
) -> float | None:
    """Share of the turn's evidence tokens that the stream still holds, mean over layers and heads.

    `shown` is the session as the method's generation stage lets the model see it. None if there
    is no evidence to look for.
    """
    wanted = [
        at
        for start, stop, role in talk.context.evidence(turn)
        if role in RESTS_ON
        for at in range(start, stop)
    ]
    left = evidence_left(session, shown, turn)
    if not stream.layers or (not wanted and left != 0.0):
        return None
    if method.eviction is None or not wanted:
        return left
    shares = [
        share(wanted, stream.positions(layer, head))
        for layer in stream.layers
        for head in range(shape.layers[layer].kv_heads)
    ]
    return left * sum(shares) / len(shares)
