"""Laws of where things stand: what was dropped leaves gaps, and what is reused is turned anew."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import torch

from scbench.engines.local import LocalEngine
from scbench.engines.tiny import TURNS, tiny
from scbench.exam.law import (
    CONTEXT_TOKENS,
    OTHER,
    QUERY,
    Idle,
    context,
    far,
    law,
    logits,
    need,
    opened,
    read,
)
from scbench.exam.masked_model import frequencies, masked_logits, turned
from scbench.kv import Snapshot
from scbench.methods.contract import ROTATION
from scbench.methods.fork import fork
from scbench.methods.method import Method
from scbench.methods.retrieval.blended_chunks import Chunked, chunked
from scbench.play.blending import Blending, texts_of

PIECES = (QUERY, (9,), OTHER, (8,))


@law("an eviction is dense attention with what it dropped masked by hand")
def eviction_is_a_mask(engine: LocalEngine, method: Method) -> None:
    if method.eviction is None:
        raise Idle("nothing is evicted")
    if method.codec is not None or not method.reads_all:
        raise Idle("another stage stands between what is kept and what is read")
    if method.generation.traits.governs_decoding:
        raise Idle("its generation stage says what is read after the context")
    snapshot = read(engine, method, context())
    stream = fork(snapshot, method)
    closes_up = ROTATION in method.eviction.needs
    ours, masked = masked_logits(engine, snapshot, stream, PIECES, closes_up=closes_up)
    worst = far(ours, masked)
    need(
        worst < 2e-3,
        f"{method} differs by {worst:.3g} in its logits from a dense cache in which the slots it "
        f"dropped are masked by hand, at the positions of the {CONTEXT_TOKENS} tokens it has seen",
    )


@law("what follows a context stands right after it, held or not")
def positions_are_logical(engine: LocalEngine, method: Method) -> None:
    stream = opened(engine, method)
    seen: list[int] = []
    hook = engine.model.base_model.register_forward_pre_hook(
        lambda _, args, words: seen.extend(words["position_ids"].flatten().tolist()),
        with_kwargs=True,
    )
    try:
        logits(engine, stream, QUERY, (9,), OTHER)
    finally:
        hook.remove()
    wanted = list(range(CONTEXT_TOKENS, CONTEXT_TOKENS + len(seen)))
    need(
        seen == wanted,
        f"{method}: tokens after {CONTEXT_TOKENS} were given positions {seen[:3]} ...; they stand "
        f"at {wanted[:3]} ..., whatever is held of the context",
    )


class AsStored:
    """A stage that blends, but computes nothing anew: what is found is put side by side."""

    writes = False

    def __init__(self, stage: Chunked) -> None:
        self._stage = stage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stage, name)

    def rows_at(self, layer: int, *, layers: int, tokens: int) -> int:
        return 1


turning = cache(tiny)


@law("keys of every reused chunk are turned to where they stand")
def reused_keys_are_turned(engine: LocalEngine, method: Method) -> None:
    stage = chunked(method)
    if stage is None:
        raise Idle("no stored chunk is reused")
    _need_turned(engine, method, stage, "default")
    if engine.facts.shape.alike.group > 1:  # once is enough, whatever the heads
        for name in TURNS:
            _need_turned(turning(name), method, stage, name)


def _need_turned(engine: LocalEngine, method: Method, stage: Chunked, name: str) -> None:
    """Keys of chunks side by side are those of each chunk where it was read, moved by complex
    numbers."""
    ids = context()
    kept: Any = AsStored(stage)
    whole = Blending(engine).read(ids, kept).snapshot
    for start, stop, (alone, begins) in _chunks(engine, stage, ids):
        by = torch.full((stop - start,), start - begins)
        for layer in whole.layers:
            cut = slice(begins, begins + stop - start)
            found = whole.view(layer).k_HSD[:, start:stop]
            for head, k_SD in enumerate(alone.view(layer).k_HSD[:, cut]):
                worst = far(found[head], turned(k_SD, by, frequencies(engine)))
                need(
                    worst < 1e-3,
                    f"{method}, {name} rotation: keys of the chunk at {start} to {stop} are "
                    f"{worst:.3g} off in layer {layer} from those it was read with, turned by "
                    f"{start - begins} positions",
                )


def _chunks(
    engine: LocalEngine, stage: Chunked, ids: list[int]
) -> list[tuple[int, int, tuple[Snapshot, int]]]:
    """[start, stop) of every chunk, the read it is taken from, and where it begins in that."""
    borders = [0, *stage.borders(texts_of(ids, engine.tokenizer)), len(ids)]
    spans = list(itertools.pairwise(borders))
    order = stage.order(len(spans))
    if order is None:
        lead = ids[: stage.lead_tokens]
        alone = [
            (engine.read([*lead, *ids[start:stop]]), len(lead)) if start else (engine.read(ids), 0)
            for start, stop in spans
        ]
        return [(*span, one) for span, one in zip(spans, alone, strict=True)]
    request = engine.read([token for at in order for token in ids[slice(*spans[at])]])
    begins, at = {}, 0
    for number in order:
        begins[number] = at
        at += spans[number][1] - spans[number][0]
    return [(*span, (request, begins[number])) for number, span in enumerate(spans)]
