"""Exact top-k: the oracle that every other loading is measured against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from scbench.kernels import largest
from scbench.kv import CacheShape, ChosenSlots, Digest, Slots
from scbench.methods.contract import Budgeted, Selection
from scbench.methods.invariants import Invariants, Trial
from scbench.methods.loading import plain_choices
from scbench.methods.loading.plain_stores import row_bytes
from scbench.tensors import Tensor, torch


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactTopK(Budgeted, Selection):
    """Each query token attends to the K keys of the store with the largest inner product, found by
    computing all of them.

    An upper bound for Quest and RetrievalAttention at the same K, not a way to save: a step loads
    every key, and the values of the K chosen. `granularity`: one choice per KV head (largest
    product over the group), or one per query head, which loads the union of the group's choices. Of
    all choices of K slots per query head the latter keeps the most attention mass. No publication;
    ties go to the earlier slot.
    """

    granularity: Literal["kv_head", "query_head"] = "kv_head"

    def digest(self, slots: Slots, *, layer: int) -> Digest | None:
        is_per_query_head = self.granularity == "query_head"
        return KeyDigest(slots.k_HSD, k=self.budget(slots.most), per_query_head=is_per_query_head)

    def invariants(self) -> Invariants:
        return {"the keys of the largest products are read": self._reads_best}

    def _reads_best(self, trial: Trial) -> str | None:
        wanted = plain_choices.products(min(self.budget(trial.tokens), trial.tokens))
        return plain_choices.chooses(self.digest_all, wanted)(trial)

    def detached_bytes(self, *, shape: CacheShape, slots: int, layer: int) -> int:
        """All keys once more: they are looked at on the device."""
        held = shape.attending[layer]
        return held.kv_heads * slots * held.key_dim * held.dtype_bytes


class KeyDigest:
    """All keys, from which each query token finds its best `k`. They are the store's own, unless K
    and V live elsewhere."""

    def __init__(
        self, k_HSD: Tensor, *, k: int, per_query_head: bool, is_detached: bool = False
    ) -> None:
        self.k_HSD = k_HSD
        self.heads, self.slots, _ = k_HSD.shape
        self.k = min(k, self.slots)
        self.per_query_head = per_query_head
        self.is_detached = is_detached

    def chosen_slots(self, q_HGTD: Tensor) -> Tensor:
        """Slots each token attends to, ascending: (H, 1, T, K), or (H, G, T, K) per query head."""
        scores = torch.einsum("hgtd,hsd->hgts", q_HGTD, self.k_HSD)
        return largest(scores if self.per_query_head else scores.amax(dim=1, keepdim=True), self.k)

    def choose(self, q_HGTD: Tensor, *, scale: float) -> ChosenSlots | None:
        if self.k == self.slots:
            return None
        slots = self.chosen_slots(q_HGTD)
        keys_bytes = self.heads * self.slots * row_bytes(self.k_HSD)
        return ChosenSlots(
            slots,
            rows_T=distinct(slots, self.slots),
            digest_bytes=keys_bytes,
            has_read_keys=True,
        )

    def tensors(self) -> dict[str, Tensor]:
        return {"digest_keys": self.k_HSD} if self.is_detached else {}

    def detached(self) -> KeyDigest:
        k_HSD = self.k_HSD.clone()
        return KeyDigest(k_HSD, k=self.k, per_query_head=self.per_query_head, is_detached=True)


def distinct(slots_HGTR: Tensor, slots: int) -> list[int]:
    """Different slots each token reads, its KV heads added up: what one query head fetched the
    others of its group share.
    """
    heads, choices, tokens, count = slots_HGTR.shape
    if choices == 1:
        return [heads * count] * tokens
    seen = torch.zeros((heads, tokens, slots), dtype=torch.bool, device=slots_HGTR.device)
    seen.scatter_(2, slots_HGTR.transpose(1, 2).reshape(heads, tokens, -1), True)
    return [int(n) for n in seen.sum(dim=(0, 2)).tolist()]
