"""The cost pass: each method alone, warm, on a few sessions per length. A mixed batch says nothing about one method's latency.

For a session and a method, on the first query of the session as a request from the bare context:

    prefill_s    read the context by the method's generation stage
    compress_s   fork: select, encode, build indices
    ttft_warm_s  from handing the query to a stored cache until its first token is known; of a pooled method, from handing it the whole prompt
                 with the context in the pool's memory, and ttft_disk_s with the context on its disk (a miss is ttft_cold)
    ttft_cold_s  prefill + compress + ttft_warm
    tpot_s       one decode step, alone (batch 1)
    held_bytes   shared store + tail after the context was compressed; formula_bytes is the closed form beside it
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean
from typing import Any

from torch import Tensor

from scbench.engines.contract import Engine, Feed
from scbench.errors import ReuseBroken
from scbench.kv import Snapshot
from scbench.kv.fingerprint import fingerprint
from scbench.methods.contract import Generation, Retrieval
from scbench.methods.fork import fork
from scbench.methods.method import Method
from scbench.prompts import Conversation
from scbench.run.blending import Blending, read_context
from scbench.run.decode import best_token
from scbench.run.faults import FAULTS, fault_of
from scbench.run.meter import Measured, measured
from scbench.run.pooled import hit_seconds
from scbench.run.rewriting import rewritten
from scbench.types import Mode, Protocol, Session

STEPS = 8  # decode steps that are timed


def cost_of(
    engine: Engine, session: Session, methods: Sequence[Method], protocol: Protocol, *, repeats: int
) -> list[dict[str, Any]]:
    """A row of repeats per method (fields as `stats.CostRow` names them). The read of a generation stage is timed once for all its
    methods that observe the same: what one method has to see costs no other.

    A method that cannot run, or that raises whatever, is a row with `failure`. Nothing of one method is alive while another is measured,
    but the snapshot they share; methods that are not ours come last, and one that wrote into it is a failure.
    """
    rows: list[dict[str, Any]] = []
    for way in dict.fromkeys(_way(method) for method in methods):
        together = [method for method in methods if _way(method) == way]
        together.sort(key=lambda method: not method.is_ours)
        while together:  # once, but for a method that spoils the read of those after it
            measured_now = _measure_way(engine, session, together, protocol, repeats)
            rows += measured_now
            together = together[len(measured_now) :]
    return rows


def _measure_way(
    engine: Engine,
    session: Session,
    together: Sequence[Method],
    protocol: Protocol,
    repeats: int,
) -> list[dict[str, Any]]:
    """Rows of methods that read alike, in order: of all of them, or up to one that wrote into what
    they share."""
    generation = together[0].generation
    try:
        seen = rewritten(session, generation) if generation.rewrites else session
        talk = Conversation(
            seen, engine.tokenizer, protocol, Mode.MULTI_REQUEST, engine.facts.window_tokens
        )
        ids, query = talk.context.ids, talk.delta(talk.context.ids, talk.prompt(0))
        reads = _reads(engine, together[0], ids, repeats)
    except FAULTS as error:
        return [_failed(method, error) for method in together]
    snapshot = reads[-1].value
    rows: list[dict[str, Any]] = []
    for method in together:
        seal = 0 if method.is_ours else fingerprint(snapshot)
        try:
            method.check(shape=engine.facts.shape, tokens=len(ids))
            rows.append(_row(engine, snapshot, method, query, reads[1:], repeats))
        except FAULTS as error:
            rows.append(_failed(method, error))
        if not method.is_ours and fingerprint(snapshot) != seal:
            why = f"{method} wrote into the cache that it shares with all other methods"
            rows[-1] = _failed(method, ReuseBroken(why))
            break
    snapshot.release()
    return rows


def _reads(
    engine: Engine, method: Method, ids: Sequence[int], repeats: int
) -> list[Measured[Snapshot]]:
    """The context read `repeats` times after a first one that warms up; only the last is held."""
    blending = Blending(engine)  # the read that warms up fills its pool
    reads: list[Measured[Snapshot]] = []
    for _ in range(repeats + 1):
        if reads:
            reads[-1].value.release()
        device = engine.facts.device
        reads.append(measured(device, read_context, engine, method, ids, blending=blending))
    return reads


def _failed(method: Method, error: BaseException) -> dict[str, Any]:
    failure = fault_of(error).failure
    return {"method": str(method), "failure": f"{failure.kind}: {failure.why}"}


def _way(method: Method) -> tuple[Generation, frozenset[str], Retrieval | None]:
    """How a method reads the bare context, and what it observes."""
    return method.generation, method.needs, method.retrieval if method.retrieval.blends else None


def _row(
    engine: Engine,
    snapshot: Snapshot,
    method: Method,
    query: Sequence[int],
    reads: Sequence[Measured[Snapshot]],
    repeats: int,
) -> dict[str, Any]:
    device = engine.facts.device
    forks = [measured(device, fork, snapshot, method) for _ in range(repeats + 1)][1:]
    stream = forks[-1].value
    held_bytes = stream.held_bytes()
    first, steps, loaded, moved = list[Measured[Tensor]](), list[float](), list[int](), list[int]()
    for repeat in range(repeats + 1):
        child = stream.fork()
        asked = measured(device, engine.advance, [Feed(child, query)])
        token = [best_token(asked.value[0], engine.tokenizer)]
        timed = [measured(device, engine.advance, [Feed(child, token)]) for _ in range(STEPS)]
        if repeat:
            first.append(asked)
            steps.append(mean(step.seconds for step in timed))
            loaded.append(child.loaded_bytes // max(1, child.steps))
            moved.append(child.moved_bytes // max(1, child.steps))
    prefill, compress, warm = (
        [one.seconds for one in reads],
        [one.seconds for one in forks],
        [one.seconds for one in first],
    )
    peaks = [
        *(one.peak_bytes for one in reads),
        *(one.peak_bytes for one in forks),
        *(one.peak_bytes for one in first),
    ]
    known_peaks = [peak for peak in peaks if peak is not None]
    tokens, shape = snapshot.logical_tokens, engine.facts.shape
    row: dict[str, Any] = {
        "method": str(method),
        "context_tokens": tokens,
        "prefill_s": prefill,
        "compress_s": compress,
        "ttft_warm_s": warm,
        "ttft_cold_s": [a + b + c for a, b, c in zip(prefill, compress, warm, strict=True)],
        "tpot_s": steps,
        "held_bytes": held_bytes,
        "formula_bytes": method.held_bytes(shape=shape, tokens=tokens),
        "dense_bytes": 2 * shape.token_bytes // max(1, shape.dtype_bytes) * tokens
        + shape.recurrent_bytes,
        "peak_bytes": max(known_peaks, default=None),
        "loaded_bytes": loaded,
        "moved_bytes": moved if method.loading.moves else None,
        "extra_passes": method.extra_passes,
        "simulated": method.simulated,
    }
    if method.retrieval.pooled:
        row |= hit_seconds(engine, method, snapshot, (*snapshot.ids, *query), repeats)
    return row
