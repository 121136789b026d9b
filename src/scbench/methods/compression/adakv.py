"""Ada-KV: a layer's budget is shared unevenly between its heads, by any other eviction's scores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar

import torch
from torch import Tensor

from scbench.errors import Mismatch
from scbench.kv import CacheShape, LayerCache, LayerView
from scbench.methods import registry, spelling
from scbench.methods.contract import Eviction, Stage

STARTS_BYTES = 8  # of one entry of the table that says where a head begins


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaKV(Eviction):
    """Every head keeps its own best alpha * b slots; the other (1 - alpha) * b * H go to the best of all heads together.

    Source: Ada-KV (arXiv 2407.11550). b = budget - slots the scorer protects; heads sum to exactly H times the budget, and what is dropped is
    freed (flat storage), where kvpress masks it. `scorer` is any eviction that ranks slots, with its own parameters but no budget:
    `adakv[scorer=snapkv[kernel=7,pooling=max],tau=1/8]`; the budget per layer is the scorer's, so pyramidkv keeps its pyramid.
    """

    scorer: str = "snapkv"
    alpha: float = 0.2

    name: ClassVar[str] = "adakv"
    category: ClassVar[str] = "KV dropping"
    paper: ClassVar[str] = "Ada-KV, arXiv 2407.11550"
    bytes_formula: ClassVar[str] = "2 H K D e + 8 (H + 1), heads uneven"
    difference: ClassVar[str] = (
        "what is dropped is freed, where kvpress masks it; any eviction that ranks can score"
    )
    needs_also: ClassVar[str] = "what its scorer needs"
    presets: ClassVar[dict[str, dict[str, object]]] = {
        "paper": {"alpha": 0.2, "scorer": "snapkv[kernel=7,pooling=max]"},
        "code": {"alpha": 0.2, "scorer": "snapkv"},
        "leaderboard": {"alpha": 0.2, "scorer": "expected-attention[eps=0.01]"},
    }
    ragged: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super(AdaKV, self).__post_init__()
        if not 0 <= self.alpha <= 1:
            raise Mismatch(
                f"adakv[alpha={self.alpha}]: the share that every head keeps for itself lies in [0, 1]"
            )
        name, params = spelling.read_part(self.scorer)
        found = registry.stage_class(name)
        if not issubclass(found, Eviction) or found.rank is Eviction.rank or found.ragged:
            raise Mismatch(
                f"adakv[scorer={self.scorer}]: {name} does not rank slots; take snapkv, h2o, tova, pyramidkv, knorm, keydiff ..."
            )
        inner = spelling.build(found, params, written=self.scorer)
        if (
            inner.tau is not None
            or inner.budget_tokens is not None
            or inner.own_cache
            or inner.asks != inner.needs
        ):
            raise Mismatch(
                f"adakv[scorer={self.scorer}]: give the budget to adakv itself, and a scorer that acts once, per KV head, and moves nothing"
            )

    @property
    def inner(self) -> Eviction:
        """The scorer, under this budget."""
        name, params = spelling.read_part(self.scorer)
        bare: Eviction = spelling.build(registry.stage_class(name), params, written=self.scorer)
        return bare if self.tau is None and self.budget_tokens is None else self._budgeted(bare)

    def _budgeted(self, bare: Eviction) -> Eviction:
        least = (
            max(self.budget_tokens, bare.minimum_tokens) if self.budget_tokens is not None else None
        )
        return replace(bare, tau=self.tau, budget_tokens=least)

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        return self.inner.needs

    def parts(self) -> tuple[Stage, ...]:
        return (self, self.inner)

    def budget(self, tokens: int) -> int:
        return self.inner.budget(tokens)

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        if self.budget_tokens is not None and self.budget_tokens < self.inner.minimum_tokens:
            raise Mismatch(
                f"{self}: {self.scorer} needs a budget of at least {self.inner.minimum_tokens} tokens"
            )
        self.inner.check(shape=shape, tokens=tokens)

    def notes(self, *, shape: CacheShape, tokens: int) -> tuple[str, ...]:
        own = () if self.inner.comparable else ("adakv_scores_of_heads_not_comparable",)
        return (*own, *self.inner.notes(shape=shape, tokens=tokens))

    def kept_slots(self, *, layer: int, layers: int, tokens: int) -> int:
        return self.inner.kept_slots(layer=layer, layers=layers, tokens=tokens)

    def keep(self, view: LayerView) -> list[Tensor]:
        slots = self.kept_slots(layer=view.index, layers=view.layers, tokens=view.tokens)
        heads = view.k_HSD.shape[0]
        if slots >= view.tokens:
            return [torch.arange(view.tokens)] * heads
        return share_slots(self.inner.rank(view), slots, alpha=Fraction(str(self.alpha)))

    def cache(self, view: LayerView, kept: list[Tensor]) -> LayerCache:
        return view.cut_ragged(kept)

    def held_bytes(self, *, shape: CacheShape, tokens: int, appended: int) -> int:
        layers = len(shape.attention_layers)
        kept = [
            self.kept_slots(layer=layer, layers=layers, tokens=tokens) for layer in range(layers)
        ]
        tables = (
            layers * STARTS_BYTES * (shape.kv_heads + 1)
            if min(kept, default=tokens) < tokens
            else 0
        )
        return super(AdaKV, self).held_bytes(shape=shape, tokens=tokens, appended=appended) + tables


def share_slots(scores_HS: Tensor, slots: int, *, alpha: Fraction) -> list[Tensor]:
    """H * slots slots, ascending per head: what is protected (inf), the best floor(alpha b) of each head, the rest by one ranking of all heads."""
    heads, tokens = scores_HS.shape
    protected = int(scores_HS.isinf().sum(dim=1).max())
    own = protected + int(alpha * (slots - protected))
    order = torch.sort(scores_HS, dim=-1, descending=True, stable=True)
    open_to_all = order.values[:, own:].reshape(-1)
    chosen = torch.sort(open_to_all, descending=True, stable=True).indices[: heads * (slots - own)]
    counts = own + torch.bincount(chosen // max(1, tokens - own), minlength=heads)
    return [order.indices[head, : int(counts[head])].sort().values for head in range(heads)]
