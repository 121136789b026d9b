"""What every loading builds on: plain keys and values, as many in every KV head."""

from __future__ import annotations

from scbench.errors import Mismatch
from scbench.kv import DenseStore, Slots, Store
from scbench.kv.accounting import width
from scbench.methods.contract import Loading
from scbench.tensors import Tensor


def plain(store: Store, loading: Loading) -> DenseStore:
    """The store, if it is one that can be asked for rows. Raises Mismatch where it is not: the
    table of pairs lets no method of ours come so far."""
    if not isinstance(store, DenseStore):
        raise Mismatch(
            f"{loading} needs as many slots in every KV head, and {type(store).__name__} holds "
            "ragged heads or codes"
        )
    return store


def row_bytes(k_HSD: Tensor) -> int:
    """What one key, or one value, of one KV head counts."""
    return k_HSD.shape[2] * width(k_HSD.dtype)


def first_slots(stores: tuple[Store, ...], loading: Loading) -> Slots | None:
    """The slots that a selection chooses among: those of the first store, which holds the context;
    None where there is none."""
    return plain(stores[0], loading).slots if stores else None
