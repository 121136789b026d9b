"""A stream as a prefix: what it holds is sealed, so that reading, and compressing, go on
from it.
"""

from __future__ import annotations

from scbench.errors import Mismatch
from scbench.kv.selected import SelectedStore
from scbench.kv.shape import CacheShape
from scbench.kv.snapshot import Piece, Snapshot
from scbench.kv.store import DenseStore, RaggedStore, Store
from scbench.kv.stream import LayerCache, Stream
from scbench.kv.tail import DenseTail
from scbench.tensors import torch


def sealed(stream: Stream, shape: CacheShape) -> Snapshot:
    """The slots of `stream` as a snapshot with gaps, as many or as few in each KV head as it holds.
    It shares the stores and copies the tails; it has no logits (NaN) and has observed nothing.

    Raises Mismatch for a stream that holds anything but K and V: such a cache can be appended to,
    and nothing can act on it again.
    """
    return Snapshot(
        shape=shape,
        layers={layer: _pieces(cache, stream) for layer, cache in stream.layers.items()},
        ids=tuple(stream.ids),
        logits_V=torch.full((1,), float("nan")),
        recurrent=None if stream.recurrent is None else stream.recurrent.copy(),
        new_from=stream.logical_tokens,
    )


def _pieces(cache: LayerCache, stream: Stream) -> tuple[Piece, ...]:
    stores = tuple(_plain(store) for store in cache.stores)
    if not isinstance(cache.tail, DenseTail):
        raise _unlike(cache.tail)
    if not cache.tail.slots:
        return stores
    first = stream.logical_tokens - cache.tail.slots
    # A tail goes on growing in place, so what is sealed is a copy.
    k_HSD, v_HSD = (x.clone() for x in cache.tail.sealed())
    return (*stores, DenseStore(k_HSD, v_HSD, first_position=first))


def _plain(store: Store) -> Piece:
    # What a selection looks at is made anew of what is kept.
    plain = store.base if isinstance(store, SelectedStore) else store
    if not isinstance(plain, DenseStore | RaggedStore):
        raise _unlike(plain)
    return plain


def _unlike(held: object) -> Mismatch:
    return Mismatch(
        f"a compression that acts again needs plain keys and values, and this stream holds a "
        f"{type(held).__name__}; let it act once, on the first context"
    )
