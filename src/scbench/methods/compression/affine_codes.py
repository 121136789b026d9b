"""Asymmetric round-to-nearest: groups of numbers as codes, a scale and a minimum. KIVI and RTN
write with it.
"""

from __future__ import annotations

from typing import NamedTuple

from scbench.errors import Mismatch
from scbench.kv.bits import pack, unpack
from scbench.methods.compression.coded_store import Coder
from scbench.methods.compression.coded_store import Codes as AnyCodes
from scbench.tensors import Tensor, torch


class Codes(NamedTuple):
    """Packed codes and the 16-bit scale and minimum of each group (last axis of `packed` is one
    group).
    """

    packed: Tensor
    scale: Tensor
    low: Tensor


def quantise(groups: Tensor, bits: int) -> Codes:
    """Round (..., g) to codes; the error is at most s / 2 plus the rounding of s and m to 16 bits.
    A constant group has s = 0 and is its minimum.
    """
    half = torch.bfloat16 if groups.dtype == torch.bfloat16 else torch.float16
    low = groups.amin(dim=-1).to(half)
    scale = ((groups.amax(dim=-1).float() - low.float()) / (2**bits - 1)).to(half)
    if not (torch.isfinite(low).all() and torch.isfinite(scale).all()):
        raise Mismatch(
            "keys or values that are not finite, or too large for 16-bit scales, cannot be "
            "quantised: they would spread over their group"
        )
    step = scale.float().masked_fill(scale == 0, 1.0).unsqueeze(-1)
    codes = ((groups.float() - low.float().unsqueeze(-1)) / step).round_().clamp_(0, 2**bits - 1)
    return Codes(pack(codes.to(torch.uint8), bits), scale, low)


def dequantise(codes: AnyCodes, bits: int, dtype: torch.dtype) -> Tensor:
    """The groups back, (..., g)."""
    packed, scale, low = codes
    return (
        unpack(packed, bits)
        .to(dtype)
        .mul_(scale.to(dtype).unsqueeze(-1))
        .add_(low.to(dtype).unsqueeze(-1))
    )


class ChannelGroups(Coder):
    """Groups of `group` consecutive channels of one token: packed (H, S, D / g, bytes)."""

    names: tuple[str, ...] = Codes._fields

    def __init__(self, bits: int, group: int) -> None:
        self.bits, self.group = bits, group

    def write(self, x_HSD: Tensor) -> Codes:
        return quantise(x_HSD.reshape(*x_HSD.shape[:2], -1, self.group), self.bits)

    def read(self, codes: AnyCodes, dtype: torch.dtype) -> Tensor:
        return dequantise(codes, self.bits, dtype).flatten(2, 3)


class TokenGroups(Coder):
    """Groups of `group` consecutive tokens of one channel: packed (H, S / g, D, bytes)."""

    names: tuple[str, ...] = Codes._fields

    def __init__(self, bits: int, group: int) -> None:
        self.bits, self.group = bits, group
        self.group_slots = group

    def write(self, x_HSD: Tensor) -> Codes:
        heads, _, dim = x_HSD.shape
        return quantise(x_HSD.reshape(heads, -1, self.group, dim).transpose(2, 3), self.bits)

    def read(self, codes: AnyCodes, dtype: torch.dtype) -> Tensor:
        return dequantise(codes, self.bits, dtype).transpose(2, 3).flatten(1, 2)
