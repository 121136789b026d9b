"""SnapKV: the last queries vote for the slots that stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from scbench.errors import Mismatch
from scbench.kv import CacheShape, LayerView
from scbench.methods.compression.voting import Voting, head_votes
from scbench.methods.contract import WINDOW


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapKV(Voting):
    """Keep the window and the prefix slots its queries attend to most, votes smoothed so that neighbours survive together.

    Source: SnapKV (arXiv 2404.14469). s_j = sum over the window's rows of softmax attention (fp32), pooled along j with zero padding at the
    edges, then mean over the group. Ours stores per KV head, so a budget means what it says; the published code repeats K and V to query heads
    first and holds G times as much (`granularity=query_head`, as in preset `code`). `window_tokens` is capped at half the budget.
    """

    window_tokens: int = 32
    capacity_tokens: int | None = None  # prefix + window
    kernel: int = 5
    pooling: Literal["avg", "max"] = "avg"

    name: ClassVar[str] = "snapkv"
    category: ClassVar[str] = "KV dropping"
    paper: ClassVar[str] = "SnapKV, arXiv 2404.14469"
    bytes_formula: ClassVar[str] = "2 H K D e; 2 H G K D e per query head"
    difference: ClassVar[str] = (
        "stored per KV head with votes averaged over the group; published: per query head, G times the bytes (granularity=query_head)"
    )
    presets: ClassVar[dict[str, dict[str, object]]] = {
        "paper": {"window_tokens": 32, "capacity_tokens": 4096, "kernel": 5, "pooling": "avg"},
        "code": {
            "window_tokens": 32,
            "capacity_tokens": 4096,
            "kernel": 5,
            "pooling": "avg",
            "granularity": "query_head",
        },
    }
    needs: ClassVar[frozenset[str]] = frozenset({WINDOW})
    minimum_tokens: ClassVar[int] = 8
    comparable: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super(SnapKV, self).__post_init__()
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise Mismatch(f"{self}: kernel is an odd number of slots, 1 for no pooling")
        if not 1 <= self.window_tokens <= 64:
            raise Mismatch(
                f"{self}: window_tokens lies in 1..64 (a read observes the last 64 queries)"
            )

    def own_tokens(self) -> int | None:
        return self.capacity_tokens

    def window(self, tokens: int) -> int:
        """Rows that vote: window_tokens, at most half the budget."""
        return max(1, min(self.window_tokens, self.budget(tokens) // 2))

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        super(SnapKV, self).check(shape=shape, tokens=tokens)
        if tokens <= self.window(tokens) and self.budget(tokens) < tokens:
            raise Mismatch(
                f"{self} needs more tokens than its window of {self.window(tokens)}, and the prompt has {tokens}"
            )

    def votes(self, view: LayerView) -> Tensor:
        return head_votes(view, self.window(view.tokens), kernel=self.kernel, pooling=self.pooling)
