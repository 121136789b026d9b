"""Attention of a whole prefix (T = S) under a sparse pattern: what a pattern lets a row see, as a
mask, and the same attention without the T x T matrix.

Two kinds of pattern cover the published ones. A block pattern marks key blocks per query block. A
vertical-slash pattern marks columns (keys that every later row sees) and offsets (row - key),
exactly or by whole tiles. The fast forms gather the keys that a block of rows sees and hand many
such blocks to one flash kernel call; causality inside a row's own block is always exact.
"""

from __future__ import annotations

from scbench.kernels import reference
from scbench.kernels.attention import Partial, causal, full, in_rows, merge
from scbench.tensors import Tensor, functional, torch

TILE_ROWS = 64
GATHER_BYTES = (
    8 << 20
)  # of gathered K (and as much of V) at a time: what still lies in a core's cache when the kernel reads it


def block_mask(seen_HGRC: Tensor, block_tokens: int, tokens: int) -> Tensor:
    """(H, G, T, T) True where visible: whole key blocks that `seen` marks before a row's own block,
    and its own block, all causal.
    """
    rows = seen_HGRC.shape[2]
    whole = seen_HGRC | torch.eye(rows, dtype=torch.bool, device=seen_HGRC.device)
    mask = whole.repeat_interleave(block_tokens, dim=2).repeat_interleave(block_tokens, dim=3)[
        :, :, :tokens, :tokens
    ]
    return mask & reference.causal_mask(tokens, tokens, device=seen_HGRC.device)


def vertical_slash_mask(columns_S: Tensor, offsets_S: Tensor, *, whole_tiles: bool) -> Tensor:
    """(T, T) True where visible: key j <= row i with column j or offset i - j marked. Offset 0 must
    be marked, so no row is empty.

    `whole_tiles`: all 64 rows of a tile see every key that one of them reaches by an offset, which
    is what the published GPU kernel computes.
    """
    tokens = len(columns_S)
    rows, keys = (
        torch.arange(tokens, device=columns_S.device).unsqueeze(1),
        torch.arange(tokens, device=columns_S.device),
    )
    if whole_tiles:
        starts = rows // TILE_ROWS * TILE_ROWS
        slashes = (keys >= starts) | reach(offsets_S)[(starts - keys).clamp(min=0)]
    else:
        slashes = offsets_S[(rows - keys).clamp(min=0)]
    return (columns_S | slashes) & (keys <= rows)


def reach(offsets_S: Tensor) -> Tensor:
    """(S,) True at u if a tile that starts u tokens after a key has a row which reaches that key:
    some marked offset in u .. u + 63.
    """
    padded = functional.pad(offsets_S.to(torch.int32).cumsum(0), (1, 0))
    at = torch.arange(len(offsets_S), device=offsets_S.device)
    return padded[(at + TILE_ROWS).clamp(max=len(offsets_S))] > padded[at]


def blocks(
    q_HGTD: Tensor,
    k_HTD: Tensor,
    v_HTD: Tensor,
    seen_HGRC: Tensor,
    block_tokens: int,
    *,
    scale: float,
) -> Partial:
    """Attention under `block_mask`. Row blocks that see equally many past blocks go through the
    kernel together.
    """
    heads, group, tokens, dim = q_HGTD.shape
    q_NbD, k_HRbD, v_HRbD = (
        _in_blocks(x, block_tokens) for x in (q_HGTD.transpose(0, 1), k_HTD, v_HTD)
    )
    rows = k_HRbD.shape[1]
    q_NbD = q_NbD.permute(1, 2, 0, 3, 4)  # (H, R, G, b, D)
    own = causal(q_NbD.flatten(0, 1), k_HRbD.flatten(0, 1), v_HRbD.flatten(0, 1), scale=scale)
    past = Partial(
        torch.zeros_like(own.out).view(-1, block_tokens, dim),
        torch.full_like(own.lse, float("-inf")).view(-1, block_tokens),
    )
    q_NbD = q_NbD.reshape(-1, block_tokens, dim)
    before = torch.arange(rows, device=q_HGTD.device).unsqueeze(1) > torch.arange(
        rows, device=q_HGTD.device
    )
    seen_NC = (seen_HGRC & before).permute(0, 2, 1, 3).reshape(-1, rows)
    counts_N = seen_NC.sum(dim=-1)
    for count in sorted(set(counts_N.tolist()) - {0}):
        step = max(1, GATHER_BYTES // (count * block_tokens * dim * q_HGTD.element_size()))
        for at_N in (counts_N == count).nonzero().squeeze(1).split(step):
            head_N1 = (at_N // (rows * group)).unsqueeze(1)
            columns_NC = seen_NC[at_N].nonzero()[:, 1].view(-1, count)
            k, v = (x[head_N1, columns_NC].flatten(1, 2) for x in (k_HRbD, v_HRbD))
            part = full(q_NbD[at_N].unsqueeze(1), k, v, scale=scale)
            past.out[at_N], past.lse[at_N] = part.out.squeeze(1), part.lse.squeeze(1)
    whole = merge([own, Partial(past.out.view_as(own.out), past.lse.view_as(own.lse))])
    # (H R, G, b, ...) to (H, G, T, ...)
    out_HGTD, lse_HGT = (
        x.view(heads, rows, group, block_tokens, -1)
        .transpose(1, 2)
        .reshape(heads, group, rows * block_tokens, -1)[:, :, :tokens]
        for x in whole
    )
    return Partial(out_HGTD, lse_HGT.squeeze(-1))


def vertical_slash(
    q_TD: Tensor,
    k_TD: Tensor,
    v_TD: Tensor,
    columns_S: Tensor,
    offsets_S: Tensor,
    *,
    scale: float,
    whole_tiles: bool,
) -> Partial:
    """Attention of one query head under `vertical_slash_mask`: (T, D), and (T,)."""
    tokens, dim = q_TD.shape
    q_RbD, k_RbD, v_RbD = (_in_blocks(x.unsqueeze(0), TILE_ROWS)[0] for x in (q_TD, k_TD, v_TD))
    reach_S, windows = reach(offsets_S), _windows(offsets_S, q_TD.dtype)
    parts, first = list[Partial](), 0
    while first < len(q_RbD):
        width = max(
            TILE_ROWS, _most_keys(reach_S, columns_S, min(len(q_RbD) - 1, first + 15) * TILE_ROWS)
        )
        last = min(
            len(q_RbD), first + max(1, min(16, GATHER_BYTES // (width * dim * q_TD.element_size())))
        )
        starts_N = torch.arange(first, last, device=q_TD.device) * TILE_ROWS
        keys_NK, inside_NK = _past_keys(starts_N, reach_S, columns_S)
        seen_whole = torch.ones_like(inside_NK) if whole_tiles else columns_S[keys_NK]
        window_NK = (starts_N.unsqueeze(1) - keys_NK).masked_fill_(seen_whole, tokens + TILE_ROWS)
        past_NKT = windows[window_NK.masked_fill_(~inside_NK, tokens + 2 * TILE_ROWS)]
        own_NTT = _own_bias(starts_N, columns_S, offsets_S, q_TD.dtype, whole_tiles=whole_tiles)
        k, v = (
            torch.cat([x[keys_NK], own[first:last]], dim=1)
            for x, own in ((k_TD, k_RbD), (v_TD, v_RbD))
        )
        parts.append(
            _biased(
                q_RbD[first:last],
                k,
                v,
                torch.cat([past_NKT, own_NTT], dim=1).transpose(1, 2),
                scale,
            )
        )
        first = last
    out_NbD, lse_Nb = (torch.cat(pieces) for pieces in zip(*parts, strict=True))
    return Partial(out_NbD.flatten(0, 1)[:tokens], lse_Nb.flatten()[:tokens])


def _windows(offsets_S: Tensor, dtype: torch.dtype) -> Tensor:
    """Biases of the 64 rows of a tile for one key: window u for a key u before the tile, S + 64 for
    one all see, S + 128 for one none sees.
    """
    one, some = torch.ones_like(offsets_S[:1]), functional.pad(offsets_S, (0, TILE_ROWS))
    return _bias(torch.cat([some, one.expand(TILE_ROWS), ~one.expand(TILE_ROWS)]), dtype).unfold(
        0, TILE_ROWS, 1
    )


def _own_bias(
    starts_N: Tensor, columns_S: Tensor, offsets_S: Tensor, dtype: torch.dtype, *, whole_tiles: bool
) -> Tensor:
    """Biases of each tile's own keys, (N, keys, rows): causal, and by whole tiles nothing more."""
    places = torch.arange(TILE_ROWS, device=starts_N.device)
    apart = places - places.unsqueeze(1)
    if whole_tiles:
        return _bias(apart >= 0, dtype).expand(len(starts_N), -1, -1)
    offsets, columns = (functional.pad(marks, (0, TILE_ROWS)) for marks in (offsets_S, columns_S))
    seen = offsets[apart.clamp(min=0)] | columns[starts_N.unsqueeze(1) + places].unsqueeze(2)
    return _bias(seen & (apart >= 0), dtype)


def _bias(visible: Tensor, dtype: torch.dtype) -> Tensor:
    """0 where visible, -inf elsewhere."""
    return torch.zeros(visible.shape, dtype=dtype, device=visible.device).masked_fill_(
        ~visible, float("-inf")
    )


def _most_keys(reach_S: Tensor, columns_S: Tensor, start: int) -> int:
    """At most as many past keys as a tile at `start` sees."""
    return int(reach_S[1 : start + 1].sum() + columns_S[:start].sum())


def _past_keys(starts_N: Tensor, reach_S: Tensor, columns_S: Tensor) -> tuple[Tensor, Tensor]:
    """Keys before each tile's start that some of its rows may see, ascending, padded to the longest
    list: (N, K) and which of them are real.
    """
    keys_S = torch.arange(int(starts_N[-1]), device=starts_N.device)
    back_NS = starts_N.unsqueeze(1) - keys_S
    seen_NS = (reach_S[back_NS.clamp(min=0)] | columns_S[: len(keys_S)]) & (back_NS > 0)
    counts_N = seen_NS.sum(dim=1)
    most = int(counts_N.max())
    inside_NK = torch.arange(most, device=starts_N.device) < counts_N.unsqueeze(1)
    keys_NK = torch.zeros(len(starts_N), most, dtype=torch.int64, device=starts_N.device)
    keys_NK[inside_NK] = seen_NS.nonzero()[:, 1]
    return keys_NK, inside_NK


def _biased(q_NTD: Tensor, k_NKD: Tensor, v_NKD: Tensor, bias_NTK: Tensor, scale: float) -> Partial:
    """Attention of N independent row blocks, each with its own bias on the scores, (N, T, D) and
    (N, T); every row sees a key."""
    out: Tensor
    if q_NTD.device.type != "cpu":
        scores = torch.einsum("ntd,nkd->ntk", q_NTD.float(), k_NKD.float()) * scale + bias_NTK
        out = torch.einsum("ntk,nkd->ntd", torch.softmax(scores, dim=-1), v_NKD.float()).to(
            q_NTD.dtype
        )
        return Partial(out, torch.logsumexp(scores, dim=-1))
    out, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        in_rows(q_NTD.unsqueeze(1)),
        in_rows(k_NKD.unsqueeze(1)),
        in_rows(v_NKD.unsqueeze(1)),
        attn_mask=bias_NTK.unsqueeze(1),
        scale=scale,
    )
    return Partial(out.squeeze(1), lse.squeeze(1))


def _in_blocks(x: Tensor, block_tokens: int) -> Tensor:
    """(..., T, D) to (..., R, b, D), the last block filled with zeros."""
    padded = functional.pad(x, (0, 0, 0, -x.shape[-2] % block_tokens))
    return padded.reshape(*x.shape[:-2], -1, block_tokens, x.shape[-1])
