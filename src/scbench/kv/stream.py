"""A Stream: one method's cache while it is in use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from scbench.kv.accounting import accounted
from scbench.kv.onlooker import Onlooker
from scbench.kv.shape import CacheShape
from scbench.kv.store import Holder, QueryHeadStore, Store, nbytes
from scbench.kv.tail import Begun, Sparse, Tail
from scbench.tensors import Tensor, torch


class Recurrent(Protocol):
    """The states of a model's recurrent layers; opaque to everyone but the engine that made
    them.
    """

    def copy(self) -> Recurrent: ...
    def tensors(self) -> dict[str, Tensor]: ...


@dataclass(slots=True)
class LayerCache:
    """One layer of a stream: shared stores in order of position, then the private tail."""

    stores: tuple[Store, ...]
    tail: Tail

    def fork(self) -> LayerCache:
        return LayerCache(self.stores, self.tail.fork())


@dataclass(slots=True)
class Stream:
    """A writable fork of a snapshot under one method. Only `engine.advance` writes to it.

    `layers` is keyed by the model's layer index and has attention layers only. `ids` are all tokens
    seen, so `logical_tokens` = their number sets the next position, however few slots a compression
    left. `loaded_bytes` counts KV bytes read by the forwards so far, and `moved_bytes` those
    fetched from a slower tier, as if the stream were alone.

    >>> stream = Stream(layers={}, ids=[7, 8, 9])
    >>> child = stream.fork()
    >>> child.ids.append(10)
    >>> stream.logical_tokens, child.logical_tokens
    (3, 4)
    """

    layers: dict[int, LayerCache]
    ids: list[int]
    recurrent: Recurrent | None = None
    loaded_bytes: int = 0
    moved_bytes: int = 0
    steps: int = (
        0  # decode steps (forwards of one token) that `loaded_bytes` and `moved_bytes` cover
    )
    notes: tuple[str, ...] = field(default=())
    units: Mapping[str, int] = field(default_factory=dict)  # the method's sizes, as resolved
    simulated: bool = False
    onlooker: Onlooker | None = None  # of this stream alone: its children have none

    @property
    def logical_tokens(self) -> int:
        return len(self.ids)

    def fork(self) -> Stream:
        """A child that begins as this stream and cannot change it. Stores are shared, tails and
        states copied, counters begin at zero.
        """
        return Stream(
            layers={index: layer.fork() for index, layer in self.layers.items()},
            ids=list(self.ids),
            recurrent=None if self.recurrent is None else self.recurrent.copy(),
            notes=self.notes,
            units=self.units,
            simulated=self.simulated,
        )

    def stores(self) -> list[Store]:
        return [store for layer in self.layers.values() for store in layer.stores]

    def shared_bytes(self) -> int:
        return sum(nbytes(store.tensors().values()) for store in self.stores())

    def private_bytes(self) -> int:
        tails = sum(nbytes(layer.tail.tensors().values()) for layer in self.layers.values())
        return tails + (0 if self.recurrent is None else nbytes(self.recurrent.tensors().values()))

    def held_bytes(self) -> int:
        """Bytes of everything this stream reads from, as if it were alone."""
        return self.shared_bytes() + self.private_bytes()

    def accounted_bytes(self) -> int:
        """`held_bytes` as they count (`accounting.py`)."""
        held: list[Holder] = [*self.stores(), *(layer.tail for layer in self.layers.values())]
        if self.recurrent is not None:
            held.append(self.recurrent)
        return sum(accounted(holder.tensors().values()) for holder in held)

    def held_by_name(self) -> dict[str, int]:
        """`held_bytes` broken down by tensor name, summed over layers."""
        total: dict[str, int] = {}
        for layer in self.layers.values():
            for held in (*(store.tensors() for store in layer.stores), layer.tail.tensors()):
                for name, x in held.items():
                    total[name] = total.get(name, 0) + nbytes([x])
        return total

    def positions(self, layer: int, head: int) -> Tensor:
        """Logical positions whose K and V this layer's KV head still holds, ascending (int64)."""
        cache = self.layers[layer]
        older = [store.positions(head) for store in cache.stores]
        if isinstance(cache.tail, Sparse):
            return torch.cat([*older, cache.tail.positions(head)])
        appended = cache.tail.slots
        if isinstance(cache.tail, Begun):
            begun = cache.tail.begun(head)
            older.append(begun)
            appended = cache.tail.appended
        newest = torch.arange(self.logical_tokens - appended, self.logical_tokens)
        return torch.cat([*older, newest])

    def slots_held(self, kv_heads: int) -> list[list[int]]:
        """Slots of each KV head of each attention layer."""
        return [[self._slots(layer, head) for head in range(kv_heads)] for layer in self.layers]

    def stored_tokens(self, shape: CacheShape) -> float:
        """Slots held, mean over attention layers and KV heads; what several query heads hold for
        themselves counts as often.
        """
        counts = [
            self._slots(layer, head)
            for layer in self.layers
            for head in range(shape.layers[layer].kv_heads)
        ]
        return sum(counts) / len(counts) if counts else 0.0

    def _slots(self, layer: int, head: int) -> int:
        apart = [store for store in self.layers[layer].stores if isinstance(store, QueryHeadStore)]
        again = sum(
            store.group * store.positions_QS.shape[1] - len(store.positions(head))
            for store in apart
        )
        return len(self.positions(layer, head)) + again


def share(positions: Sequence[int], held: Tensor) -> float:
    """Part of `positions` that is in `held`."""
    if not positions:
        return 1.0
    return float(torch.isin(torch.as_tensor(list(positions)), held).float().mean())
