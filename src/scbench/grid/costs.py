"""The cost pass: each method alone, warm, on a few sessions per length. A mixed batch says nothing
about one method's latency.

For a session and a method, on the first query of the session as a request from the bare context:

    prefill_s    read the context by the method's generation stage
    compress_s   fork: select, encode, build indices
    ttft_warm_s  from handing the query to a stored cache until its first token is known; of a
                 pooled method, from handing it the whole prompt with the context in the pool's
                 memory, and ttft_disk_s with the context on its disk (a miss is ttft_cold)
    ttft_cold_s  prefill + compress + ttft_warm
    tpot_s       one decode step, alone (batch 1)
    held_bytes   shared store + tail after the context was compressed, as allocated
    formula_bytes           the closed form beside it
    held_accounted_bytes    held_bytes in the accounting dtype (kv/accounting.py)
    end_accounted_bytes     after all questions and history of the session
    dense_bytes  what dense holds of the whole context, counted alike
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from statistics import mean
from typing import Any

from torch import Tensor

from scbench.engines.contract import Engine, Feed
from scbench.errors import ReuseBroken, ScbenchError
from scbench.grid.hit_seconds import hit_seconds
from scbench.grid.meter import Measured, measured
from scbench.kv import Snapshot, Stream
from scbench.kv.accounting import counted_in, counted_shape, in_force
from scbench.kv.fingerprint import fingerprint
from scbench.methods.contract import Generation, Retrieval
from scbench.methods.fork import fork
from scbench.methods.method import Method
from scbench.play.blending import Blending, read_context
from scbench.play.decode import best_token
from scbench.play.faults import FAULTS, fault_of
from scbench.play.guard import torch_state_kept
from scbench.play.rewriting import rewritten
from scbench.play.voices import Voices
from scbench.prompts import Conversation
from scbench.types import Accounting, Mode, Protocol, Session

STEPS = 8  # decode steps that are timed


def cost_of(
    engine: Engine,
    session: Session,
    methods: Sequence[Method],
    protocol: Protocol,
    *,
    repeats: int,
    voices: Voices | None = None,
) -> list[dict[str, Any]]:
    """A row of repeats per method (fields as `stats.CostRow` names them). The read of a generation
    stage is timed once for all its methods that observe the same: what one method has to see costs
    no other.

    A method that cannot run, or that raises whatever, is a row with `failure`. Nothing of one
    method is alive while another is measured, but the snapshot they share; methods that are not
    ours come last, and one that wrote into it is a failure.
    """
    rows: list[dict[str, Any]] = []
    for way in dict.fromkeys(_way(method) for method in methods):
        together = [method for method in methods if _way(method) == way]
        together.sort(key=lambda method: not method.is_ours)
        while together:  # once, but for a method that spoils the read of those after it
            measured_now = _measure_way(engine, session, together, protocol, repeats, voices)
            rows += measured_now
            together = together[len(measured_now) :]
    return rows


def _measure_way(
    engine: Engine,
    session: Session,
    together: Sequence[Method],
    protocol: Protocol,
    repeats: int,
    voices: Voices | None,
) -> list[dict[str, Any]]:
    """Rows of methods that read alike, in order: of all of them, or up to one that wrote into what
    they share."""
    generation = together[0].generation
    try:
        seen = rewritten(session, generation) if generation.traits.is_rewriting else session
        talk = _talk(engine, seen, protocol, Mode.MULTI_REQUEST)
        ids, query = talk.context.ids, talk.delta(talk.context.ids, talk.prompt(0))
        whole_tokens = len(ids)
        if generation.traits.is_rewriting:
            whole_tokens = len(_talk(engine, session, protocol, Mode.MULTI_REQUEST).context.ids)
        rest = _rest(engine, seen, protocol, ids)
        reads = _reads(engine, together[0], ids, repeats)
    except FAULTS as error:
        return [_failed(method, error) for method in together]
    snapshot = reads[-1].value
    snapshot.evidence = talk.context.rests_on()
    rows: list[dict[str, Any]] = []
    for method in together:
        seal = 0 if method.is_ours else fingerprint(snapshot)
        voice = nullcontext() if voices is None or method.is_ours else voices.of(str(method))
        with voice, torch_state_kept() as changed:
            try:
                method.check(shape=engine.facts.shape, tokens=len(ids))
                row = _row(engine, snapshot, method, query, reads[1:], repeats)
                rows.append(row | _accounted(engine, snapshot, method, whole_tokens, rest))
            except FAULTS as error:
                rows.append(_failed(method, error))
        if changed:
            why = f"{method} changed {' and '.join(changed)} of torch, which all methods share"
            rows[-1] = _failed(method, ReuseBroken(why))
        if not method.is_ours and fingerprint(snapshot) != seal:
            why = f"{method} wrote into the cache that it shares with all other methods"
            rows[-1] = _failed(method, ReuseBroken(why))
            break
    snapshot.release()
    return rows


def _talk(engine: Engine, session: Session, protocol: Protocol, mode: Mode) -> Conversation:
    return Conversation(session, engine.tokenizer, protocol, mode, engine.facts.window_tokens)


def _rest(
    engine: Engine, session: Session, protocol: Protocol, context: tuple[int, ...]
) -> tuple[int, ...]:
    """What a conversation adds to the context until its last question is asked; empty where the
    conversation is rendered otherwise than a request."""
    try:
        talk = _talk(engine, session, protocol, Mode.MULTI_TURN)
        answers = [turn.gold for turn in session.turns[:-1]]
        return talk.delta(context, talk.prompt(len(session.turns) - 1, answers))
    except ScbenchError:
        return ()


def _accounted(
    engine: Engine,
    snapshot: Snapshot,
    method: Method,
    whole_tokens: int,
    rest: tuple[int, ...],
) -> dict[str, Any]:
    """Bytes in the accounting dtype: after the context, at the session's end, and dense's."""
    stream = fork(snapshot, method)
    row: dict[str, Any] = {
        "accounting": str(in_force()),
        "held_accounted_bytes": stream.accounted_bytes(),
        "dense_bytes": counted_shape(engine.facts.shape).dense_bytes(whole_tokens),
    }
    if rest:
        engine.advance([Feed(stream, rest)])
        row["end_accounted_bytes"] = stream.accounted_bytes()
    return row


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
    return (
        method.generation,
        method.needs,
        method.retrieval if method.retrieval.traits.is_blended else None,
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """One query to a copy of a compressed cache, and a few tokens after it."""

    first: Measured[Tensor | list[Tensor]]
    step_seconds: float  # mean over STEPS tokens
    loaded_bytes: int  # per step
    moved_bytes: int  # per step


def _asked(engine: Engine, stream: Stream, query: Sequence[int]) -> _Asked:
    child = stream.fork()
    first = measured(engine.facts.device, engine.advance, [Feed(child, query)])
    feed = [Feed(child, [best_token(first.value[0], engine.tokenizer)])]
    timed = [measured(engine.facts.device, engine.advance, feed) for _ in range(STEPS)]
    steps = max(1, child.steps)
    return _Asked(
        first=first,
        step_seconds=mean(step.seconds for step in timed),
        loaded_bytes=child.loaded_bytes // steps,
        moved_bytes=child.moved_bytes // steps,
    )


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
    with counted_in(Accounting.STORE):  # what the warm-up loads is counted as allocated
        warm_up = _asked(engine, stream, query)
    asked = [_asked(engine, stream, query) for _ in range(repeats)]
    prefill = [one.seconds for one in reads]
    compress = [one.seconds for one in forks]
    firsts = [one.first for one in asked]
    warm = [one.seconds for one in firsts]
    peaks = [one.peak_bytes for measure in (reads, forks, firsts) for one in measure]
    known_peaks = [peak for peak in peaks if peak is not None]
    tokens, shape = snapshot.logical_tokens, engine.facts.shape
    row: dict[str, Any] = {
        "method": str(method),
        "context_tokens": tokens,
        "prefill_s": prefill,
        "compress_s": compress,
        "ttft_warm_s": warm,
        "ttft_cold_s": [a + b + c for a, b, c in zip(prefill, compress, warm, strict=True)],
        "tpot_s": [one.step_seconds for one in asked],
        "held_bytes": held_bytes,
        "formula_bytes": method.held_bytes(
            shape=shape, tokens=tokens, held=stream.slots_held(shape.kv_heads)
        ),
        "peak_bytes": max(known_peaks, default=None),
        "loaded_bytes": warm_up.loaded_bytes,
        "loaded_accounted_bytes": [one.loaded_bytes for one in asked],
        "moved_bytes": [one.moved_bytes for one in asked]
        if method.tier.traits.has_slow_tier
        else None,
        "extra_passes": method.extra_passes,
        "simulated": method.is_simulated,
    }
    if method.retrieval.traits.is_pooled:
        row |= hit_seconds(engine, method, snapshot, (*snapshot.ids, *query), repeats)
    return row
