"""Evictions by the votes of a window of queries, for each KV head or, as released code does it, for each query head apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from scbench.kv import CacheShape, DenseStore, DenseTail, LayerCache, LayerView, QueryHeadStore
from scbench.methods.contract import Eviction, top_slots


@dataclass(frozen=True, slots=True, kw_only=True)
class Voting(Eviction):
    """A budget of slots per KV head, by the group's mean votes; or, with `granularity=query_head`, per query head by its own votes.

    Released code repeats K and V to query heads before it chooses, so that a budget of K slots holds G K: so does `query_head`, and its bytes say so.
    Tokens appended later are the same for all heads of a group and are held once per KV head (there: G times). A layer that keeps everything is
    left as it is. With one query head per KV head both are the same.
    """

    granularity: Literal["kv_head", "query_head"] = "kv_head"

    @property
    def apart(self) -> bool:
        """Whether query heads of a group keep different slots."""
        return self.granularity == "query_head"

    @property
    def own_cache(self) -> bool:
        return self.apart

    def votes(self, view: LayerView) -> Tensor:
        """(H, G, S) in fp32; inf for what always stays."""
        raise NotImplementedError

    def rank(self, view: LayerView) -> Tensor:
        return self.votes(view).mean(dim=1)

    def keep(self, view: LayerView) -> list[Tensor]:
        """As everywhere; one list per query head, group by group, where these choose apart and the budget binds."""
        slots = self.kept_slots(layer=view.index, layers=view.layers, tokens=view.tokens)
        if not self.apart or slots >= view.tokens:
            return super(Voting, self).keep(view)
        return list(top_slots(self.votes(view).flatten(0, 1), slots))

    def cache(self, view: LayerView, kept: list[Tensor]) -> LayerCache:
        if not self.apart:
            return view.cut(kept)
        heads, _, dim = view.k_HSD.shape
        if len(kept[0]) == view.tokens:
            return LayerCache((DenseStore(view.k_HSD, view.v_HSD),), DenseTail())
        at_QS = torch.stack(kept)
        index = at_QS.to(view.k_HSD.device).view(heads, -1, 1).expand(-1, -1, dim)
        k_QSD, v_QSD = (
            x.gather(1, index).view(*at_QS.shape, dim) for x in (view.k_HSD, view.v_HSD)
        )
        return LayerCache(
            (QueryHeadStore(k_QSD, v_QSD, at_QS.cpu(), group=len(kept) // heads),), DenseTail()
        )

    def held_bytes(self, *, shape: CacheShape, tokens: int, appended: int) -> int:
        layers = len(shape.attention_layers)
        kept = [
            self.kept_slots(layer=layer, layers=layers, tokens=tokens) for layer in range(layers)
        ]
        slots = sum(n * (shape.group if self.apart and n < tokens else 1) + appended for n in kept)
        return slots * 2 * shape.kv_heads * shape.head_dim * shape.dtype_bytes


def window_votes(view: LayerView, window: int, *, kernel: int, pooling: str) -> Tensor:
    """Smoothed votes of the last `window` queries for the slots before them, mean over the group: (H, T) in fp32; inf for the window itself."""
    return head_votes(view, window, kernel=kernel, pooling=pooling).mean(dim=1)


def head_votes(view: LayerView, window: int, *, kernel: int, pooling: str) -> Tensor:
    """The same for each query head, (H, G, T)."""
    observed = view.observed.window_HGWD
    assert observed is not None, "the window of queries is needed and the read did not observe it"
    votes_HGS = window_attention(observed[:, :, -window:], view.k_HSD, scale=view.scale)[
        ..., : view.tokens - window
    ]
    pool = functional.avg_pool1d if pooling == "avg" else functional.max_pool1d
    return functional.pad(
        pool(votes_HGS, kernel, stride=1, padding=kernel // 2), (0, window), value=float("inf")
    )


def window_attention(window_HGWD: Tensor, k_HSD: Tensor, *, scale: float) -> Tensor:
    """Softmax attention of the last W queries, summed over them: (H, G, S) in fp32. Query w is the token at slot S - W + w."""
    rows, slots = window_HGWD.shape[2], k_HSD.shape[1]
    scores = torch.einsum("hgwd,hsd->hgws", window_HGWD.float(), k_HSD.float()) * scale
    at = torch.arange(slots, device=k_HSD.device)
    future = at > (slots - rows + torch.arange(rows, device=k_HSD.device)).unsqueeze(1)
    return torch.softmax(scores.masked_fill_(future, float("-inf")), dim=-1).sum(dim=2)
