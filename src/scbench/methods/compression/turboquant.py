"""TurboQuant: turn a vector at random, then code each coordinate with a codebook that is known beforehand."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import ClassVar, Literal, Self

import torch
from torch import Tensor

from scbench.errors import Mismatch
from scbench.kv import CacheShape
from scbench.kv.bits import pack, unpack
from scbench.methods.compression.codes import Coder, Coders, Codes, TokenCodec, looked_up, require_finite, require_share
from scbench.methods.compression.turning import codebook, gaussian, hadamard, orthogonal, signs

Rotation = Literal["hadamard", "dense"]
LADDER = tuple(Fraction(bits) for bits in ("1", "2", "2.5", "3", "3.5", "4", "6", "8"))
HALF = Fraction(1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurboQuant(TokenCodec):
    """x = n u, y = Pi u, every coordinate of y rounded to the Lloyd-Max codebook of a random unit vector's coordinate; n in fp16.

    Source: TurboQuant (arXiv 2504.19874). Pi is a random orthogonal matrix, or random signs and a Hadamard transform. Attention works in the
    turned basis: queries are turned once and the output is turned back. `variant=inner-product` spends one of the keys' bits on the signs of
    S r of the residual r (S Gaussian), which makes every logit unbiased over S, and 2 bytes per key on |r|; values are sums, so theirs stay
    `mse`. No groups, no residual, nothing to calibrate: a token is coded as it comes. Pi, S and the codebook belong to the method as weights
    do to a model, and are not counted. At 2.5 or 3.5 bits half the turned coordinates take one bit more than the others; the paper gives the
    extra bit to outlier channels before it turns them. With `tau`: the most bits of 1, 2, 2.5, 3, 3.5, 4, 6, 8 that fit with the norms.
    """

    bits: Fraction = Fraction(4)
    rotation: Rotation = "hadamard"
    variant: Literal["mse", "inner-product"] = "mse"
    seed: int = 0
    tau: Fraction | None = None

    name: ClassVar[str] = "turboquant"
    category: ClassVar[str] = "quantization"
    paper: ClassVar[str] = "TurboQuant, arXiv 2504.19874"
    presets: ClassVar[dict[str, dict[str, object]]] = {
        "paper": {"bits": Fraction(7, 2), "rotation": "dense"},
        "code": {"bits": Fraction(4), "rotation": "hadamard", "variant": "mse"},
    }

    def __post_init__(self) -> None:
        whole = self.bits.denominator == 1 and (1 <= self.bits <= 8 or self.bits == 16)
        if not whole and self.bits not in (Fraction(5, 2), Fraction(7, 2)):
            raise Mismatch(f"turboquant[bits={self.bits}]: bits is one of 1..8, 2.5 and 3.5, or 16 for no quantisation")
        if self.variant == "inner-product" and self.bits < 2:
            raise Mismatch(f"{self}: one bit is the residual's sign, so inner-product needs 2 bits or more")
        if self.tau is not None and not 0 < self.tau <= 1:
            raise Mismatch(f"turboquant[tau={self.tau}]: a share lies in (0, 1]; for instance tau=1/4")

    def lossless(self, tokens: int) -> Self:
        return replace(self, tau=None, bits=Fraction(16))

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        self.at(shape=shape, tokens=tokens)

    def at(self, *, shape: CacheShape, tokens: int) -> Self:
        return self._fitted(shape.head_dim)

    def _fitted(self, head_dim: int) -> Self:
        if self.tau is None and self.bits == 16:
            return self
        if head_dim % 8 or (self.rotation == "hadamard" and head_dim & (head_dim - 1)):
            raise Mismatch(
                f"{self} cannot turn heads of {head_dim} dimensions; hadamard takes a power of two from 8, rotation=dense a multiple of 8"
            )
        if self.tau is None:
            if self.bits.denominator == 2 and head_dim % 16:
                raise Mismatch(f"{self} splits a head of {head_dim} in two halves of whole bytes; use whole bits")
            return self
        norms = Fraction(24 if self.variant == "inner-product" else 16, head_dim)
        allowed = [b for b in LADDER if (b.denominator == 1 or head_dim % 16 == 0) and (b >= 2 or self.variant == "mse")]
        return replace(self, tau=None, bits=require_share(self, self.tau, {b: (b + norms) / 16 for b in allowed}))

    def coders(self, k_HSD: Tensor, v_HSD: Tensor) -> Coders | None:
        fitted = self._fitted(k_HSD.shape[2])
        if fitted.bits == 16:
            return None
        values = Turned(k_HSD.shape[2], fitted.bits, fitted.rotation, fitted.seed, v_HSD.device)
        if fitted.variant == "mse":
            return Coders(values, values)
        return Coders(Unbiased(k_HSD.shape[2], fitted.bits, fitted.rotation, fitted.seed, k_HSD.device), values)

    def coded_bytes(self, *, shape: CacheShape, slots: int) -> int:
        """2 H S (D b / 8 + 2), and 2 H S for the residual norms of inner-product."""
        if self.bits == 16:
            return 2 * shape.kv_heads * slots * shape.head_dim * shape.dtype_bytes
        per_slot = 2 * (shape.head_dim * self.bits / 8 + 2) + (2 if self.variant == "inner-product" else 0)
        return int(shape.kv_heads * slots * per_slot)


@cache
def placed(kind: str, dim: int, seed: int, device: torch.device) -> Tensor:
    """The rotation matrix (rows are the new axes), the signs, or S, in fp32 on a device: one copy for all layers."""
    made = {"dense": orthogonal, "hadamard": signs, "gaussian": gaussian}[kind](dim, seed)
    return made.float().to(device)


@cache
def book(dim: int, bits: int, device: torch.device) -> Tensor:
    return codebook(dim, 1 << bits).float().to(device)


class Turned(Coder):
    """A 16-bit norm and a code per turned coordinate; of fractional bits, the first half of the coordinates has one bit more."""

    def __init__(self, dim: int, bits: Fraction, rotation: Rotation, seed: int, device: torch.device) -> None:
        self.rotation, self.turner = rotation, placed(rotation, dim, seed, device)
        low = math.floor(bits)
        widths = [(dim, low)] if bits == low else [(dim // 2, low + 1), (dim // 2, low)]
        self.widths = widths  # (coordinates, bits) of each run
        self.books = [book(dim, width, device) for _, width in widths]
        self.names = ("norm", *(f"codes{width}" for _, width in widths))

    def turn(self, x: Tensor) -> Tensor:
        whole = x.float()
        turned = whole @ self.turner.T if self.rotation == "dense" else hadamard(whole * self.turner)
        return turned.to(x.dtype)

    def turn_back(self, x: Tensor) -> Tensor:
        whole = x.float()
        back = whole @ self.turner if self.rotation == "dense" else hadamard(whole) * self.turner
        return back.to(x.dtype)

    def write(self, x_HSD: Tensor) -> Codes:
        require_finite(x_HSD)
        norm_HS1, unit_HSD = self._unit(x_HSD)
        return norm_HS1, *self._codes(unit_HSD)

    def read(self, codes: Codes, dtype: torch.dtype) -> Tensor:
        norm_HS1, *packed = codes
        return self._centres(packed, dtype).mul_(norm_HS1.to(dtype))

    def _unit(self, x_HSD: Tensor) -> tuple[Tensor, Tensor]:
        """Norms in fp16 and turned unit vectors in fp32 (zeros stay zeros)."""
        norm = torch.linalg.vector_norm(x_HSD.float(), dim=-1, keepdim=True)
        short = norm.to(torch.float16)
        if not torch.isfinite(short).all():
            raise Mismatch(
                f"turboquant holds norms in fp16, and a key or value has norm {float(norm.max()):.3g}; use kivi or rtn"
            )
        return short, self.turn(x_HSD.float() / norm.clamp_min(1e-30))

    def _codes(self, unit_HSD: Tensor) -> list[Tensor]:
        pieces = torch.split(unit_HSD, [count for count, _ in self.widths], dim=-1)  # type: ignore[no-untyped-call]
        edges = [(centres[1:] + centres[:-1]) / 2 for centres in self.books]
        found = [torch.bucketize(piece.contiguous(), edge).to(torch.uint8) for piece, edge in zip(pieces, edges, strict=True)]
        return [pack(codes, bits) for codes, (_, bits) in zip(found, self.widths, strict=True)]

    def _centres(self, packed: list[Tensor], dtype: torch.dtype) -> Tensor:
        runs = zip(packed, self.books, self.widths, strict=True)
        return torch.cat([looked_up(centres.to(dtype), unpack(codes, bits)) for codes, centres, (_, bits) in runs], dim=-1)


class Unbiased(Turned):
    """One bit fewer per coordinate, and the signs of S r for what they miss: E over S of <q, decoded> is <q, x>, but for the norms' rounding."""

    def __init__(self, dim: int, bits: Fraction, rotation: Rotation, seed: int, device: torch.device) -> None:
        super().__init__(dim, bits - 1, rotation, seed, device)
        self.sketch = placed("gaussian", dim, seed + 1, device)
        self.names = ("norm", "miss", "signs", *self.names[1:])

    def write(self, x_HSD: Tensor) -> Codes:
        require_finite(x_HSD)
        norm_HS1, unit_HSD = self._unit(x_HSD)
        packed = self._codes(unit_HSD)
        missed = unit_HSD - self._centres(packed, torch.float32)
        signs_HSD = (missed @ self.sketch.T >= 0).to(torch.uint8)
        return norm_HS1, torch.linalg.vector_norm(missed, dim=-1, keepdim=True).to(torch.float16), pack(signs_HSD, 1), *packed

    def read(self, codes: Codes, dtype: torch.dtype) -> Tensor:
        norm_HS1, miss_HS1, packed_signs, *packed = codes
        found = self._centres(packed, torch.float32)
        step = math.sqrt(math.pi / 2) / found.shape[-1] * miss_HS1.float()
        found += (unpack(packed_signs, 1).float() * 2 - 1) @ self.sketch * step
        return found.mul_(norm_HS1.float()).to(dtype)
