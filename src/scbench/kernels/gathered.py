"""Attention where every query token reads slots of its own choice."""

from __future__ import annotations

from scbench.kernels.attention import Partial
from scbench.tensors import Tensor, torch

GATHER_BYTES = (
    64 << 20
)  # of gathered K at a time: bounds the transient memory of a block of queries


def largest(scores: Tensor, count: int) -> Tensor:
    """Indices of the `count` largest scores along the last axis, ascending. Ties go to the lower
    index, which topk leaves to chance.

    Scores are numbers or infinities, not NaN; 1 <= count <= their number.
    """
    bound = scores.topk(count, dim=-1).values[..., -1:]
    above, level = scores > bound, scores == bound
    spare = count - above.sum(dim=-1, keepdim=True)
    chosen = above | (level & (level.cumsum(dim=-1) <= spare))
    return chosen.nonzero()[:, -1].view(*scores.shape[:-1], count)


def gathered(
    q_HGTD: Tensor,
    k_HSD: Tensor,
    v_HSD: Tensor,
    slots_HGTR: Tensor,
    inside_HGTR: Tensor | None = None,
    *,
    scale: float,
) -> Partial:
    """Every query token sees the R slots chosen for it, of which only those marked `inside` count
    (None: all).

    The G axis of `slots` and `inside` is 1 where the queries of a KV head share one choice: K and V
    are then gathered once for all of them.
    """
    heads, _, tokens, dim = q_HGTD.shape
    row_bytes = heads * slots_HGTR.shape[1] * slots_HGTR.shape[3] * dim * k_HSD.element_size()
    rows = max(1, GATHER_BYTES // max(1, row_bytes))
    parts = []
    for at in range(0, tokens, rows):
        cut = slice(at, at + rows)
        inside = None if inside_HGTR is None else inside_HGTR[:, :, cut]
        parts.append(_rows(q_HGTD[:, :, cut], k_HSD, v_HSD, slots_HGTR[:, :, cut], inside, scale))
    return Partial(*(torch.cat(piece, dim=2) for piece in zip(*parts, strict=True)))


def _rows(
    q_HGTD: Tensor, k_HSD: Tensor, v_HSD: Tensor, slots: Tensor, inside: Tensor | None, scale: float
) -> Partial:
    heads, group, tokens, dim = q_HGTD.shape
    head = torch.arange(heads, device=k_HSD.device)[:, None, None, None]
    k, v = (
        k_HSD[head, slots],
        v_HSD[head, slots],
    )  # (H, choices, T, R, D): as many choices as one KV head makes per token
    q = q_HGTD.reshape(heads, slots.shape[1], -1, tokens, dim).transpose(
        2, 3
    )  # the queries of one choice are rows of one matrix
    scores = torch.matmul(q, k.transpose(-1, -2)).float() * scale
    if inside is not None:
        scores = scores.masked_fill(~inside.unsqueeze(3), float("-inf"))
    lse = torch.logsumexp(scores, dim=-1)
    weights = torch.exp(scores - lse.masked_fill(lse == float("-inf"), 0.0).unsqueeze(-1)).to(
        v.dtype
    )
    out = torch.matmul(weights, v).transpose(2, 3).reshape(heads, group, tokens, dim)
    return Partial(out, lse.transpose(2, 3).reshape(heads, group, tokens))
