"""Reads through a pool of prefixes: what is stored is fetched, the rest is read and stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from importlib.metadata import version
from typing import NamedTuple

import torch

from scbench.code import digest_of
from scbench.engines.contract import Engine
from scbench.engines.observe import FIELDS, QUERY_MOMENTS, ROTATION
from scbench.errors import Mismatch
from scbench.kv import Observed, Snapshot
from scbench.kv.pool import PrefixPool
from scbench.methods.contract import is_default
from scbench.methods.method import Method
from scbench.play.played_code import play_code
from scbench.types import CompressAfter

MOMENTS = ("query_mean_HGD", "query_scatter_HGDD", "query_rows")  # one observation in three fields


class Served(NamedTuple):
    """What a stored cache gave a prompt: its tokens, how many of them from disk, and the bytes of
    the files read for it (None: there is no pool).
    """

    tokens: int
    disk_tokens: int | None = None
    read_bytes: int | None = None


@dataclass(slots=True)
class PooledReads:
    """The reads of one cell. `read_context` reads the bare context as the method's generation stage
    does.

    If nothing acts on what was read, any run of whole blocks may be served. If something does (an
    eviction, a codec, an index, a pattern), it must get what a fresh read would have given it, so
    only whole prefixes are served that were stored with what was observed of them, and never less
    than the context.
    """

    engine: Engine
    method: Method
    context_ids: tuple[int, ...]
    read_context: Callable[[], Snapshot]
    pool: PrefixPool
    on_tokens: Callable[[int], None] | None = None
    stores: bool = True
    probe: Snapshot | None = None

    @classmethod
    def begin(
        cls,
        engine: Engine,
        method: Method,
        context_ids: Sequence[int],
        read_context: Callable[[], Snapshot],
        on_tokens: Callable[[int], None] | None = None,
    ) -> PooledReads:
        """A pool of its own that holds the context, read now unless a shared folder has it."""
        pool = method.retrieval.prefix_pool(made_by(engine, method), engine.facts.device)
        reads = cls(engine, method, tuple(context_ids), read_context, pool, on_tokens)
        wanted = (
            len(context_ids)
            if reads.carries is not None
            else len(context_ids) // pool.block_tokens * pool.block_tokens
        )
        if pool.held_tokens(reads.context_ids, carrying=reads.carries) < wanted:
            reads.put(read_context())
        return reads

    @property
    def acts(self) -> bool:
        """Whether a stage makes something of a read prefix that a request then uses."""
        return bool(self.method.compression) or not self.method.reads_all

    @property
    def carries(self) -> frozenset[str] | None:
        """What stored prefixes must carry to be of use; None if any block is."""
        return (
            self.method.needs - {ROTATION}
            if self.acts or not is_default(self.method.generation)
            else None
        )

    def get(self, ids: Sequence[int]) -> tuple[Snapshot, Served]:
        """The prefix `ids` (the context, or a prompt that begins with it), and what of it was
        served.
        """
        is_context = len(ids) == len(self.context_ids)
        hit = self.pool.lookup(
            ids,
            carrying=self.carries,
            leave_tokens=0 if is_context and self.carries is not None else 1,
        )
        if hit is not None and self.carries is not None and hit.tokens < len(self.context_ids):
            hit = None
        if hit is not None:
            base, served = hit.snapshot, Served(hit.tokens, hit.disk_tokens, hit.read_bytes)
        elif self.carries is None and not is_context:
            base, served = None, Served(0, 0, 0)
        else:
            base, served = self.read_context(), Served(0, 0, 0)
            self.put(base)
        if base is not None and base.logical_tokens == len(ids):
            return self._turning(base), served
        rest = ids[base.logical_tokens if base else 0 :]
        snapshot = self.engine.read(
            rest, needs=self.method.needs, base=base, on_tokens=self.on_tokens
        )
        self.put(snapshot)
        return snapshot, served

    def _turning(self, snapshot: Snapshot) -> Snapshot:
        """With the model's rotation, which no file can hold, where the method needs it, or why it
        cannot be had: one token's read knows.
        """
        needs = self.method.needs & {QUERY_MOMENTS, ROTATION}
        if not needs:
            return snapshot
        if self.probe is None:
            self.probe = self.engine.read(snapshot.ids[:1], needs=needs)
        return replace(
            snapshot, rotate=self.probe.rotate, missing={**snapshot.missing, **self.probe.missing}
        )

    def put(self, snapshot: Snapshot) -> None:
        """Store a prefix with no more of its observations than the method needs, so that bytes do
        not depend on what else is in the grid.
        """
        if not self.stores:
            return
        if self.carries is None:
            self.pool.put(snapshot)
            return
        names = {
            name
            for need in self.carries
            for name in (MOMENTS if FIELDS[need] in MOMENTS else (FIELDS[need],))
        }
        hidden: dict[str, int | None] = {
            f.name: 0 if f.name == "query_rows" else None
            for f in fields(Observed)
            if f.name not in names
        }
        seen = {layer: replace(one, **hidden) for layer, one in snapshot.observed.items()}  # type: ignore[arg-type]
        missing = {need: why for need, why in snapshot.missing.items() if need in self.carries}
        self.pool.put(replace(snapshot, observed=seen, missing=missing), carrying=self.carries)

    def close(self) -> None:
        self.pool.close()


def made_by(engine: Engine, method: Method) -> str:
    """All that makes stored caches of equal tokens differ, as JSON: model, dtype, device, code, and
    how the context was read.
    """
    facts, generation = engine.facts, method.generation
    is_dense = is_default(generation)
    said = {
        "weights": facts.weights_digest,
        "dtype": facts.dtype,
        "device": facts.device.split(":")[0],
        "choices": dict(facts.choices),
        "positions": "K as the model turned it, from position 0",
        "read": "dense" if is_dense else str(generation),
        "read_source": "" if is_dense else Method(generation=generation).source_digest,
        "code": digest_of(play_code(engine)),
        "packages": {"torch": torch.__version__, "transformers": version("transformers")},
    }
    return json.dumps(said, sort_keys=True)


def refuse_timing(method: Method, after: CompressAfter) -> None:
    """Raise Mismatch for a read that no stored context can begin."""
    if (
        method.retrieval.traits.is_pooled
        and after is CompressAfter.FIRST_QUERY
        and not method.generation.traits.is_prefix_stable
    ):
        raise Mismatch(
            f"{method.generation} reads the context together with the first query here, so "
            f"{method.retrieval} has no stored context to "
            "begin with; use compress_after=context, or leave one of them out"
        )
