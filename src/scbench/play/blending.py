"""Contexts that come from a pool of chunks: what is not stored is read and stored, what is stored
is blended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from scbench.engines.blend import Blend, Blender, blend_flops, dense_pairs
from scbench.engines.contract import Engine
from scbench.engines.local import LocalEngine
from scbench.errors import Mismatch
from scbench.kv import Snapshot
from scbench.kv.pool import Pool
from scbench.methods.contract import is_default
from scbench.methods.method import Method
from scbench.methods.retrieval.blended_chunks import Chunked, chunked
from scbench.prompts import Tokenizer

MIB = 1 << 20
UNFINISHED = "\ufffd"  # how bytes of a sign are decoded before its last one is there
MOST_PARTS = 8  # tokens of one sign; what stays unfinished longer is no text


@dataclass(slots=True)
class Blended:
    """A context put together from chunks. `stored_tokens` were found in the pool, `read_tokens` had
    never been read; `prefix_tokens` is what a prefix store of the same earlier requests would have
    served.
    """

    blend: Blend
    chunks: int
    stored_tokens: int
    read_tokens: int
    prefix_tokens: int
    flops: float
    dense_flops: float

    @property
    def snapshot(self) -> Snapshot:
        return self.blend.snapshot

    @property
    def moved_bytes(self) -> int:
        """Taken from the pool once its chunks are stored: every layer's K and V of every token."""
        return self.snapshot.shape.dense_bytes(self.snapshot.logical_tokens)

    def note(self) -> str:
        """What a record says of it: nothing here depends on what else was played before."""
        return (
            f"blended {self.chunks} stored chunks ({self.moved_bytes / MIB:.1f} MiB): "
            f"{self.blend.computed_share:.1%} of all rows computed, "
            f"{self.flops / self.dense_flops:.1%} of the FLOPs of a dense read "
            f"({self.dense_flops / 1e9:.3g} GFLOP); a prefix store would have served "
            f"{self.prefix_tokens:,} of {self.snapshot.logical_tokens:,} tokens"
        )


def texts_of(ids: Sequence[int], tokenizer: Tokenizer) -> list[str]:
    """The text of each token, its first blank among it; of a sign that is several tokens, all of
    it at the first of them. Put together they are the text.
    """
    texts: list[str] = []
    known: dict[tuple[int, ...], str] = {}
    parts: list[int] = []
    for token in ids:
        parts.append(token)
        one = tuple(parts)
        if one not in known:
            known[one] = tokenizer.decode_on(one)
        if known[one].endswith(UNFINISHED) and len(one) < MOST_PARTS:
            continue
        texts += [known[one], *[""] * (len(one) - 1)]
        parts = []
    return texts + [""] * len(parts)


@dataclass(slots=True)
class Blending:
    """The pools of one session: methods that store the same share them, so a chunk is read once
    however many ratios and modes ask for it.
    """

    engine: Engine
    _blender: Blender | None = None
    _pools: dict[tuple[str, tuple[int, ...]], Pool] = field(default_factory=dict)

    def read(
        self, ids: Sequence[int], stage: Chunked, on_tokens: Callable[[int], None] | None = None
    ) -> Blended:
        """The prefix `ids` by way of the pool. Raises Mismatch for a model that cannot be blended,
        or a context of one chunk.
        """
        blender = self._blender = self._blender or _blender(self.engine)
        borders = [0, *stage.borders(texts_of(ids, self.engine.tokenizer)), len(ids)]
        chunks = [tuple(ids[start:stop]) for start, stop in pairwise(borders)]
        order = stage.order(len(chunks))
        earlier = (
            chunks[0] if order is None else tuple(token for at in order for token in chunks[at])
        )
        pool = self._pool(stage, ids if order is not None else ())
        found = {chunk: _found(stage, pool, chunk) for chunk in chunks}
        missing = [chunk for chunk, piece in found.items() if piece is None]
        if missing:
            if order is None:
                self._store_alone(
                    pool, missing, lead=chunks[0][: stage.lead_tokens], first=chunks[0]
                )
            else:
                self._store_request(pool, [chunks[at] for at in order])
            found |= {chunk: _found(stage, pool, chunk) for chunk in missing}
        pieces = [piece for chunk in chunks if (piece := found[chunk]) is not None]
        assert len(pieces) == len(chunks), "a chunk that was just stored is found"
        made = blender.blend(pieces, stage, read_by=str(stage), on_tokens=on_tokens)
        facts, tokens, layers = self.engine.facts, len(ids), len(made.rows)
        return Blended(
            blend=made,
            chunks=len(chunks),
            stored_tokens=tokens - sum(len(chunk) for chunk in chunks if chunk in missing),
            read_tokens=sum(len(chunk) for chunk in missing),
            prefix_tokens=next(
                (
                    at
                    for at, pair in enumerate(zip(ids, earlier, strict=False))
                    if pair[0] != pair[1]
                ),
                min(tokens, len(earlier)),
            ),
            flops=blend_flops(
                facts, rows=sum(map(len, made.rows)), pairs=made.pairs, layers=layers
            ),
            dense_flops=blend_flops(
                facts, rows=tokens * layers, pairs=dense_pairs(tokens, layers), layers=layers
            ),
        )

    def _pool(self, stage: Chunked, ids: Sequence[int]) -> Pool:
        """Chunks read as part of an earlier request belong to that request: else an answer would
        depend on what was played before.
        """
        key = (stage.kept_as, tuple(ids))
        if key not in self._pools:
            self._pools[key] = stage.pool(self.engine.facts.weights_digest)
        return self._pools[key]

    def _store_alone(
        self,
        pool: Pool,
        chunks: Sequence[tuple[int, ...]],
        *,
        lead: tuple[int, ...],
        first: tuple[int, ...],
    ) -> None:
        """Read every chunk by itself after `lead`, which the first chunk begins with anyway, and
        keep it as if it began at position 0.
        """
        assert self._blender is not None
        for chunk in chunks:
            before = () if chunk == first else lead
            snapshot = self.engine.read((*before, *chunk))
            pool.put(self._blender.piece(snapshot, len(before), len(before) + len(chunk)))

    def _store_request(self, pool: Pool, chunks: Sequence[tuple[int, ...]]) -> None:
        """Read an earlier request that has the chunks in this order, and keep each as if it began
        at position 0.
        """
        assert self._blender is not None
        request, at = self.engine.read([token for chunk in chunks for token in chunk]), 0
        for chunk in chunks:
            pool.put(self._blender.piece(request, at, at + len(chunk)))
            at += len(chunk)


def read_context(
    engine: Engine, method: Method, ids: Sequence[int], *, blending: Blending | None = None
) -> Snapshot:
    """The bare context as a method reads it: densely, by its pattern, or blended from chunks."""
    stage = chunked(method)
    if stage is not None:
        return (blending or Blending(engine)).read(ids, stage).snapshot
    pattern = None if is_default(method.generation) else method.generation
    return engine.read(ids, pattern=pattern, needs=method.needs)


def _blender(engine: Engine) -> Blender:
    if not isinstance(engine, LocalEngine):
        raise Mismatch(
            f"{engine.facts.name} cannot be run layer by layer, so stored chunks cannot be "
            f"blended; use a model of the local engine"
        )
    return Blender(engine)


def _found(stage: Chunked, pool: Pool, chunk: tuple[int, ...]) -> Snapshot | None:
    hit = stage.lookup(pool, chunk)
    if hit is None:
        return None
    return (
        hit.snapshot
        if hit.snapshot.logical_tokens == hit.tokens
        else hit.snapshot.prefix(hit.tokens)
    )
