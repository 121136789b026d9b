"""Snapshot + Method -> Stream: the one place where a compression and a loading act on a cache."""

from __future__ import annotations

from typing import Any

from scbench.errors import Mismatch
from scbench.kv import Digest, LayerCache, SelectedStore, Snapshot, Store, Stream
from scbench.methods.contract import is_default
from scbench.methods.loading.plain_stores import first_slots
from scbench.methods.method import Method
from scbench.tensors import Tensor
from scbench.types import NOT_BINDING as NOT_BINDING


def fork(snapshot: Snapshot, method: Method) -> Stream:
    """The stream of `method` over a sealed prefix. Nothing of the snapshot changes; what an
    eviction keeps is copied, so the rest can be freed with the snapshot. Layers are handled one at
    a time, and a layer whose budget does not bind keeps the snapshot's own stores.
    """
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
        with_gold = eviction.traits.uses_gold
        views = (snapshot.view(layer, with_gold=with_gold) for layer in snapshot.layers)
        keeps = eviction.keep_all(views)
        counts = [snapshot.counts(layer) for layer in snapshot.layers]
        _check_kept(keeps, counts, method)
        is_all = all(_is_all(kept, there) for kept, there in zip(keeps, counts, strict=True))
        if is_all and not eviction.traits.is_rolling:
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
    loaded = _loaded(method, [cache.stores for cache in stream.layers.values()])
    for cache, stores in zip(list(stream.layers.values()), loaded, strict=True):
        cache.stores = stores
    return stream


def _loaded(method: Method, layers: list[tuple[Store, ...]]) -> list[tuple[Store, ...]]:
    """The stores of every layer as a step reads them: where the tier says, and of the first, which
    holds the context, what the selection chooses."""
    if method.reads_all:
        return layers
    digests: list[Digest | None] = [None] * len(layers)
    if not is_default(method.loading):
        slots = [first_slots(stores, method.loading) for stores in layers]
        digests = method.loading.digest_all(slots)
    is_chosen = [digest is not None for digest in digests]
    placed = method.tier.place_all(layers, is_chosen=is_chosen)
    found: list[tuple[Store, ...]] = []
    for stores, digest in zip(placed, digests, strict=True):
        if digest is None:
            found.append(stores)
            continue
        near = digest.detached() if method.tier.traits.has_slow_tier else digest
        base: Any = stores[0]
        found.append((SelectedStore(base, near), *stores[1:]))
    return found


def _check_kept(keeps: list[list[Tensor]], counts_L: list[list[int]], method: Method) -> None:
    """Raise Mismatch for slots that are none: an empty layer ends native code without a word.

    That each is kept once, and in order, is a law (`exam/laws.py`).
    """
    for layer, (kept, counts) in enumerate(zip(keeps, counts_L, strict=True)):
        if not any(len(slots) for slots in kept):
            raise Mismatch(f"{method} keeps no slot of layer {layer}; at least one head keeps one")
        group = len(kept) // len(counts)  # more than 1 where query heads choose apart
        for head, slots in enumerate(kept):
            there = counts[head // group]
            if len(slots) and not 0 <= int(slots.min()) <= int(slots.max()) < there:
                raise Mismatch(
                    f"{method} keeps slots {int(slots.min())} to {int(slots.max())} of layer "
                    f"{layer}, head {head}; there are slots 0 to {there - 1:,}"
                )


def _is_all(kept: list[Tensor], counts: list[int]) -> bool:
    group = len(kept) // len(counts)
    there = [count for count in counts for _ in range(group)]
    return [len(slots) for slots in kept] == there


def _compressed(
    snapshot: Snapshot, layer: int, kept: list[Tensor] | None, method: Method
) -> LayerCache | None:
    """A layer's new cache; None where nothing is to be done."""
    view, eviction, codec = snapshot.view(layer), method.eviction, method.codec
    if codec is not None:
        is_cut = kept is not None and not _is_all(kept, view.slots.counts)
        slots = view.slots
        if is_cut and kept is not None:
            slots = view.pick(kept) if eviction is None else eviction.picked(view, kept)
        return codec.encode(slots)
    if eviction is None or kept is None:
        return None
    traits = eviction.traits
    if _is_all(kept, view.slots.counts) and not (traits.has_own_cache or traits.has_uneven_heads):
        return None
    return eviction.cache(view, kept)
