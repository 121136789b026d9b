"""What is stored: snapshots, stores, tails, streams, the pool, and their bytes. Torch begins here;
methods and models do not.

    read a prefix ──▶ Snapshot (sealed) ──fork──▶ Stream
    Stream = per layer: shared read-only Stores + one private Tail that grows

K and V are kept at KV-head granularity (but for `QueryHeadStore`, which is asked for by name).
`logical_tokens` (tokens seen, sets the next position) and stored slots are two numbers and never
share a variable.
"""

from scbench.kv.chosen import ChosenSlots
from scbench.kv.grown import sealed
from scbench.kv.onlooker import Onlooker
from scbench.kv.selected import Digest, SelectedStore
from scbench.kv.shape import CacheShape, LayerKind, LayerShape
from scbench.kv.slots import Slots
from scbench.kv.snapshot import LayerView, Observed, Snapshot
from scbench.kv.store import DenseStore, QueryHeadStore, RaggedStore, Read, RowStore, Store
from scbench.kv.stream import LayerCache, Stream
from scbench.kv.tail import DenseTail, Tail

__all__ = [
    "CacheShape",
    "ChosenSlots",
    "DenseStore",
    "DenseTail",
    "Digest",
    "LayerCache",
    "LayerKind",
    "LayerShape",
    "LayerView",
    "Observed",
    "Onlooker",
    "QueryHeadStore",
    "RaggedStore",
    "Read",
    "RowStore",
    "SelectedStore",
    "Slots",
    "Snapshot",
    "Store",
    "Stream",
    "Tail",
    "sealed",
]
