"""Snapshot + Method -> Stream: the one place where a compression and a loading act on a cache."""

from __future__ import annotations

import torch
from torch import Tensor

from scbench.errors import Mismatch
from scbench.kv import DenseStore, DenseTail, LayerCache, LayerView, RaggedStore, Snapshot, Stream
from scbench.methods.contract import Method

NOT_BINDING = "budget_not_binding"


def fork(snapshot: Snapshot, method: Method) -> Stream:
    """The stream of `method` over a sealed prefix. Nothing of the snapshot changes; what an eviction keeps is copied, so the rest can be freed
    with the snapshot. Layers are handled one at a time, and a layer whose budget does not bind keeps the snapshot's own stores."""
    stream = snapshot.fork()
    stream.simulated = method.simulated
    keeps: list[list[Tensor]] | None = None
    if method.eviction is not None and snapshot.layers:
        keeps = method.eviction.keep_all([snapshot.view(layer) for layer in snapshot.layers])
        if all(_is_all(layer, snapshot.logical_tokens) for layer in keeps):
            keeps, stream.notes = None, (*stream.notes, NOT_BINDING)
    for at, layer in enumerate(snapshot.layers):
        cache = stream.layers[layer]
        if keeps is not None or method.codec is not None:
            kept = None if keeps is None or _is_all(keeps[at], snapshot.logical_tokens) else keeps[at]
            cache = _compressed(snapshot.view(layer), kept, method) if kept is not None or method.codec is not None else cache
        stream.layers[layer] = LayerCache(method.loading.index(cache.stores, layer=at), cache.tail)
    return stream


def _is_all(kept: list[Tensor], tokens: int) -> bool:
    return all(len(slots) == tokens for slots in kept)


def _compressed(view: LayerView, kept: list[Tensor] | None, method: Method) -> LayerCache:
    k_HSD, v_HSD, positions_HS = view.k_HSD, view.v_HSD, None
    if kept is not None and len({len(slots) for slots in kept}) > 1:
        if method.codec is not None:
            raise Mismatch(f"{method.codec} needs as many slots in every KV head, and {method.eviction} keeps ragged heads")
        return LayerCache((RaggedStore.gather(k_HSD, v_HSD, kept, [slots.cpu() for slots in kept]),), DenseTail())
    if kept is not None:
        positions_HS = torch.stack(kept).cpu()  # bookkeeping, and beside the tail's positions
        at = positions_HS.to(k_HSD.device).unsqueeze(-1).expand(-1, -1, k_HSD.shape[-1])
        k_HSD, v_HSD = k_HSD.gather(1, at), v_HSD.gather(1, at)
    if method.codec is not None:
        return method.codec.encode(k_HSD, v_HSD, positions_HS)
    return LayerCache((DenseStore(k_HSD, v_HSD, positions_HS=positions_HS),), DenseTail())
