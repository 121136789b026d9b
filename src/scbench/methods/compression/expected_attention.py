"""Expected attention: keys are scored by the attention that queries still to come are expected to
pay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scbench.errors import Mismatch
from scbench.kv import CacheShape, LayerView
from scbench.kv.snapshot import MOMENTS_SKIP_ROWS
from scbench.methods.compression import plain_ranks
from scbench.methods.compression.plain_ranks import ranks_are
from scbench.methods.contract import QUERY_MOMENTS, Eviction
from scbench.methods.invariants import Invariants, Trial
from scbench.methods.traits import Traits
from scbench.tensors import Tensor, torch

BLOCK_KEYS = 4096  # keys scored at a time: bounds k^T Sigma to H * G * 4096 * D floats


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedAttention(Eviction):
    """Future queries are drawn from a Gaussian with the moments of those seen, turned to the mean
    of the next `future_tokens` positions.

    Source: Expected Attention (arXiv 2510.00636). E exp(q.k s) = exp(mu.k s + k^T Sigma k s^2 / 2);
    softmax over all keys, mean over the group, (share + eps) * ||v||. The mean of rotations is no
    rotation: it damps fast frequencies, as it should. The first four rows are left out of the
    moments. Ours takes the softmax over all keys, sinks included, so that Sigma = 0 and one future
    position is true attention; kvpress leaves the sinks out first. `sink_tokens` first slots always
    stay, at most a quarter of the budget.
    """

    capacity_tokens: int | None = None
    future_tokens: int = 512
    sink_tokens: int = 4
    eps: float = 0.0

    needs: ClassVar[frozenset[str]] = frozenset({QUERY_MOMENTS})
    minimum_tokens: ClassVar[int] = 8
    traits: ClassVar[Traits] = Traits(has_comparable_ranks=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.future_tokens < 1 or self.sink_tokens < 0 or self.eps < 0:
            raise Mismatch(
                f"{self}: future_tokens is at least 1, sink_tokens and eps are at least 0"
            )
        if self.capacity_tokens is not None and self.capacity_tokens < self.minimum_tokens:
            raise Mismatch(f"{self}: capacity_tokens is at least {self.minimum_tokens}")

    def own_tokens(self) -> int | None:
        return self.capacity_tokens

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        super().check(shape=shape, tokens=tokens)
        if tokens <= MOMENTS_SKIP_ROWS + 1 and self.budget(tokens) < tokens:
            raise Mismatch(
                f"{self} needs more than {MOMENTS_SKIP_ROWS + 1} tokens to know the spread of "
                f"queries, and the prompt has {tokens}"
            )

    def _sinks(self, tokens: int) -> int:
        return min(self.sink_tokens, self.budget(tokens) // 4)

    def units(
        self, *, shape: CacheShape, tokens: int, question_tokens: int | None = None
    ) -> dict[str, int]:
        return {"sink_tokens": self._sinks(tokens), "future_tokens": self.future_tokens}

    def notes(self, *, shape: CacheShape, tokens: int) -> tuple[str, ...]:
        return (
            ("expected_attention_covariance_rank_deficient",)
            if tokens - MOMENTS_SKIP_ROWS < max((x.key_dim for x in shape.attending), default=0)
            else ()
        )

    def rank(self, view: LayerView) -> Tensor:
        seen = view.observed
        assert seen.query_mean_HGD is not None, (
            "moments of the queries are needed and the read did not observe them"
        )
        assert seen.query_scatter_HGDD is not None
        assert view.rotate is not None
        turn_DD = mean_rotation(view, self.future_tokens)
        mean_HGD = seen.query_mean_HGD @ turn_DD
        spread_HGDD = turn_DD.T @ (seen.query_scatter_HGDD / seen.query_rows) @ turn_DD
        logits = [
            expected_logits(
                mean_HGD, spread_HGDD, view.k_HSD[:, at : at + BLOCK_KEYS], scale=view.scale
            )
            for at in range(0, view.tokens, BLOCK_KEYS)
        ]
        shares_HS = torch.softmax(torch.cat(logits, dim=-1), dim=-1).mean(dim=1)
        scores_HS: Tensor = (shares_HS + self.eps) * view.v_HSD.float().norm(dim=-1)
        scores_HS[:, : self._sinks(view.tokens)] = float("inf")
        return scores_HS

    def invariants(self) -> Invariants:
        found = Eviction.invariants(self)
        if self.eps == 0:
            found["a score is the attention of a Gaussian of queries, times the value's norm"] = (
                ranks_are(self.rank, self._plain, "expected attention")
            )
        return found

    def _plain(self, trial: Trial, layer: int) -> Tensor | None:
        if trial.context is None:
            return None
        view, q_HGTD = trial.views[layer], trial.context[layer].q_HGTD
        back = -torch.arange(view.tokens)
        bare = torch.stack(
            [torch.stack([trial.turn(q_TD, back) for q_TD in q_GTD]) for q_GTD in q_HGTD]
        )
        seen = bare[:, :, MOMENTS_SKIP_ROWS:]
        ranks_HS = plain_ranks.expected(view, seen, trial.turn, self.future_tokens)
        ranks_HS[:, : min(self.sink_tokens, self.budget(view.tokens) // 4)] = float("inf")
        return ranks_HS


def mean_rotation(view: LayerView, future_tokens: int) -> Tensor:
    """(D, D): a query before RoPE times it is its mean over the next `future_tokens` positions, as
    the model would turn it there.
    """
    assert view.rotate is not None, "the model's rotation is needed and the read did not keep it"
    dim = view.k_HSD.shape[-1]
    basis_DMD = (
        torch.eye(dim, device=view.k_HSD.device).unsqueeze(1).expand(dim, future_tokens, dim)
    )
    at = torch.arange(view.tokens, view.tokens + future_tokens, device=view.k_HSD.device)
    return view.rotate(basis_DMD, at).mean(dim=1)


def expected_logits(
    mean_HGD: Tensor, spread_HGDD: Tensor, k_HSD: Tensor, *, scale: float
) -> Tensor:
    """Log of the expected exp score of each key under N(mean, spread): (H, G, S) in fp32."""
    k = k_HSD.float()
    linear = torch.einsum("hgd,hsd->hgs", mean_HGD, k) * scale
    turned = torch.einsum("hsd,hgde->hgse", k, spread_HGDD)
    return linear + torch.einsum("hgse,hse->hgs", turned, k) * (scale * scale / 2)
