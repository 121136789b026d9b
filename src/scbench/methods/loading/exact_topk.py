"""Exact top-k: the oracle that every other loading is measured against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from scbench.kernels import gathered, largest
from scbench.kv import DenseStore, Read, Store
from scbench.methods.contract import Budgeted, Loading
from scbench.methods.loading.indexed_store import Indexed, dense_first


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactTopK(Budgeted, Loading):
    """Each query token attends to the K keys of the store with the largest inner product, found by computing all of them.

    An upper bound for Quest and RetrievalAttention at the same K, not a way to save: a step loads every key, and the values of the K chosen.
    `granularity`: one choice per KV head (largest product over the group), or one per query head, which loads the union of the group's
    choices. Of all choices of K slots per query head the latter keeps the most attention mass. No publication; ties go to the earlier slot.
    """

    granularity: Literal["kv_head", "query_head"] = "kv_head"

    def index(self, stores: tuple[Store, ...], *, layer: int) -> tuple[Store, ...]:
        if not stores:
            return stores
        first = dense_first(stores, self)
        return (
            TopKStore(
                first,
                k=self.budget(first.k_HSD.shape[1]),
                per_query_head=self.granularity == "query_head",
            ),
            *stores[1:],
        )


class TopKStore(Indexed):
    """A dense store of which each query token reads all keys and the values of its best `k`. Holds nothing of its own."""

    def __init__(self, base: DenseStore, *, k: int, per_query_head: bool) -> None:
        super().__init__(base)
        self.k, self.per_query_head = min(k, self.slots), per_query_head

    def chosen(self, q_HGTD: Tensor) -> Tensor:
        """Slots each token attends to, ascending: (H, 1, T, K), or (H, G, T, K) per query head."""
        scores = torch.einsum("hgtd,hsd->hgts", q_HGTD, self.base.k_HSD)
        return largest(scores if self.per_query_head else scores.amax(dim=1, keepdim=True), self.k)

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        if self.k == self.slots:
            return self.base.attend(q_HGTD, scale=scale)
        slots = self.chosen(q_HGTD)
        partial = gathered(q_HGTD, self.base.k_HSD, self.base.v_HSD, slots, scale=scale)
        keys_bytes = self.heads * self.slots * self.row_bytes
        return Read(
            partial, [keys_bytes + rows * self.row_bytes for rows in distinct(slots, self.slots)]
        )


def distinct(slots_HGTR: Tensor, slots: int) -> list[int]:
    """Different slots each token reads, its KV heads added up: what one query head fetched the others of its group share."""
    heads, choices, tokens, count = slots_HGTR.shape
    if choices == 1:
        return [heads * count] * tokens
    seen = torch.zeros((heads, tokens, slots), dtype=torch.bool, device=slots_HGTR.device)
    seen.scatter_(2, slots_HGTR.transpose(1, 2).reshape(heads, tokens, -1), True)
    return [int(n) for n in seen.sum(dim=(0, 2)).tolist()]
