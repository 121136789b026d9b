"""SnapKV: the last queries vote for the slots that stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from scbench.errors import Mismatch
from scbench.kv import CacheShape, LayerView
from scbench.methods.contract import WINDOW, Eviction


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapKV(Eviction):
    """Keep the window and the prefix slots its queries attend to most, votes smoothed so that neighbours survive together.

    Source: SnapKV (arXiv 2404.14469). s_j = sum over the window's rows of softmax attention (fp32), pooled along j with zero padding at the
    edges, then mean over the group. Ours stores per KV head, so a budget means what it says; the published code repeats K and V to query heads
    first and holds G times as much. `window_tokens` is capped at half the budget.
    """

    window_tokens: int = 32
    capacity_tokens: int | None = None  # prefix + window
    kernel: int = 5
    pooling: Literal["avg", "max"] = "avg"

    name: ClassVar[str] = "snapkv"
    category: ClassVar[str] = "KV dropping"
    paper: ClassVar[str] = "SnapKV, arXiv 2404.14469"
    bytes_formula: ClassVar[str] = "2 H K D e"
    difference: ClassVar[str] = (
        "stored per KV head with votes averaged over the group; published: repeated to query heads, G times the bytes"
    )
    presets: ClassVar[dict[str, dict[str, object]]] = {
        "paper": {"window_tokens": 32, "capacity_tokens": 4096, "kernel": 5, "pooling": "avg"},
        "code": {"window_tokens": 32, "capacity_tokens": 4096, "kernel": 5, "pooling": "avg"},
    }
    needs: ClassVar[frozenset[str]] = frozenset({WINDOW})
    minimum_tokens: ClassVar[int] = 8
    comparable: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super(SnapKV, self).__post_init__()
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise Mismatch(f"{self}: kernel is an odd number of slots, 1 for no pooling")
        if not 1 <= self.window_tokens <= 64:
            raise Mismatch(f"{self}: window_tokens lies in 1..64 (a read observes the last 64 queries)")

    def own_tokens(self) -> int | None:
        return self.capacity_tokens

    def window(self, tokens: int) -> int:
        """Rows that vote: window_tokens, at most half the budget."""
        return max(1, min(self.window_tokens, self.budget(tokens) // 2))

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        super(SnapKV, self).check(shape=shape, tokens=tokens)
        if tokens <= self.window(tokens) and self.budget(tokens) < tokens:
            raise Mismatch(f"{self} needs more tokens than its window of {self.window(tokens)}, and the prompt has {tokens}")

    def rank(self, view: LayerView) -> Tensor:
        return window_votes(view, self.window(view.tokens), kernel=self.kernel, pooling=self.pooling)


def window_votes(view: LayerView, window: int, *, kernel: int, pooling: str) -> Tensor:
    """Smoothed votes of the last `window` queries for the slots before them, (H, T) in fp32; inf for the window itself, which always stays."""
    observed = view.observed.window_HGWD
    assert observed is not None, "the window of queries is needed and the read did not observe it"
    votes_HGS = window_attention(observed[:, :, -window:], view.k_HSD, scale=view.scale)[..., : view.tokens - window]
    pool = functional.avg_pool1d if pooling == "avg" else functional.max_pool1d
    votes_HS = pool(votes_HGS, kernel, stride=1, padding=kernel // 2).mean(dim=1)
    return functional.pad(votes_HS, (0, window), value=float("inf"))


def window_attention(window_HGWD: Tensor, k_HSD: Tensor, *, scale: float) -> Tensor:
    """Softmax attention of the last W queries, summed over them: (H, G, S) in fp32. Query w is the token at slot S - W + w."""
    rows, slots = window_HGWD.shape[2], k_HSD.shape[1]
    scores = torch.einsum("hgwd,hsd->hgws", window_HGWD.float(), k_HSD.float()) * scale
    at = torch.arange(slots, device=k_HSD.device)
    future = at > (slots - rows + torch.arange(rows, device=k_HSD.device)).unsqueeze(1)
    return torch.softmax(scores.masked_fill_(future, float("-inf")), dim=-1).sum(dim=2)
