"""Snapshot + Method -> Stream: the one place where a compression and a loading act on a cache."""

from __future__ import annotations

import torch
from torch import Tensor

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
        if all(len(kept) == snapshot.logical_tokens for layer in keeps for kept in layer):
            keeps, stream.notes = None, (*stream.notes, NOT_BINDING)
    for at, layer in enumerate(snapshot.layers):
        cache = stream.layers[layer]
        if keeps is not None or method.codec is not None:
            cache = _compressed(snapshot.view(layer), None if keeps is None else keeps[at], method)
        stream.layers[layer] = LayerCache(method.loading.index(cache.stores, layer=at), cache.tail)
    return stream


def _compressed(view: LayerView, kept: list[Tensor] | None, method: Method) -> LayerCache:
    k_HSD, v_HSD, positions_HS = view.k_HSD, view.v_HSD, None
    if kept is not None and len({len(slots) for slots in kept}) > 1:
        if method.codec is not None:
            from scbench.errors import Mismatch

            raise Mismatch(f"{method.codec} needs as many slots in every KV head, and {method.eviction} keeps ragged heads")
        return LayerCache((RaggedStore.gather(k_HSD, v_HSD, kept, kept),), DenseTail())
    if kept is not None:
        positions_HS = torch.stack(kept)
        at = positions_HS.to(k_HSD.device).unsqueeze(-1).expand(-1, -1, k_HSD.shape[-1])
        k_HSD, v_HSD = k_HSD.gather(1, at), v_HSD.gather(1, at)
    if method.codec is not None:
        return method.codec.encode(k_HSD, v_HSD, positions_HS)
    return LayerCache((DenseStore(k_HSD, v_HSD, positions_HS=positions_HS),), DenseTail())
