"""Plain attention in fp32: slow, readable, and what every fast path is tested against."""

from __future__ import annotations

from scbench.tensors import Tensor, torch


def attend(
    q_HGTD: Tensor, k_HSD: Tensor, v_HSD: Tensor, *, scale: float, mask_TS: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Softmax attention of every query over the keys its mask row allows (True = visible), and the
    log-sum-exp of its scores.

    Shapes: returns (H, G, T, D) in q's dtype and (H, G, T) in fp32. A row that sees no key gives
    zeros and -inf. `mask_TS` may also carry leading head axes (H, G, T, S).
    """
    scores = torch.einsum("hgtd,hsd->hgts", q_HGTD.float(), k_HSD.float()) * scale
    if mask_TS is not None:
        scores = scores.masked_fill(~mask_TS, float("-inf"))
    lse = torch.logsumexp(scores, dim=-1)
    weights = torch.exp(scores - lse.masked_fill(lse == float("-inf"), 0.0).unsqueeze(-1))
    return torch.einsum("hgts,hsd->hgtd", weights, v_HSD.float()).to(q_HGTD.dtype), lse


def causal_mask(queries: int, keys: int, *, device: torch.device | None = None) -> Tensor:
    """(T, S) True where visible: the last query sees every key, the one before all but the last,
    and so on.
    """
    rows = torch.arange(queries, device=device).unsqueeze(1) + (keys - queries)
    return torch.arange(keys, device=device) <= rows
