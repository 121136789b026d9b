"""H2O: the slots that received most attention over the whole read stay, and the newest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scbench.errors import Mismatch
from scbench.kernels.column_sums import column_sums
from scbench.kv import CacheShape, LayerView
from scbench.methods.compression import plain_ranks
from scbench.methods.compression.plain_ranks import ranks_are
from scbench.methods.compression.rolling_eviction import Rolling, RollingTail
from scbench.methods.contract import COLUMN_SUMS, top_slots
from scbench.methods.invariants import Invariants, Passed, Trial
from scbench.tensors import Tensor, functional, torch


@dataclass(frozen=True, slots=True, kw_only=True)
class H2O(Rolling):
    """Keep the newest `recent_tokens` and the `heavy_tokens` others with the largest column sum of
    softmax attention, mean over the group.

    Source: H2O (arXiv 2306.14048). The sums run over all rows of the read, in fp32 and from the
    log-sum-exp of each row, so no T x T matrix exists; the original sums half-precision weights.
    They favour early tokens, which more rows see. Positions stay as they were unless
    `position_mode=cache` moves what is left together (the original's "real drop"). With a budget of
    K slots: heavy = floor(K / 2), recent = K - heavy. `rolling=yes` is its own form: sums go on
    growing, and every forward evicts the slots with the smallest that are not recent.
    """

    heavy_tokens: int | None = None
    recent_tokens: int | None = None

    scored_by: ClassVar[frozenset[str]] = frozenset({COLUMN_SUMS})
    minimum_tokens: ClassVar[int] = 8
    has_shares: ClassVar[bool] = True
    extra_slot_bytes: ClassVar[int] = 4  # the sums

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.heavy_tokens is None) != (self.recent_tokens is None):
            raise Mismatch(
                f"{self}: give heavy_tokens and recent_tokens together, or a budget (tau, "
                f"budget_tokens)"
            )
        own = self.own_tokens()
        if own is not None and (
            min(self.heavy_tokens or 0, self.recent_tokens or 0) < 0 or own < 1
        ):
            raise Mismatch(
                f"{self}: heavy_tokens and recent_tokens are counts, and at least one slot must "
                f"stay"
            )

    def own_tokens(self) -> int | None:
        return (
            None
            if self.heavy_tokens is None or self.recent_tokens is None
            else self.heavy_tokens + self.recent_tokens
        )

    def recent(self, tokens: int) -> int:
        """Newest slots that stay whatever they received."""
        if self.tau is None and self.budget_tokens is None and self.recent_tokens is not None:
            return self.recent_tokens
        budget = self.budget(tokens)
        return budget - budget // 2

    def units(
        self, *, shape: CacheShape, tokens: int, question_tokens: int | None = None
    ) -> dict[str, int]:
        recent = self.recent(tokens)
        return {"heavy_tokens": self.budget(tokens) - recent, "recent_tokens": recent}

    def rank(self, view: LayerView) -> Tensor:
        scores_HS = received(view).clone()
        scores_HS[:, view.tokens - self.recent(view.tokens) :] = float("inf")
        return scores_HS

    def invariants(self) -> Invariants:
        found = Rolling.invariants(self)
        found["a score is all attention that a slot received, and the newest stay"] = ranks_are(
            self.rank, self._plain, "sums"
        )
        return found

    def _plain(self, trial: Trial, layer: int) -> Tensor | None:
        if trial.context is None:
            return None
        view = trial.views[layer]
        sums_HS = plain_ranks.received(trial.context[layer], view.scale)
        budget = self.budget(view.tokens)
        recent = self.recent_tokens if budget == self.own_tokens() else budget - budget // 2
        sums_HS[:, view.tokens - (recent or 0) :] = float("inf")
        return sums_HS

    def weights_of(self, q_HGTD: Tensor, k_HSD: Tensor, scale: float) -> Tensor:
        """What a forward adds to the sums of a rolling cache, in plain words."""
        return plain_ranks.received(Passed(q_HGTD, k_HSD, k_HSD), scale)

    def tail(self, view: LayerView, kept: list[Tensor]) -> RollingTail:
        return HeavyTail(view, kept, self.budget(view.tokens), self.recent(view.tokens))


def received(view: LayerView) -> Tensor:
    """Attention every slot received during the read, (H, T)."""
    sums = view.observed.column_sums_HS
    assert sums is not None, (
        "the column sums of attention are needed and the read did not observe them"
    )
    return sums


class HeavyTail(RollingTail):
    """Carries the attention each slot has received; a new token begins with its own weight on
    itself.
    """

    def __init__(self, view: LayerView, kept: list[Tensor], budget: int, recent: int) -> None:
        super().__init__(view, kept, budget)
        self.recent = recent
        self.sums_HS = received(view).gather(1, torch.stack(kept).to(self.k_HSD.device))

    def weigh(self, q_HGTD: Tensor, k_HSD: Tensor, lse_HGT: Tensor, *, scale: float) -> None:
        before = functional.pad(self.sums_HS, (0, q_HGTD.shape[2]))
        self.sums_HS = before + column_sums(q_HGTD, k_HSD, lse_HGT, scale=scale)

    def best(self) -> Tensor:
        scores_HS = self.sums_HS.clone()
        scores_HS[:, self.slots - self.recent :] = float("inf")
        return top_slots(scores_HS, self.budget)

    def take(self, kept_HB: Tensor) -> None:
        super().take(kept_HB)
        self.sums_HS = self.sums_HS.gather(1, kept_HB)

    def tensors(self) -> dict[str, Tensor]:
        return {**super().tensors(), "rolling_sums": self.sums_HS}
