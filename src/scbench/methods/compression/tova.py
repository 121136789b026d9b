"""TOVA: the last query alone ranks the slots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scbench.errors import Mismatch
from scbench.kernels.column_sums import column_sums
from scbench.kv import LayerView
from scbench.methods.compression import plain_ranks
from scbench.methods.compression.plain_ranks import ranks_are
from scbench.methods.compression.rolling_eviction import Rolling, RollingTail
from scbench.methods.compression.window_voting import window_attention
from scbench.methods.contract import WINDOW, top_slots
from scbench.methods.invariants import Invariants, Passed, Trial
from scbench.tensors import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class TOVA(Rolling):
    """Score = attention of the last query, mean over all query heads of the layer: one ranking per
    layer, and all heads hold the same slots.

    Source: Transformers are Multi-State RNNs (arXiv 2401.06104). Compressed after the bare context,
    the last token is a context token and the ranking nearly arbitrary: read its numbers by timing.
    The last token itself always stays. `rolling=yes` is its own form: every forward evicts what its
    last token attends to least.
    """

    capacity_tokens: int | None = None

    scored_by: ClassVar[frozenset[str]] = frozenset({WINDOW})
    has_shares: ClassVar[bool] = True
    minimum_tokens: ClassVar[int] = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.capacity_tokens is not None and self.capacity_tokens < self.minimum_tokens:
            raise Mismatch(f"{self}: capacity_tokens is at least {self.minimum_tokens}")

    def own_tokens(self) -> int | None:
        return self.capacity_tokens

    def rank(self, view: LayerView) -> Tensor:
        observed = view.observed.window_HGWD
        assert observed is not None, "the last query is needed and the read did not observe it"
        weights_S = window_attention(observed[:, :, -1:], view.k_HSD, scale=view.scale).mean(
            dim=(0, 1)
        )
        weights_S[-1] = float("inf")
        return weights_S.expand(view.k_HSD.shape[0], -1)

    def invariants(self) -> Invariants:
        found = Rolling.invariants(self)
        found["a score is the last query's attention, one for all heads of a layer"] = ranks_are(
            self.rank, self._plain, "attention of the last query"
        )
        return found

    @staticmethod
    def _plain(trial: Trial, layer: int) -> Tensor:
        view = trial.views[layer]
        window = view.observed.window_HGWD
        assert window is not None, "the last queries were not observed"
        weights_S = plain_ranks.received(
            Passed(window[:, :, -1:], view.k_HSD, view.v_HSD), view.scale
        ).mean(dim=0)
        weights_S[-1] = float("inf")
        return weights_S.expand(view.heads, -1)

    def weights_of(self, q_HGTD: Tensor, k_HSD: Tensor, scale: float) -> Tensor:
        """What the last query of a forward says of all that is held, in plain words."""
        passed = Passed(q_HGTD[:, :, -1:], k_HSD, k_HSD)
        weights_S = plain_ranks.received(passed, scale).mean(dim=0)
        return weights_S.expand(len(k_HSD), -1)

    def tail(self, view: LayerView, kept: list[Tensor]) -> RollingTail:
        return LastQueryTail(view, kept, self.budget(view.tokens))


class LastQueryTail(RollingTail):
    """The newest query says what stays, for all heads alike."""

    def weigh(self, q_HGTD: Tensor, k_HSD: Tensor, lse_HGT: Tensor, *, scale: float) -> None:
        if self.slots > self.budget:
            self.weights_S = column_sums(
                q_HGTD[:, :, -1:], k_HSD, lse_HGT[:, :, -1:], scale=scale
            ).mean(dim=0)

    def best(self) -> Tensor:
        weights_S = self.weights_S.clone()
        weights_S[-1] = float("inf")
        return top_slots(weights_S.unsqueeze(0), self.budget).expand(self.k_HSD.shape[0], -1)
