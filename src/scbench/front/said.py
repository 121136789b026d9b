"""What came of a question to a text: the answer, and what the cache took that gave it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean
from typing import TYPE_CHECKING, NamedTuple

from scbench.kv.accounting import counted_shape

if TYPE_CHECKING:
    from scbench.kv import CacheShape, Stream
    from scbench.play.contract import Reply, Step
    from scbench.play.sources import Opened, Source
    from scbench.types import Finish


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An answer, and what it took. Bytes count 16-bit numbers, as in a run's tables.

    What dense would hold or load is of the whole text: a method that leaves words out is held
    against the text as it was given. A quarter kept is `context_bytes / dense_context_bytes` near
    0.25; `held_bytes` grows by question and answer, so its share is larger.
    """

    text: str
    ids: tuple[int, ...]
    finish: Finish
    seconds: float  # from the question to the last token, the text being read
    seconds_a_token: float | None  # after the first; None where there is no second
    context_bytes: int  # right after the text was compressed (after="first-query": with a question)
    dense_context_bytes: int
    held_bytes: int | None  # by the stream, after the last token
    dense_bytes: int  # what dense would hold then
    loaded_bytes: int | None  # per decode step; None: no step was decoded, or nothing attends
    dense_loaded_bytes: int | None  # what dense would load in these steps
    # Slots held after the last token, the mean over layers and KV heads: these may hold differently
    # many, so it need not be whole. None for a model without attention.
    kept_tokens: float | None
    seen_tokens: int
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.text


class AfterContext(NamedTuple):
    """A stream right after what its method compresses was read."""

    accounted_bytes: int
    tokens: int  # seen


@dataclass(slots=True)
class NotedSource:
    """A source that notes the first stream it hands out, before anything is asked of it."""

    source: Source
    noted: AfterContext | None = None

    def open(self, step: Step, parent: Stream | None) -> Opened:
        opened = self.source.open(step, parent)
        if parent is None:
            stream = opened.stream
            self.noted = AfterContext(stream.accounted_bytes(), stream.logical_tokens)
        return opened

    def grow(self, stream: Stream, ids: Sequence[int]) -> Stream | None:
        return self.source.grow(stream, ids)

    def ready(self) -> None:
        self.source.ready()

    def close(self) -> None:
        self.source.close()


def said_of(
    reply: Reply,
    context: AfterContext,
    *,
    shape: CacheShape,
    lost_tokens: int,
    seconds: float,
    stamps: Sequence[float],
) -> Said:
    """The answer with what it took. `lost_tokens` of the text were never shown to the model, and
    `stamps` are the times at which question and answer tokens had been fed."""
    assert reply.answer is not None, "the last turn was asked"
    answer, cost, counted = reply.answer, reply.cost, counted_shape(shape)
    seen = cost.logical_tokens or 0
    steps = seen - reply.prompt_tokens
    is_loaded = bool(shape.attention_layers) and steps > 0
    # Step i of an answer reads the prompt and i tokens: (steps + 1) / 2 on average.
    twice_tokens = 2 * (reply.prompt_tokens + lost_tokens) + steps + 1
    between = [after - before for before, after in pairwise(stamps)]
    return Said(
        text=answer.text,
        ids=answer.ids,
        finish=answer.finish,
        seconds=seconds,
        seconds_a_token=mean(between) if between else None,
        context_bytes=context.accounted_bytes,
        dense_context_bytes=counted.dense_bytes(context.tokens + lost_tokens),
        held_bytes=cost.held_accounted_bytes,
        dense_bytes=counted.dense_bytes(seen + lost_tokens),
        loaded_bytes=cost.loaded_bytes if is_loaded else None,
        dense_loaded_bytes=counted.token_bytes * twice_tokens // 2 if is_loaded else None,
        kept_tokens=cost.stored_tokens,
        seen_tokens=seen,
        notes=reply.notes,
    )
