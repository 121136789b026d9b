"""H2O: the slots that received most attention over the whole read stay, and the newest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from scbench.errors import Mismatch
from scbench.kv import LayerView
from scbench.methods.contract import COLUMN_SUMS, Eviction


@dataclass(frozen=True, slots=True, kw_only=True)
class H2O(Eviction):
    """Keep the newest `recent_tokens` and the `heavy_tokens` others with the largest column sum of softmax attention, mean over the group.

    Source: H2O (arXiv 2306.14048). The sums run over all rows of the read, in fp32 and from the log-sum-exp of each row, so no T x T matrix
    exists; the original sums half-precision weights. They favour early tokens, which more rows see. Positions stay as they were; the original
    may also move what is left together ("real drop"). With a budget of K slots: heavy = floor(K / 2), recent = K - heavy.
    """

    heavy_tokens: int | None = None
    recent_tokens: int | None = None

    name: ClassVar[str] = "h2o"
    category: ClassVar[str] = "KV dropping"
    paper: ClassVar[str] = "H2O, arXiv 2306.14048"
    presets: ClassVar[dict[str, dict[str, object]]] = {
        "paper": {"tau": "1/5"},
        "code": {"heavy_tokens": 2040, "recent_tokens": 8},
    }
    needs: ClassVar[frozenset[str]] = frozenset({COLUMN_SUMS})
    minimum_tokens: ClassVar[int] = 8
    comparable: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super(H2O, self).__post_init__()
        if (self.heavy_tokens is None) != (self.recent_tokens is None):
            raise Mismatch(f"{self}: give heavy_tokens and recent_tokens together, or a budget (tau, budget_tokens)")
        own = self.own_tokens()
        if own is not None and (min(self.heavy_tokens or 0, self.recent_tokens or 0) < 0 or own < 1):
            raise Mismatch(f"{self}: heavy_tokens and recent_tokens are counts, and at least one slot must stay")

    def own_tokens(self) -> int | None:
        return None if self.heavy_tokens is None or self.recent_tokens is None else self.heavy_tokens + self.recent_tokens

    def recent(self, tokens: int) -> int:
        """Newest slots that stay whatever they received."""
        if self.tau is None and self.budget_tokens is None and self.recent_tokens is not None:
            return self.recent_tokens
        budget = self.budget(tokens)
        return budget - budget // 2

    def rank(self, view: LayerView) -> Tensor:
        sums = view.observed.column_sums_HS
        assert sums is not None, "the column sums of attention are needed and the read did not observe them"
        scores_HS = sums.clone()
        scores_HS[:, view.tokens - self.recent(view.tokens) :] = float("inf")
        return scores_HS
