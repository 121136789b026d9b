"""KeyDiff: the slots whose keys are least like the average direction stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scbench.errors import Mismatch
from scbench.kv import LayerView
from scbench.methods.compression.plain_ranks import ranks_are
from scbench.methods.contract import Eviction
from scbench.methods.invariants import Invariants, Trial
from scbench.tensors import Tensor, functional


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDiff(Eviction):
    """Score -cosine(k_j, mean of the normalised keys), per KV head; nothing protects recent tokens
    or the first ones.

    Source: KeyDiff (arXiv 2504.15364), which evicts block by block while it reads; ours acts once,
    after the read.
    """

    capacity_tokens: int | None = None

    minimum_tokens: ClassVar[int] = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.capacity_tokens is not None and self.capacity_tokens < self.minimum_tokens:
            raise Mismatch(f"{self}: capacity_tokens is at least {self.minimum_tokens}")

    def own_tokens(self) -> int | None:
        return self.capacity_tokens

    def rank(self, view: LayerView) -> Tensor:
        directions_HSD = functional.normalize(view.k_HSD.float(), dim=-1)
        anchor_H1D = directions_HSD.mean(dim=1, keepdim=True)
        return -functional.cosine_similarity(directions_HSD, anchor_H1D, dim=-1)

    def invariants(self) -> Invariants:
        found = Eviction.invariants(self)
        found["a score says how little a key points where keys point on average"] = ranks_are(
            self.rank, self._plain, "cosines"
        )
        return found

    @staticmethod
    def _plain(trial: Trial, layer: int) -> Tensor:
        k_HSD = trial.views[layer].k_HSD.double()
        unit_HSD = k_HSD / (k_HSD * k_HSD).sum(dim=-1, keepdim=True).sqrt()
        mean_H1D = unit_HSD.sum(dim=1, keepdim=True)
        cosines_HS: Tensor = (unit_HSD * mean_H1D).sum(dim=-1) / mean_H1D.norm(dim=-1)
        return -cosines_HS
