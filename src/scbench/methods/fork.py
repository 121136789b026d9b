"""Snapshot + Method -> Stream: the one place where a compression and a loading act on a cache."""

from __future__ import annotations

from torch import Tensor

from scbench.errors import Mismatch
from scbench.kv import LayerCache, Snapshot, Stream
from scbench.methods.method import Method
from scbench.types import NOT_BINDING as NOT_BINDING


def fork(snapshot: Snapshot, method: Method) -> Stream:
    """The stream of `method` over a sealed prefix. Nothing of the snapshot changes; what an eviction keeps is copied, so the rest can be freed
    with the snapshot. Layers are handled one at a time, and a layer whose budget does not bind keeps the snapshot's own stores."""
    if method.is_foreign:
        raise Mismatch(
            f"{method} is an object of its own: no cache is forked for it, and its bytes are what "
            "its held_bytes(handle) declares"
        )
    for need in sorted(method.needs & snapshot.missing.keys()):
        raise Mismatch(f"{method} cannot run here: {snapshot.missing[need]}")
    stream = snapshot.fork()
    stream.simulated = method.is_simulated
    tokens, eviction = snapshot.logical_tokens, method.eviction
    stream.notes = method.notes(shape=snapshot.shape, tokens=tokens)
    stream.units = method.units(
        shape=snapshot.shape, tokens=tokens, question_tokens=snapshot.question_tokens
    )
    keeps: list[list[Tensor]] | None = None
    if eviction is not None and snapshot.layers:
        keeps = eviction.keep_all(snapshot.view(layer) for layer in snapshot.layers)
        slots = [snapshot.slots(layer) for layer in snapshot.layers]
        _check_kept(keeps, slots, method)
        if (
            all(_is_all(kept, count) for kept, count in zip(keeps, slots, strict=True))
            and not eviction.traits.is_rolling
        ):
            keeps, stream.notes = None, (*stream.notes, NOT_BINDING)
    for at, layer in enumerate(snapshot.layers):
        cache = stream.layers[layer]
        if keeps is not None or method.codec is not None:
            cache = (
                _compressed(snapshot, layer, None if keeps is None else keeps[at], method) or cache
            )
        if method.generation.traits.governs_decoding:
            cache = method.generation.cache(snapshot.view(layer), cache)
        stream.layers[layer] = cache
    indexed = method.loading.index_all([cache.stores for cache in stream.layers.values()])
    for cache, stores in zip(list(stream.layers.values()), indexed, strict=True):
        cache.stores = stores
    return stream


def _check_kept(keeps: list[list[Tensor]], slots_L: list[int], method: Method) -> None:
    """Raise Mismatch for slots that are none: an empty layer ends native code without a word.

    That each is kept once, and in order, is a law (`exam/laws.py`).
    """
    for layer, (kept, there) in enumerate(zip(keeps, slots_L, strict=True)):
        if not any(len(slots) for slots in kept):
            raise Mismatch(f"{method} keeps no slot of layer {layer}; at least one head keeps one")
        for head, slots in enumerate(kept):
            if len(slots) and not 0 <= int(slots.min()) <= int(slots.max()) < there:
                raise Mismatch(
                    f"{method} keeps slots {int(slots.min())} to {int(slots.max())} of layer "
                    f"{layer}, head {head}; there are slots 0 to {there - 1:,}"
                )


def _is_all(kept: list[Tensor], tokens: int) -> bool:
    return all(len(slots) == tokens for slots in kept)


def _compressed(
    snapshot: Snapshot, layer: int, kept: list[Tensor] | None, method: Method
) -> LayerCache | None:
    """A layer's new cache; None where nothing is to be done."""
    view, eviction, codec = snapshot.view(layer), method.eviction, method.codec
    if (
        kept is not None
        and _is_all(kept, view.tokens)
        and not (eviction and eviction.traits.has_own_cache)
    ):
        kept = None
    if codec is None:
        return eviction.cache(view, kept) if eviction is not None and kept is not None else None
    if kept is None:
        return codec.encode(view.k_HSD, view.v_HSD, view.positions_HS)
    if len({len(slots) for slots in kept}) > 1:
        raise Mismatch(
            f"{codec} needs as many slots in every KV head, and {eviction} keeps ragged heads"
        )
    return codec.encode(
        *(eviction.gathered(view, kept) if eviction is not None else view.gather(kept))
    )
