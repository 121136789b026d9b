"""Where the cache of a prompt's beginning comes from: the session's own read, or a pool.

The retrieval stage decides which source a method has. A source hands out streams of its method, so
it is also where compression and loading act: once, over the context, or over context and first
query (`Protocol.compress_after`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from torch import Tensor

from scbench.kv import Stream, sealed
from scbench.methods.again import with_budget_of
from scbench.methods.fork import fork
from scbench.methods.method import Method
from scbench.play.contract import Step
from scbench.play.pooled import PooledReads, Served
from scbench.play.reads import Reads
from scbench.prompts import Rendering
from scbench.types import CompressAfter


class Opened(NamedTuple):
    """A stream over the beginning of a prompt; `logits_V` are those after its last token, None
    where some of the prompt is still to be fed."""

    stream: Stream
    logits_V: Tensor | None
    served: Served


class Source(Protocol):
    """Serves the steps of one cell."""

    def open(self, step: Step, parent: Stream | None) -> Opened:
        """A stream that `step` may write to; `parent` is the state it goes on from, used up."""
        ...

    def grow(self, stream: Stream, ids: Sequence[int]) -> Stream | None:
        """`stream` with material `ids` read into it, where a compression acts on all of it again;
        None where nothing does, and the material is simply appended."""
        ...

    def ready(self) -> None:
        """Read and compress now what no question is needed for, so that it is in no one's time."""
        ...

    def close(self) -> None: ...


class Own:
    """The read of the same session, made once for all methods that read alike.

    Requests that share a context are served it; a conversation reads it itself.
    """

    def __init__(self, reads: Reads, method: Method, talk: Rendering, after: CompressAfter) -> None:
        self.reads = reads
        self.method = method
        self.talk = talk
        self.after = after
        self._context: Stream | None = None  # compressed once: all requests look at the same store

    def open(self, step: Step, parent: Stream | None) -> Opened:
        if parent is not None:
            return Opened(parent, None, Served(parent.logical_tokens))
        is_shared = step.parent is not None
        if self.after is CompressAfter.FIRST_QUERY:
            snapshot = self.reads.with_query(self.method, self.talk, step.prompt)
            served = Served(len(self.talk.context.ids) if is_shared else 0)
            return Opened(fork(snapshot, self.method), snapshot.logits_V, served)
        stream = self._compressed().fork()
        return Opened(stream, None, Served(stream.logical_tokens if is_shared else 0))

    def grow(self, stream: Stream, ids: Sequence[int]) -> Stream | None:
        """The read goes on from what the stream still holds, gaps and all, and is observed; the
        budget is that of all tokens seen."""
        eviction = self.method.eviction
        if eviction is None or not stream.layers:
            return None
        engine = self.reads.engine
        base = sealed(stream, engine.facts.shape)
        snapshot = engine.read(ids, needs=self.method.needs, base=base)
        snapshot.evidence = self.talk.context.rests_on()
        return fork(snapshot, with_budget_of(self.method, snapshot.logical_tokens))

    def ready(self) -> None:
        if self.after is CompressAfter.CONTEXT:
            self._compressed()
        elif self.method.generation.traits.is_prefix_stable:
            self.reads.context(self.method, self.talk)

    def _compressed(self) -> Stream:
        if self._context is None:
            self._context = fork(self.reads.context(self.method, self.talk), self.method)
        return self._context

    def close(self) -> None:
        """Nothing of its own: the snapshots belong to `Reads`."""


class Pooled:
    """A pool that begins with the context: every request is looked up in it, and what it adds is
    stored. What a stage makes of a prefix is made for each request anew; a conversation goes on
    with what was made of its first turn."""

    def __init__(
        self, pooled: PooledReads, method: Method, talk: Rendering, after: CompressAfter
    ) -> None:
        self.pooled = pooled
        self.method = method
        self.talk = talk
        self.after = after

    def open(self, step: Step, parent: Stream | None) -> Opened:
        acts = self.pooled.acts
        if parent is not None and acts:
            return Opened(parent, None, Served(parent.logical_tokens))
        if acts and self.after is CompressAfter.CONTEXT:
            snapshot, served = self.pooled.get(self.talk.context.ids)
            snapshot.evidence = self.talk.context.rests_on()
            return Opened(fork(snapshot, self.method), None, served)
        snapshot, served = self.pooled.get(step.prompt.ids)
        snapshot.evidence = self.talk.context.rests_on()
        snapshot.question_tokens = len(step.prompt.ids) - len(self.talk.context.ids)
        return Opened(fork(snapshot, self.method), snapshot.logits_V, served)

    def grow(self, stream: Stream, ids: Sequence[int]) -> Stream | None:
        """Material is looked up in the pool like any prompt; what is left is read."""
        return None

    def ready(self) -> None:
        """The pool holds the context since it was made; what is made of it is made anew."""

    def close(self) -> None:
        self.pooled.close()


def pooled_source(reads: Reads, method: Method, talk: Rendering, after: CompressAfter) -> Pooled:
    """A pool of its own that holds the context, read now unless a shared folder has it."""
    ids = talk.context.ids
    pooled = PooledReads.begin(
        reads.engine, method, ids, lambda: reads.read(ids, method.generation), reads.on_tokens
    )
    return Pooled(pooled, method, talk, after)
