"""A model tried on a few tokens when it is loaded: our attention must give what its own gives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch

from scbench.engines.contract import Feed, ModelFacts
from scbench.engines.dispatch import OURS
from scbench.engines.foreign import is_out_of_memory, reason
from scbench.engines.local import LocalEngine
from scbench.engines.recurrent import States
from scbench.errors import Mismatch, OutOfDevice, ScbenchError
from scbench.kv import Snapshot

PROBE_TOKENS = 24
NEW_TOKENS = 8  # of them, fed to forks


@contextmanager
def trying(name: str, architecture: str) -> Iterator[None]:
    """Turn whatever a model of an unknown build raises into a refusal that names it."""
    try:
        yield
    except ScbenchError:
        raise
    except Exception as err:
        if is_out_of_memory(err):
            raise OutOfDevice(f"{name}: no memory left to try it on a few tokens") from err
        raise Mismatch(
            f"{name} ({architecture}) cannot be run by the local engine: it failed on a few "
            f"tokens ({reason(err)})"
        ) from err


def check_logits(engine: LocalEngine, reference: torch.Tensor) -> None:
    """Read, fork and extend a few tokens; raise Mismatch unless the logits are the model's own."""
    ids = probe_ids(engine.model)
    snapshot = engine.read(ids[:-NEW_TOKENS])
    check_cache(engine, snapshot)
    streams = [snapshot.fork(), snapshot.fork()]
    feeds = [Feed(streams[0], ids[-NEW_TOKENS:]), Feed(streams[1], ids[-NEW_TOKENS:-4])]
    ours = engine.advance(feeds)
    is_exact = reference.dtype == torch.float32 and engine.facts.dtype == "float32"
    tolerance = 2e-3 if is_exact else 0.15
    whole = float((ours[0] - reference[-1]).abs().max())
    part = float((ours[1] - reference[-5]).abs().max())
    scale = max(1.0, float(reference.abs().max()))
    if not max(whole, part) <= tolerance * scale:
        raise Mismatch(
            f"{engine.facts.name} ({engine.facts.architecture}) gives other logits through the "
            f"local engine than by itself (largest difference {max(whole, part):.3g} on {len(ids)} "
            "tokens); its attention does something the engine does not know of"
        )


def check_cache(engine: LocalEngine, snapshot: Snapshot) -> None:
    """Raise Mismatch unless the K and V that arrived are those of which bytes are counted."""
    for layer, stores in snapshot.layers.items():
        own = engine.facts.shape.layers[layer]
        for word, dim in (("k_HSD", own.key_dim), ("v_HSD", own.value_dim)):
            x = getattr(stores[0], word)
            told = (own.kv_heads, snapshot.logical_tokens, dim)
            if tuple(x.shape) == told and x.element_size() == own.dtype_bytes:
                continue
            raise Mismatch(
                f"{engine.facts.name} ({engine.facts.architecture}) has {word[0].upper()} of "
                f"{tuple(x.shape)} in layer {layer} ({x.element_size()} bytes a number), and its "
                f"configuration says {told} ({own.dtype_bytes}); its bytes cannot be counted"
            )


def probe_ids(model: Any) -> list[int]:
    """The same few ids for ever, spread over the vocabulary."""
    vocabulary = model.config.get_text_config(decoder=True).vocab_size
    return [(7919 * (at + 1)) % (vocabulary - 1) + 1 for at in range(PROBE_TOKENS)]


@torch.inference_mode()
def own_logits(model: Any, implementation: str) -> torch.Tensor:
    """The logits of the probe's tokens by the model's own attention."""
    if implementation == OURS:
        model.set_attn_implementation("eager")
    ids = torch.tensor([probe_ids(model)], device=next(model.parameters()).device)
    logits: torch.Tensor = model(input_ids=ids, use_cache=False).logits[0].float()
    return logits


def with_recurrent_bytes(engine: LocalEngine) -> ModelFacts:
    """The facts, knowing what the states of the recurrent layers hold."""
    snapshot = engine.read(probe_ids(engine.model)[:4])
    assert isinstance(snapshot.recurrent, States)
    held = {
        at: sum(x.numel() * x.element_size() for x in tensors)
        for at, tensors in snapshot.recurrent.by_layer().items()
    }
    return replace(engine.facts, shape=engine.facts.shape.with_states(held))


def restarts(engine: LocalEngine) -> bool:
    """Whether a forward of several tokens forgets the recurrent states before it.

    Mamba layers do whose scan takes no initial state.
    """
    ids = probe_ids(engine.model)
    once = engine.read(ids[:-4]).fork()
    one_by_one = engine.read(ids[:-4]).fork()
    engine.advance([Feed(once, ids[-4:])])
    for token in ids[-4:]:
        engine.advance([Feed(one_by_one, [token])])
    assert once.recurrent is not None
    assert one_by_one.recurrent is not None
    tolerance = 1e-3 if engine.facts.dtype == "float32" else 0.1
    first, second = once.recurrent.tensors().values(), one_by_one.recurrent.tensors().values()
    return any(
        float((a - b).abs().max()) > tolerance * float(b.abs().max())
        for a, b in zip(first, second, strict=True)
    )
