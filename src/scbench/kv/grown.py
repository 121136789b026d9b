"""A stream as a prefix: what it holds is sealed, so that reading, and compressing, go on from it."""

from __future__ import annotations

import torch

from scbench.errors import Mismatch
from scbench.kv.shape import CacheShape
from scbench.kv.snapshot import Snapshot
from scbench.kv.store import DenseStore, Store
from scbench.kv.stream import LayerCache, Stream
from scbench.kv.tail import DenseTail


def sealed(stream: Stream, shape: CacheShape) -> Snapshot:
    """The slots of `stream` as a snapshot with gaps. It shares the stores and copies the tails; it
    has no logits (NaN) and has observed nothing.

    Raises Mismatch for a stream that holds anything but K and V, as many in every KV head: such a
    cache can be appended to, and nothing can act on it again.
    """
    return Snapshot(
        shape=shape,
        layers={layer: _pieces(cache, stream) for layer, cache in stream.layers.items()},
        ids=tuple(stream.ids),
        logits_V=torch.full((1,), float("nan")),
        recurrent=None if stream.recurrent is None else stream.recurrent.copy(),
    )


def _pieces(cache: LayerCache, stream: Stream) -> tuple[DenseStore, ...]:
    stores = tuple(_dense(store) for store in cache.stores)
    if not isinstance(cache.tail, DenseTail):
        raise _unlike(cache.tail)
    if not cache.tail.slots:
        return stores
    first = stream.logical_tokens - cache.tail.slots
    # A tail goes on growing in place, so what is sealed is a copy.
    k_HSD, v_HSD = (x.clone() for x in cache.tail.sealed())
    return (*stores, DenseStore(k_HSD, v_HSD, first_position=first))


def _dense(store: Store) -> DenseStore:
    if not isinstance(store, DenseStore):
        raise _unlike(store)
    return store


def _unlike(held: object) -> Mismatch:
    return Mismatch(
        f"a compression that acts again needs plain keys and values, as many in every KV head, and "
        f"this stream holds a {type(held).__name__}; let it act once, on the first context"
    )
