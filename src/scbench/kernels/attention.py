"""Fast attention over a part of the keys, with its log-sum-exp.

Both backends are PyTorch's own flash kernels, called at the level that returns the log-sum-exp: one
pass over K and V, no T x S matrix. GQA needs no copy of K or V when every query sees every key: the
G query heads of a KV head are laid out as more rows of one head.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scbench.kernels import reference
from scbench.tensors import Tensor, torch


class Partial(NamedTuple):
    """Attention of some queries over some keys: out (H, G, T, D), and lse (H, G, T) in fp32, the
    natural log of the sum of exp(scaled score).

    A sink, a logit that a model adds to every softmax, is a part that saw one key without a value:

    >>> seen = Partial(torch.ones(1, 1, 1, 2), torch.zeros(1, 1, 1))
    >>> sink = Partial(torch.zeros(1, 1, 1, 2), torch.zeros(1, 1, 1))
    >>> merge([seen, sink]).out.flatten().tolist()
    [0.5, 0.5]
    """

    out: Tensor
    lse: Tensor


def full(q_HGTD: Tensor, k_HSD: Tensor, v_HSD: Tensor, *, scale: float) -> Partial:
    """Every query sees every key. S must be at least 1."""
    heads, group, tokens, dim = q_HGTD.shape
    out, lse = _flash(
        q_HGTD.reshape(1, heads, group * tokens, dim),
        k_HSD.unsqueeze(0),
        v_HSD.unsqueeze(0),
        scale,
        is_causal=False,
    )
    return Partial(out.view(heads, group, tokens, dim), lse.view(heads, group, tokens))


def causal(q_HGTD: Tensor, k_HTD: Tensor, v_HTD: Tensor, *, scale: float) -> Partial:
    """Query t sees keys 0..t of the same T tokens."""
    heads, group, tokens, dim = q_HGTD.shape
    if tokens == 1:
        lse = torch.einsum("hgtd,htd->hgt", q_HGTD.float(), k_HTD.float()) * scale
        return Partial(v_HTD.unsqueeze(1).expand(heads, group, 1, dim), lse)
    q, k, v = (
        x.reshape(1, heads * group, tokens, dim)
        for x in (q_HGTD, _per_query_head(k_HTD, group), _per_query_head(v_HTD, group))
    )
    out, lse = _flash(q, k, v, scale, is_causal=True)
    return Partial(out.view(heads, group, tokens, dim), lse.view(heads, group, tokens))


def masked(
    q_HGTD: Tensor, k_HSD: Tensor, v_HSD: Tensor, mask_TS: Tensor, *, scale: float
) -> Partial:
    """Query t sees the keys its row of `mask_TS` marks True; every row must see at least one."""
    heads, group, tokens, dim = q_HGTD.shape
    if q_HGTD.device.type != "cpu":
        return Partial(*reference.attend(q_HGTD, k_HSD, v_HSD, scale=scale, mask_TS=mask_TS))
    bias = torch.zeros(mask_TS.shape, dtype=q_HGTD.dtype).masked_fill_(~mask_TS, float("-inf"))
    bias = bias.expand(group, *mask_TS.shape).reshape(1, 1, group * tokens, -1)
    out, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        in_rows(q_HGTD.reshape(1, heads, group * tokens, dim)),
        in_rows(k_HSD.unsqueeze(0)),
        in_rows(v_HSD.unsqueeze(0)),
        attn_mask=bias,
        scale=scale,
    )
    return Partial(out.view(heads, group, tokens, dim), lse.view(heads, group, tokens))


def each(
    q_HGND: Tensor, keys: Sequence[Tensor], values: Sequence[Tensor], *, scale: float
) -> Partial:
    """Query n sees all of its own keys `keys[n]` (H, S_n, D), S_n at least 1, and nothing of the
    others'.

    On the CPU the keys are padded into one batch and masked: one kernel instead of N, whose threads
    then wait for each other once.
    """
    heads, group, lanes, dim = q_HGND.shape
    if q_HGND.device.type != "cpu" or lanes == 1:
        return rows_joined(
            [
                full(q_HGND[:, :, n : n + 1], k, v, scale=scale)
                for n, (k, v) in enumerate(zip(keys, values, strict=True))
            ]
        )
    slots = [k.shape[1] for k in keys]
    k_NHSD, v_NHSD = (q_HGND.new_zeros(lanes, heads, max(slots), dim) for _ in range(2))
    bias_NS = q_HGND.new_zeros(lanes, max(slots))
    for n, (k, v) in enumerate(zip(keys, values, strict=True)):
        k_NHSD[n, :, : slots[n]], v_NHSD[n, :, : slots[n]] = k, v
        bias_NS[n, slots[n] :] = float("-inf")
    out, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        q_HGND.permute(2, 0, 1, 3).contiguous(),
        k_NHSD,
        v_NHSD,
        attn_mask=bias_NS[:, None, None, :],
        scale=scale,
    )
    return Partial(out.permute(1, 2, 0, 3), lse.view(lanes, heads, group).permute(1, 2, 0))


def merge(parts: Sequence[Partial]) -> Partial:
    """Attention over the union of disjoint parts: out = sum_i e^(lse_i - lse) out_i with the
    largest lse taken out first.

    A part whose lse is -inf for a row (it saw nothing) adds nothing to that row.
    """
    if len(parts) == 1:
        return parts[0]
    lses = torch.stack([part.lse for part in parts])
    top = lses.amax(dim=0)
    weights = torch.exp(lses - top.masked_fill(top == float("-inf"), 0.0))
    total = weights.sum(dim=0)
    shares = (weights / total.masked_fill(total == 0, 1.0)).to(parts[0].out.dtype).unsqueeze(-1)
    out = torch.stack([part.out for part in parts]).mul_(shares).sum(dim=0)
    return Partial(out, torch.log(total) + top)


def rows_joined(parts: Sequence[Partial]) -> Partial:
    """Attention of rows that follow each other, each part over keys of its own."""
    if len(parts) == 1:
        return parts[0]
    return Partial(
        torch.cat([part.out for part in parts], dim=2),
        torch.cat([part.lse for part in parts], dim=2),
    )


def in_rows(x: Tensor) -> Tensor:
    """The same numbers with those of a row side by side: PyTorch's kernel for the CPU takes that
    for granted, and reads others' numbers where it is not so, without a word.

    >>> turned = torch.arange(6.0).view(1, 1, 3, 2).transpose(2, 3)
    >>> turned.stride(-1), in_rows(turned).stride(-1), bool((in_rows(turned) == turned).all())
    (2, 1, True)
    """
    return x if x.stride(-1) == 1 else x.contiguous()


def _per_query_head(x_HSD: Tensor, group: int) -> Tensor:
    heads, slots, dim = x_HSD.shape
    return x_HSD if group == 1 else x_HSD.unsqueeze(1).expand(heads, group, slots, dim)


def _flash(
    q: Tensor, k: Tensor, v: Tensor, scale: float, *, is_causal: bool
) -> tuple[Tensor, Tensor]:
    """(1, heads, T, D) attention with log-sum-exp on the best kernel this device and dtype have."""
    q, k, v = (in_rows(x) for x in (q, k, v))
    if q.device.type == "cpu":
        out, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            q, k, v, is_causal=is_causal, scale=scale
        )
        return out, lse
    if q.dtype in (torch.bfloat16, torch.float16) and q.shape[-1] % 8 == 0:
        out, lse, *_ = torch.ops.aten._scaled_dot_product_flash_attention(
            q, k, v, is_causal=is_causal, scale=scale
        )
        return out, lse[..., : q.shape[2]]
    out, lse, *_ = torch.ops.aten._scaled_dot_product_efficient_attention(
        q, k, v, None, True, is_causal=is_causal, scale=scale
    )
    return out, lse[..., : q.shape[2]]
