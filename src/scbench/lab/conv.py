"""The causal depthwise convolution with SiLU in front of a Mamba-2 scan, for training on a CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional


def causal_conv(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """silu(sum_k weight[c, k] x[b, t - (taps - 1) + k, c] + bias[c]) of x [b, t, c] and weight [c,
    taps]; nothing lies before the first position.
    """
    with torch.autocast(x.device.type, enabled=False):
        out: Tensor = _Conv.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return out


class _Conv(torch.autograd.Function):
    """Forward by the library's channels-last kernel; backward tap by tap, because the library's
    depthwise backward is several times slower.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # type: ignore[override]
        taps, tokens = weight.shape[1], x.shape[1]
        flat = x.transpose(1, 2)[:, :, None]  # [b, c, 1, t] with c innermost in memory
        pre = functional.conv2d(
            flat, weight[:, None, None], bias, padding=(0, taps - 1), groups=weight.shape[0]
        )
        pre = pre[:, :, 0, :tokens].transpose(1, 2)
        ctx.save_for_backward(x, weight, pre)
        ctx.has_bias = bias is not None
        return functional.silu(pre)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gy: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        x, weight, pre = ctx.saved_tensors
        tokens = x.shape[1]
        gx = torch.zeros(x.shape, dtype=x.dtype, device=x.device)
        gweight, gbias = torch.zeros_like(weight), torch.zeros_like(weight[:, 0])
        for row in range(x.shape[0]):  # one sequence at a time stays in the cache
            gpre = torch.ops.aten.silu_backward(gy[row], pre[row])
            gbias += gpre.sum(0)
            for back in range(min(weight.shape[1], tokens)):
                tap, kept = weight.shape[1] - 1 - back, tokens - back
                gx[row, :kept].addcmul_(gpre[back:], weight[:, tap])
                gweight[:, tap] += (gpre[back:] * x[row, :kept]).sum(0)
        return gx, gweight, gbias if ctx.has_bias else None
