"""The most attention that keys receive from any of some queries."""

from __future__ import annotations

from scbench.tensors import Tensor, torch

TILE_BYTES = 64 << 20  # of fp32 scores at a time


def column_max(q_HGTD: Tensor, k_HSD: Tensor, own_HTD: Tensor, *, scale: float) -> Tensor:
    """Largest softmax weight each of S keys gets from T queries and the group's heads: (H, S) in
    fp32, in [0, 1].

    The softmax runs over the S keys, which every query sees, and the queries' own T keys, causally.
    """
    heads, group, tokens, _ = q_HGTD.shape
    slots = k_HSD.shape[1]
    k = torch.cat([k_HSD, own_HTD], dim=1).float()
    best = torch.zeros((heads, slots), dtype=torch.float32, device=k.device)
    at = torch.arange(slots + tokens, device=k.device)
    rows = max(1, TILE_BYTES // (heads * group * (slots + tokens) * 4))
    for row in range(0, tokens, rows):
        last = min(row + rows, tokens)
        scores = torch.einsum("hgtd,hsd->hgts", q_HGTD[:, :, row:last].float() * scale, k)
        seen_until = torch.arange(slots + row, slots + last, device=k.device).unsqueeze(1)
        weights = torch.softmax(scores.masked_fill_(at > seen_until, float("-inf")), dim=-1)[
            ..., :slots
        ]
        best = torch.maximum(best, weights.amax(dim=(1, 2)))
    return best
