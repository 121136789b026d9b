"""Seconds until the first token of a request whose context a pool has, in memory and on disk."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from scbench.engines.contract import Engine, Feed
from scbench.grid.meter import measured
from scbench.kv import Snapshot
from scbench.methods.fork import fork
from scbench.methods.method import Method
from scbench.play.pooled import PooledReads, Served


def hit_seconds(
    engine: Engine, method: Method, snapshot: Snapshot, prompt_ids: Sequence[int], repeats: int
) -> dict[str, list[float] | None]:
    """Seconds from a prompt to the logits of its first answer token, by repeat.

    The context (`snapshot`) is stored in memory, and in files that the system has dropped from its
    own cache where it can be asked to. None: the pool has no such tier, or no room there.
    """
    reads = PooledReads.begin(engine, method, snapshot.ids, lambda: snapshot)
    reads.stores = False  # a repeat must find what the one before it found

    def answer() -> tuple[Tensor, Served]:
        if not reads.acts:
            found, served = reads.get(prompt_ids)
            return found.logits_V, served
        found, served = reads.get(reads.context_ids)
        return engine.advance([Feed(fork(found, method), prompt_ids[found.logical_tokens :])])[
            0
        ], served

    def timed(on_disk: bool) -> list[float] | None:
        seconds = []
        for repeat in range(repeats + 1):
            if on_disk and reads.pool.disk is not None:
                reads.pool.flush()
                reads.pool.disk.cool()
            one = measured(engine.facts.device, answer)
            served = one.value[1]
            if not served.tokens or bool(served.disk_tokens) is not on_disk:
                return None
            if repeat:  # the first warms up
                seconds.append(one.seconds)
        return seconds

    try:
        memory = timed(False)
        return {
            "ttft_warm_s": memory,
            "ttft_disk_s": None if reads.pool.disk is None else timed(True),
        }
    finally:
        reads.close()
