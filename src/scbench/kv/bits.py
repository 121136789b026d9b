"""Whole-number codes of 1 to 8 bits, packed eight codes to `bits` bytes."""

from __future__ import annotations

from scbench.tensors import Tensor, torch


def pack(codes: Tensor, bits: int) -> Tensor:
    """(..., n) uint8 codes below 2^bits to (..., n * bits / 8) bytes; n must be a multiple of 8."""
    assert codes.shape[-1] % 8 == 0, (
        f"{codes.shape[-1]} codes do not fill bytes; pack multiples of 8"
    )
    if bits == 8:
        return codes
    if 8 % bits == 0:
        lanes = _runs(codes, 8 // bits).to(torch.int32)
        return (lanes << _shifts(8 // bits, bits, codes.device)).sum(dim=-1).to(torch.uint8)
    words = (_runs(codes, 8).to(torch.int64) << _shifts(8, bits, codes.device)).sum(dim=-1)
    return (
        ((words.unsqueeze(-1) >> _shifts(bits, 8, codes.device)) & 255).to(torch.uint8).flatten(-2)
    )


def unpack(packed: Tensor, bits: int) -> Tensor:
    """The inverse of `pack`: (..., m) bytes to (..., m * 8 / bits) uint8 codes."""
    if bits == 8:
        return packed
    mask = (1 << bits) - 1
    if 8 % bits == 0:
        lanes = packed.unsqueeze(-1) >> _shifts(8 // bits, bits, packed.device).to(torch.uint8)
        return (lanes & mask).flatten(-2)
    words = (_runs(packed, bits).to(torch.int64) << _shifts(bits, 8, packed.device)).sum(dim=-1)
    return (
        ((words.unsqueeze(-1) >> _shifts(8, bits, packed.device)) & mask)
        .to(torch.uint8)
        .flatten(-2)
    )


def _runs(x: Tensor, length: int) -> Tensor:
    """(..., n) to (..., n / length, length)."""
    return x.reshape(*x.shape[:-1], -1, length)


def _shifts(count: int, step: int, device: torch.device) -> Tensor:
    return torch.arange(count, device=device) * step
