"""fp8: e4m3 floats and a scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import ClassVar, Literal, Self

from scbench.errors import Mismatch
from scbench.kv import CacheShape, LayerShape, Slots
from scbench.methods.compression import plain_codes
from scbench.methods.compression.coded_store import (
    Coder,
    Coders,
    Codes,
    TokenCodec,
    looked_up,
    require_finite,
    require_share,
)
from scbench.methods.compression.plain_codes import come_back_within
from scbench.methods.contract import Codec
from scbench.methods.invariants import Invariants
from scbench.methods.traits import Knob
from scbench.tensors import Tensor, torch

LARGEST = 448.0  # of e4m3


@dataclass(frozen=True, slots=True, kw_only=True)
class FP8(TokenCodec):
    """x ~ s * e4m3(x / s), s = max |x| / 448 over a token, a head or the tensor; s in bf16 (it
    needs range, not digits).

    Error: at most 2^-4 of |x| where |x| / s >= 2^-6, and s * 2^-10 below. Under `head` and `tensor`
    the scale is frozen when the context is coded, and appended numbers beyond its range saturate at
    448 s: that is what transformers does (one scale per tensor) and the preset `code`. Ours codes
    token by token by default, and appended tokens at once. Attention computes in full precision.
    With `tau`: 1/2 or more (8 bits and a scale).
    """

    scale_scope: Literal["token", "head", "tensor"] = "token"
    bits: Literal[8, 16] = 8  # 16: no quantisation
    tau: Fraction | None = None

    knob: ClassVar[Knob | None] = Knob("bits", (8,))

    def __post_init__(self) -> None:
        if self.bits not in (8, 16):
            raise Mismatch(f"fp8[bits={self.bits}]: bits is 8, or 16 for no quantisation")
        if self.tau is not None and not 0 < self.tau <= 1:
            raise Mismatch(f"fp8[tau={self.tau}]: a share lies in (0, 1]; fp8 needs about 1/2")

    def lossless(self, tokens: int) -> Self:
        return replace(self, tau=None, bits=16)

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        if self.tau is None:
            return
        for dim in dict.fromkeys(dim for layer in shape.distinct for dim in layer.dims):
            per_token = Fraction(16, dim) if self.scale_scope == "token" else Fraction(0)
            require_share(self, self.tau, {8: (8 + per_token) / 16})

    def coders(self, slots: Slots) -> Coders | None:
        if self.bits == 16:
            return None
        if self.scale_scope == "token":
            return Coders(Tokens(), Tokens())
        keys, values = zip(*(slots.head(head) for head in range(slots.heads)), strict=True)
        return Coders(frozen(keys, self.scale_scope), frozen(values, self.scale_scope))

    def coded_bytes(self, *, shape: LayerShape, slots: int) -> int:
        """2 H S D, and 2 bytes per scale."""
        if self.bits == 16:
            return shape.slot_bytes * slots
        heads = shape.kv_heads
        scales = {"token": heads * slots, "head": heads, "tensor": 1}[self.scale_scope]
        return shape.slot_numbers * slots + 2 * len(shape.dims) * scales

    def invariants(self) -> Invariants:
        if self.bits == 16:
            return {}
        return {
            "numbers come back within 2^-4 of their size": come_back_within(
                self, lambda x_HSD, is_key: plain_codes.fp8_steps(x_HSD, self.scale_scope)
            ),
            "the largest number is written as the largest of fp8": plain_codes.full_range(self),
        }

    def uneven_bytes(self, *, shape: LayerShape, slots: Sequence[int], appended: int) -> int:
        found = Codec.uneven_bytes(self, shape=shape, slots=slots, appended=appended)
        if self.scale_scope != "tensor" or self.bits == 16:
            return found
        return found - 4 * (len(slots) - 1)  # one scale for all heads, and not one for each


def largest_scale(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """max |x| / 448 over `dims` (kept, of size 1), in bf16. Its rounding moves the largest number
    to at most 449.8 s, which still rounds to 448 s.
    """
    require_finite(x)
    return (x.abs().amax(dim=dims, keepdim=True).float() / LARGEST).to(torch.bfloat16)


def to_fp8(x: Tensor, scale: Tensor) -> Tensor:
    """Bytes of e4m3(x / s), saturating; 0 where s is 0."""
    divided = x.float() / scale.float().masked_fill(scale == 0, 1.0)
    return divided.clamp_(-LARGEST, LARGEST).to(torch.float8_e4m3fn).view(torch.uint8)


def from_fp8(codes: Tensor, scale: Tensor, dtype: torch.dtype) -> Tensor:
    return looked_up(every_fp8(dtype, codes.device), codes).mul_(scale.to(dtype))


@cache
def every_fp8(dtype: torch.dtype, device: torch.device) -> Tensor:
    """What each of the 256 bytes means."""
    return torch.arange(256, dtype=torch.uint8).view(torch.float8_e4m3fn).to(dtype).to(device)


class Tokens(Coder):
    """A scale per token and KV head."""

    names: tuple[str, ...] = ("fp8", "scale")

    def write(self, x_HSD: Tensor) -> Codes:
        scale = largest_scale(x_HSD, (2,))
        return to_fp8(x_HSD, scale), scale

    def read(self, codes: Codes, dtype: torch.dtype) -> Tensor:
        return from_fp8(codes[0], codes[1], dtype)


class Frozen(Coder):
    """A scale per KV head (H, 1, 1), or one (1, 1, 1), taken from what the layer begins with."""

    names: tuple[str, ...] = ("fp8",)

    def __init__(self, scale: Tensor) -> None:
        self.scale = scale

    def of_head(self, head: int) -> Frozen:
        return Frozen(self.scale[head : head + 1]) if len(self.scale) > 1 else self

    def write(self, x_HSD: Tensor) -> Codes:
        require_finite(x_HSD)
        return (to_fp8(x_HSD, self.scale),)

    def read(self, codes: Codes, dtype: torch.dtype) -> Tensor:
        return from_fp8(codes[0], self.scale, dtype)

    def constants(self) -> dict[str, Tensor]:
        return {"scale": self.scale}


def frozen(heads: Sequence[Tensor], scope: Literal["head", "tensor"]) -> Frozen:
    """The scale of what a layer begins with, given as (S_h, D) of each KV head.

    A head that begins with nothing takes the largest scale of the others: what is appended to it
    has no other range to go by.
    """
    largest = [largest_scale(x_SD, (0, 1)) for x_SD in heads if len(x_SD)]
    common = torch.stack(largest).amax(dim=0)
    if scope == "tensor":
        return Frozen(common.view(1, 1, 1))
    by_head = iter(largest)
    scales = [next(by_head) if len(x_SD) else common for x_SD in heads]
    return Frozen(torch.stack(scales).view(-1, 1, 1))
