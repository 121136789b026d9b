"""Attention that keys receive, without ever holding the T x S matrix."""

from __future__ import annotations

from scbench.tensors import Tensor, torch

TILE_BYTES = 64 << 20  # of fp32 scores at a time
TILE_KEYS = 2048


def column_sums(q_HGTD: Tensor, k_HSD: Tensor, lse_HGT: Tensor, *, scale: float) -> Tensor:
    """Softmax attention each key gets from T queries, summed over them, mean over the group: (H, S)
    in fp32.

    Query t sees the keys 0 .. S - T + t. `lse_HGT` is the log-sum-exp of each query's scores over
    them, as the attention kernels return it: the weights follow tile by tile, and sum over the keys
    to T.
    """
    heads, group, tokens, _ = q_HGTD.shape
    slots = k_HSD.shape[1]
    sums = torch.zeros((heads, slots), dtype=torch.float32, device=k_HSD.device)
    rows = max(1, TILE_BYTES // (heads * group * min(slots, TILE_KEYS) * 4))
    first = slots - tokens
    for row in range(0, tokens, rows):
        last = min(row + rows, tokens)
        q, lse = q_HGTD[:, :, row:last].float() * scale, lse_HGT[:, :, row:last].unsqueeze(-1)
        for key in range(0, first + last, TILE_KEYS):
            end = min(key + TILE_KEYS, first + last)
            scores = torch.einsum("hgtd,hsd->hgts", q, k_HSD[:, key:end].float())
            weights = scores.sub_(lse).exp_()
            if end > first + row + 1:  # the tile reaches into some row's future
                at = torch.arange(key, end, device=k_HSD.device)
                seen_until = torch.arange(first + row, first + last, device=k_HSD.device).unsqueeze(
                    1
                )
                weights.masked_fill_(at > seen_until, 0.0)
            sums[:, key:end] += weights.sum(dim=2).mean(dim=1)
    return sums
