"""What the loadings share: a dense store that is read through an index."""

from __future__ import annotations

from torch import Tensor

from scbench.errors import Mismatch
from scbench.kv import DenseStore, Store
from scbench.kv.accounting import width
from scbench.methods.contract import Loading


def dense_first(stores: tuple[Store, ...], loading: Loading) -> DenseStore:
    """The store a loading indexes: the first, which holds the context. Raises Mismatch where its KV heads hold different numbers of slots."""
    first = stores[0]
    if not isinstance(first, DenseStore):
        raise Mismatch(
            f"{loading} needs as many slots in every KV head, and {type(first).__name__} holds ragged heads or codes"
        )
    return first


class Indexed:
    """A dense store and the tensors of an index over it. Subclasses choose per query token what is read."""

    def __init__(self, base: DenseStore) -> None:
        self.base = base
        self.heads, self.slots, _ = base.k_HSD.shape

    @property
    def row_bytes(self) -> int:
        """What one key, or one value, of one KV head counts."""
        keys = self.base.k_HSD
        return keys.shape[2] * width(keys.dtype)

    def index(self) -> dict[str, Tensor]:
        """What the index holds beyond the base, by name."""
        return {}

    def tensors(self) -> dict[str, Tensor]:
        return {**self.base.tensors(), **self.index()}

    def positions(self, head: int) -> Tensor:
        return self.base.positions(head)
