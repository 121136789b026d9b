"""TurboQuant: turn a vector at random, then code each coordinate with a codebook that is known
beforehand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import ClassVar, Literal, Self

from scbench.errors import Mismatch
from scbench.kv import CacheShape, LayerShape, Slots
from scbench.kv.bits import pack, unpack
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
from scbench.methods.compression.turboquant_rotation import (
    codebook,
    gaussian,
    hadamard,
    orthogonal,
    signs,
)
from scbench.methods.invariants import Invariants
from scbench.methods.traits import Knob
from scbench.tensors import Tensor, torch

Rotation = Literal["hadamard", "dense"]
LADDER = tuple(Fraction(bits) for bits in ("1", "2", "2.5", "3", "3.5", "4", "6", "8"))


@dataclass(frozen=True, slots=True, kw_only=True)
class TurboQuant(TokenCodec):
    """x = n u, y = Pi u, every coordinate of y rounded to the Lloyd-Max codebook of a random unit
    vector's coordinate; n in fp16.

    Source: TurboQuant (arXiv 2504.19874). Pi is a random orthogonal matrix, or random signs and a
    Hadamard transform. Attention works in the turned basis: queries are turned once and the output
    is turned back. `variant=inner-product` spends one of the keys' bits on the signs of S r of the
    residual r (S Gaussian), which makes every logit unbiased over S, and 2 bytes per key on |r|;
    values are sums, so theirs stay `mse`. No groups, no residual, nothing to calibrate: a token is
    coded as it comes. Pi, S and the codebook belong to the method as weights do to a model, and are
    not counted. At 2.5 or 3.5 bits the half of a head's channels that is largest in the context
    takes one bit more; both halves are turned and normed apart (the paper splits so too, with other
    counts). With `tau`: the most bits of 1, 2, 2.5, 3, 3.5, 4, 6, 8 that fit with the norms.
    """

    bits: Fraction = Fraction(4)
    rotation: Rotation = "hadamard"
    variant: Literal["mse", "inner-product"] = "mse"
    seed: int = 0
    tau: Fraction | None = None

    knob: ClassVar[Knob | None] = Knob(
        "bits",
        tuple(Fraction(bits) for bits in ("1", "2", "2.5", "3", "3.5", "4", "5", "6", "7", "8")),
    )

    def __post_init__(self) -> None:
        whole = self.bits.denominator == 1 and (1 <= self.bits <= 8 or self.bits == 16)
        if not whole and self.bits not in (Fraction(5, 2), Fraction(7, 2)):
            raise Mismatch(
                f"turboquant[bits={self.bits}]: bits is one of 1..8, 2.5 and 3.5, or 16 for no "
                f"quantisation"
            )
        if self.variant == "inner-product" and self.bits < 2:
            raise Mismatch(
                f"{self}: one bit is the residual's sign, so inner-product needs 2 bits or more"
            )
        if self.tau is not None and not 0 < self.tau <= 1:
            raise Mismatch(
                f"turboquant[tau={self.tau}]: a share lies in (0, 1]; for instance tau=1/4"
            )

    def lossless(self, tokens: int) -> Self:
        return replace(self, tau=None, bits=Fraction(16))

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        for layer in shape.distinct:
            self.at(shape=layer, tokens=tokens)

    def at(self, *, shape: LayerShape, tokens: int) -> Self:
        return self._fitted(shape.head_dim)

    def _fitted(self, head_dim: int) -> Self:
        if self.tau is None and self.bits == 16:
            return self
        if head_dim % 8 or (self.rotation == "hadamard" and head_dim & (head_dim - 1)):
            raise Mismatch(
                f"{self} cannot turn heads of {head_dim} dimensions; hadamard takes a power of two "
                f"from 8, rotation=dense a multiple of 8"
            )
        if self.tau is None:
            if self.bits.denominator == 2 and head_dim % 16:
                raise Mismatch(
                    f"{self} splits a head of {head_dim} in two halves of whole bytes; use whole "
                    f"bits"
                )
            return self
        norms = Fraction(
            24 if self.variant == "inner-product" else 16, head_dim
        )  # bits per element; halves have one each
        allowed = [
            b
            for b in LADDER
            if (b.denominator == 1 or head_dim % 16 == 0) and (b >= 2 or self.variant == "mse")
        ]
        return replace(
            self,
            tau=None,
            bits=require_share(
                self, self.tau, {b: (b + norms * b.denominator) / 16 for b in allowed}
            ),
        )

    def coders(self, slots: Slots) -> Coders | None:
        keys, values = zip(*(slots.head(head) for head in range(slots.heads)), strict=True)
        fitted = self._fitted(keys[0].shape[1])
        if fitted.bits == 16:
            return None
        kind = Unbiased if fitted.variant == "inner-product" else Turned
        return Coders(fitted._coder(kind, keys), fitted._coder(Turned, values))

    def _coder(self, kind: type[Turned], heads: Sequence[Tensor]) -> Coder:
        """For a layer that begins with (S_h, D) of each KV head."""
        dim, device, low = heads[0].shape[1], heads[0].device, math.floor(self.bits)
        if self.bits == low:
            return kind(dim, low, self.rotation, self.seed, device)
        halves = [
            kind(dim // 2, bits, self.rotation, self.seed + 2 * bits, device)
            for bits in (low + 1, low)
        ]
        return Halves(channel_order(heads), halves)

    def invariants(self) -> Invariants:
        if self.bits == 16:
            return {}
        dim = plain_codes.DIM
        fitted = self if self.tau is None else self._fitted(dim)
        return {"what is lost is what its bits lose": plain_codes.distortion_is(fitted)}

    def coded_bytes(self, *, shape: LayerShape, slots: int) -> int:
        """2 H S (D b / 8 + 2), and 2 H S for the residual norms of inner-product. Half bits: norms
        twice, and 4 H D for the order of channels.
        """
        if self.bits == 16:
            return 2 * shape.kv_heads * slots * shape.head_dim * shape.dtype_bytes
        norms_bytes = (6 if self.variant == "inner-product" else 4) * self.bits.denominator
        order_bytes = 4 * shape.kv_heads * shape.head_dim if self.bits.denominator == 2 else 0
        return (
            int(shape.kv_heads * slots * (2 * shape.head_dim * self.bits / 8 + norms_bytes))
            + order_bytes
        )


@cache
def placed(kind: str, dim: int, seed: int, device: torch.device) -> Tensor:
    """The rotation matrix (rows are the new axes), the signs, or S, in fp32 on a device: one copy
    for all layers.
    """
    made = {"dense": orthogonal, "hadamard": signs, "gaussian": gaussian}[kind](dim, seed)
    return made.float().to(device)


@cache
def book(dim: int, bits: int, device: torch.device) -> Tensor:
    return codebook(dim, 1 << bits).float().to(device)


class Turned(Coder):
    """A 16-bit norm and a code per turned coordinate."""

    names: tuple[str, ...] = ("norm", "codes")

    def __init__(
        self, dim: int, bits: int, rotation: Rotation, seed: int, device: torch.device
    ) -> None:
        self.rotation, self.turner = rotation, placed(rotation, dim, seed, device)
        self.bits, self.book = bits, book(dim, bits, device)

    def turn(self, x: Tensor) -> Tensor:
        whole = x.float()
        turned = (
            whole @ self.turner.T if self.rotation == "dense" else hadamard(whole * self.turner)
        )
        return turned.to(x.dtype)

    def turn_back(self, x: Tensor) -> Tensor:
        whole = x.float()
        back = whole @ self.turner if self.rotation == "dense" else hadamard(whole) * self.turner
        return back.to(x.dtype)

    def write(self, x_HSD: Tensor) -> Codes:
        norm_HS1, unit_HSD = self._unit(x_HSD)
        return norm_HS1, self._codes(unit_HSD)

    def read(self, codes: Codes, dtype: torch.dtype) -> Tensor:
        norm_HS1, packed = codes
        return self._centres(packed, dtype).mul_(norm_HS1.to(dtype))

    def _unit(self, x_HSD: Tensor) -> tuple[Tensor, Tensor]:
        """Norms in fp16 and turned unit vectors in fp32 (zeros stay zeros)."""
        require_finite(x_HSD)
        norm = torch.linalg.vector_norm(x_HSD.float(), dim=-1, keepdim=True)
        short = norm.to(torch.float16)
        if not torch.isfinite(short).all():
            raise Mismatch(
                f"turboquant holds norms in fp16, and a key or value has norm "
                f"{float(norm.max()):.3g}; use kivi or rtn"
            )
        return short, self.turn(x_HSD.float() / norm.clamp_min(1e-30))

    def _codes(self, unit_HSD: Tensor) -> Tensor:
        edges = (self.book[1:] + self.book[:-1]) / 2
        return pack(torch.bucketize(unit_HSD.contiguous(), edges).to(torch.uint8), self.bits)

    def _centres(self, packed: Tensor, dtype: torch.dtype) -> Tensor:
        return looked_up(self.book.to(dtype), unpack(packed, self.bits))


class Unbiased(Turned):
    """One bit fewer per coordinate, and the signs of S r for what they miss: E over S of <q,
    decoded> is <q, x>, but for the norms' rounding.
    """

    names: tuple[str, ...] = ("norm", "codes", "miss", "signs")

    def __init__(
        self, dim: int, bits: int, rotation: Rotation, seed: int, device: torch.device
    ) -> None:
        super().__init__(dim, bits - 1, rotation, seed, device)
        self.sketch = placed("gaussian", dim, seed + 1, device)

    def write(self, x_HSD: Tensor) -> Codes:
        norm_HS1, unit_HSD = self._unit(x_HSD)
        packed = self._codes(unit_HSD)
        missed = unit_HSD - self._centres(packed, torch.float32)
        signs_HSD = (missed @ self.sketch.T >= 0).to(torch.uint8)
        return (
            norm_HS1,
            packed,
            torch.linalg.vector_norm(missed, dim=-1, keepdim=True).to(torch.float16),
            pack(signs_HSD, 1),
        )

    def read(self, codes: Codes, dtype: torch.dtype) -> Tensor:
        norm_HS1, packed, miss_HS1, packed_signs = codes
        found = self._centres(packed, torch.float32)
        step = math.sqrt(math.pi / 2) / found.shape[-1] * miss_HS1.float()
        found += (unpack(packed_signs, 1).float() * 2 - 1) @ self.sketch * step
        return found.mul_(norm_HS1.float()).to(dtype)


def channel_order(heads: Sequence[Tensor]) -> Tensor:
    """Channels of each KV head, largest mean square first, (H, D) int16; as they come where a head
    begins with nothing."""
    orders = []
    for x_SD in heads:
        require_finite(x_SD)
        size_1D = x_SD.unsqueeze(0).float().pow(2).mean(dim=1)
        as_they_come = torch.arange(x_SD.shape[1], device=x_SD.device)
        order_D = size_1D[0].sort(descending=True, stable=True).indices
        orders.append(order_D if len(x_SD) else as_they_come)
    return torch.stack(orders).to(torch.int16)


class Halves(Coder):
    """The channels of every KV head in an order fixed when the layer is first coded, largest mean
    square first; each half has its own coder."""

    def __init__(self, order_HD: Tensor, coders: list[Turned]) -> None:
        self.order_HD = order_HD
        self.coders = coders
        self.names = tuple(
            f"{half}_{name}"
            for half, coder in zip(("large", "small"), coders, strict=True)
            for name in coder.names
        )

    def of_head(self, head: int) -> Halves:
        return Halves(self.order_HD[head : head + 1], self.coders)

    def _sorted(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Large and small channels of (H, ..., D)."""
        order = self._order_like(x)
        half = x.shape[-1] // 2
        picked = x.gather(-1, order)
        return picked[..., :half], picked[..., half:]

    def _order_like(self, x: Tensor) -> Tensor:
        heads, dim = self.order_HD.shape
        return self.order_HD.long().view(heads, *(1 for _ in x.shape[1:-1]), dim).expand(x.shape)

    def turn(self, x: Tensor) -> Tensor:
        return torch.cat(
            [coder.turn(half) for coder, half in zip(self.coders, self._sorted(x), strict=True)],
            dim=-1,
        )

    def turn_back(self, x: Tensor) -> Tensor:
        half = x.shape[-1] // 2
        back = torch.cat(
            [
                coder.turn_back(y)
                for coder, y in zip(self.coders, (x[..., :half], x[..., half:]), strict=True)
            ],
            dim=-1,
        )
        return torch.empty_like(back).scatter_(-1, self._order_like(back), back)

    def write(self, x_HSD: Tensor) -> Codes:
        return tuple(
            x
            for coder, half in zip(self.coders, self._sorted(x_HSD), strict=True)
            for x in coder.write(half)
        )

    def read(self, codes: Codes, dtype: torch.dtype) -> Tensor:
        cut = len(self.coders[0].names)
        return torch.cat(
            [self.coders[0].read(codes[:cut], dtype), self.coders[1].read(codes[cut:], dtype)],
            dim=-1,
        )

    def constants(self) -> dict[str, Tensor]:
        return {"order": self.order_HD}
