"""Knorm: the slots with the smallest keys stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scbench.errors import Mismatch
from scbench.kv import CacheShape, LayerView
from scbench.methods.compression.plain_ranks import ranks_are
from scbench.methods.contract import Eviction, smallest_share
from scbench.methods.invariants import Invariants, Trial
from scbench.tensors import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Knorm(Eviction):
    """Score -||k||, per KV head; nothing protects recent tokens or the first ones.

    Source: A Simple and Effective L2 Norm-Based Strategy for KV Cache Compression (arXiv
    2406.11430). RoPE keeps norms, so the choice does not depend on positions. `exempt_layers` first
    layers keep everything (2 in its own paper); with `count_exempt` the others make up for it and
    the mean over layers is the budget, without it the real share is larger.
    """

    capacity_tokens: int | None = None
    exempt_layers: int = 0
    count_exempt: bool = True

    minimum_tokens: ClassVar[int] = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.exempt_layers < 0 or (
            self.capacity_tokens is not None and self.capacity_tokens < self.minimum_tokens
        ):
            raise Mismatch(
                f"{self}: exempt_layers is at least 0 and capacity_tokens at least "
                f"{self.minimum_tokens}"
            )

    def own_tokens(self) -> int | None:
        return self.capacity_tokens

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        super().check(shape=shape, tokens=tokens)
        layers, exempt = len(shape.attention_layers), self.exempt_layers
        if not layers or not exempt or self.budget(tokens) >= tokens:
            return
        if exempt >= layers:
            raise Mismatch(
                f"{self} exempts all {layers} attention layers of this model; exempt fewer"
            )
        if self.kept_slots(layer=exempt, layers=layers, tokens=tokens) < self.minimum_tokens:
            least = smallest_share(
                -(-(exempt * tokens + (layers - exempt) * self.minimum_tokens) // layers), tokens
            )
            raise Mismatch(
                f"{self} gives {exempt} of {layers} layers all {tokens:,} tokens, and leaves the "
                f"others less than {self.minimum_tokens} each; use tau={least} (about "
                f"{float(least):.4f}) or more, or count_exempt=no"
            )

    def kept_slots(self, *, layer: int, layers: int, tokens: int) -> int:
        budget = min(self.budget(tokens), tokens)
        if layer < self.exempt_layers:
            return tokens
        if not self.exempt_layers or not self.count_exempt or layers <= self.exempt_layers:
            return budget
        return (layers * budget - self.exempt_layers * tokens) // (layers - self.exempt_layers)

    def rank(self, view: LayerView) -> Tensor:
        norms_HS: Tensor = view.k_HSD.float().norm(dim=-1)
        return -norms_HS

    def invariants(self) -> Invariants:
        found = Eviction.invariants(self)
        if self.exempt_layers and not self.count_exempt:
            del found["its budget is used up"]
        found["a score is the norm of its key, turned over"] = ranks_are(
            self.rank, self._plain, "norms"
        )
        return found

    @staticmethod
    def _plain(trial: Trial, layer: int) -> Tensor:
        k_HSD = trial.views[layer].k_HSD.double()
        return -(k_HSD * k_HSD).sum(dim=-1).sqrt()
