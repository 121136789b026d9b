"""KIVI: keys quantised per channel, values per token, the newest tokens left as they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar, NamedTuple, Self

import torch
from torch import Tensor

from scbench.errors import Mismatch
from scbench.kernels import Partial, causal, full, merge
from scbench.kv import CacheShape, LayerCache, Read
from scbench.kv.bits import pack, unpack
from scbench.kv.store import nbytes
from scbench.methods.contract import Codec

BLOCK_SLOTS = 2048  # dequantised at a time: the whole cache never exists in full precision


@dataclass(frozen=True, slots=True, kw_only=True)
class Kivi(Codec):
    """Asymmetric round-to-nearest: x ~ code * s + m with s = (max - min) / (2^bits - 1) per group, s and m in 16 bits.

    Source: KIVI (arXiv 2402.02750). A key group is `group` consecutive tokens of one channel, a value group `group` consecutive channels of one
    token. The newest keys (slots mod `residual_tokens`) and the newest `residual_tokens` values stay in full precision. Ours goes on quantising
    what is appended, after the forward that appended it, so no token ever reads a code that a later token has shaped; the published code stops
    after the first forward. With `tau`: the largest group that divides the head dimension and the most bits whose real bytes fit.
    """

    bits: int = 2
    group: int = 32
    residual_tokens: int = 32
    tau: Fraction | None = None

    name: ClassVar[str] = "kivi"
    category: ClassVar[str] = "quantization"
    paper: ClassVar[str] = "KIVI, arXiv 2402.02750"
    presets: ClassVar[dict[str, dict[str, object]]] = {
        "paper": {"bits": 2, "group": 32, "residual_tokens": 32},
        "code": {"bits": 2, "group": 32, "residual_tokens": 32},
        "kivi": {"bits": 2, "group": 32, "residual_tokens": 128},
    }

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 8 and self.bits != 16:
            raise Mismatch(f"kivi[bits={self.bits}]: bits lies in 1..8, or is 16 for no quantisation")
        if self.group % 8 or self.group < 8:
            raise Mismatch(f"kivi[group={self.group}]: a group is a multiple of 8 elements (codes fill whole bytes)")
        if self.residual_tokens % self.group or self.residual_tokens < self.group:
            raise Mismatch(f"{self}: residual_tokens must be a multiple of group={self.group}")
        if self.tau is not None and not 0 < self.tau <= 1:
            raise Mismatch(f"kivi[tau={self.tau}]: a share lies in (0, 1]; 2 bits in groups of 32 need 3/16")

    def lossless(self, tokens: int) -> Self:
        return replace(self, tau=None, bits=16)

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        self.at(shape=shape, tokens=tokens)

    def at(self, *, shape: CacheShape, tokens: int) -> Kivi:
        """The parameters for a model and a length: these, or those `tau` maps to. Shares are of a 16-bit dense cache."""
        if self.tau is None:
            if self.bits != 16 and shape.head_dim % self.group:
                raise Mismatch(f"{self}: group={self.group} does not divide the head dimension {shape.head_dim}; use 8 or 16")
            return self
        group = next((size for size in (32, 16, 8) if shape.head_dim % size == 0), None)
        if group is None:
            raise Mismatch(f"{self}: no group of 32, 16 or 8 divides the head dimension {shape.head_dim}")
        reference = Fraction(4 * shape.kv_heads * shape.head_dim * tokens)
        half = CacheShape(**{name: getattr(shape, name) for name in SHAPE_FIELDS}, dtype_bytes=2)
        for bits in (8, 4, 3, 2):
            fitted = Kivi(bits=bits, group=group, residual_tokens=group)
            if fitted.coded_bytes(shape=half, slots=tokens) <= Fraction(105, 100) * self.tau * reference:
                return fitted
        least = Fraction(fitted.coded_bytes(shape=half, slots=tokens)) / reference / Fraction(105, 100)
        raise Mismatch(
            f"{self} cannot be reached: 2 bits in groups of {group} hold {float(least):.4f} of {tokens:,} tokens at 16 bit; use tau={float(least):.3f} or more"
        )

    def encode(self, k_HSD: Tensor, v_HSD: Tensor, positions_HS: Tensor | None) -> LayerCache:
        heads, slots, dim = k_HSD.shape
        shape = CacheShape(
            layers=1, attention_layers=(0,), query_heads=heads, kv_heads=heads, head_dim=dim, dtype_bytes=k_HSD.element_size()
        )
        fitted = self.at(shape=shape, tokens=slots)
        if fitted.bits == 16:
            from scbench.kv import DenseStore, DenseTail

            return LayerCache((DenseStore(k_HSD, v_HSD, positions_HS=positions_HS),), DenseTail())
        residual = fitted.residual_tokens
        shared = max(0, slots - residual) // residual * residual  # both K and V of these slots are coded for ever
        tail = CodedTail(fitted)
        tail.append(k_HSD[:, shared:], v_HSD[:, shared:])
        tail.settle()
        if not shared:
            return LayerCache((), tail)
        keys, values = quantise_keys(k_HSD[:, :shared], fitted), quantise_values(v_HSD[:, :shared], fitted)
        positions = torch.arange(shared).expand(heads, shared) if positions_HS is None else positions_HS[:, :shared]
        return LayerCache((CodedStore(keys, values, fitted, k_HSD.dtype, positions),), tail)

    def coded_bytes(self, *, shape: CacheShape, slots: int) -> int:
        fitted = self.at(shape=shape, tokens=slots) if self.tau is not None else self
        heads, dim, e = shape.kv_heads, shape.head_dim, shape.dtype_bytes
        if fitted.bits == 16:
            return 2 * heads * slots * dim * e
        residual = fitted.residual_tokens
        coded_keys, coded_values = slots - slots % residual, max(0, slots - residual)
        per_code, per_group = Fraction(fitted.bits, 8), Fraction(4, fitted.group)
        codes = heads * dim * (coded_keys + coded_values) * (per_code + per_group)
        return int(codes) + heads * dim * e * ((slots - coded_keys) + (slots - coded_values))


SHAPE_FIELDS = ("layers", "attention_layers", "query_heads", "kv_heads", "head_dim")


class Codes(NamedTuple):
    """Packed codes and the 16-bit scale and minimum of each group (last axis of `packed` is one group)."""

    packed: Tensor
    scale: Tensor
    low: Tensor

    def nbytes(self) -> int:
        return nbytes(self)


def quantise(groups: Tensor, bits: int) -> Codes:
    """Round (..., g) to codes; the error is at most s / 2 plus the rounding of s and m to 16 bits. A constant group has s = 0 and is its minimum."""
    half = torch.bfloat16 if groups.dtype == torch.bfloat16 else torch.float16
    low = groups.amin(dim=-1).to(half)
    scale = ((groups.amax(dim=-1).float() - low.float()) / (2**bits - 1)).to(half)
    if not (torch.isfinite(low).all() and torch.isfinite(scale).all()):
        raise Mismatch(
            "kivi was handed keys or values that are not finite, or too large for 16-bit scales; quantisation would spread them over their group"
        )
    step = scale.float().masked_fill(scale == 0, 1.0).unsqueeze(-1)
    codes = ((groups.float() - low.float().unsqueeze(-1)) / step).round_().clamp_(0, 2**bits - 1)
    return Codes(pack(codes.to(torch.uint8), bits), scale, low)


def dequantise(codes: Codes, bits: int, dtype: torch.dtype) -> Tensor:
    """The groups back, (..., g)."""
    return unpack(codes.packed, bits).to(dtype).mul_(codes.scale.to(dtype).unsqueeze(-1)).add_(codes.low.to(dtype).unsqueeze(-1))


def quantise_keys(k_HSD: Tensor, kivi: Kivi) -> Codes:
    """Groups of consecutive slots of one channel: packed (H, S/g, D, bytes)."""
    return quantise(k_HSD.reshape(k_HSD.shape[0], -1, kivi.group, k_HSD.shape[2]).transpose(2, 3), kivi.bits)


def quantise_values(v_HSD: Tensor, kivi: Kivi) -> Codes:
    """Groups of consecutive channels of one slot: packed (H, S, D/g, bytes)."""
    return quantise(v_HSD.reshape(*v_HSD.shape[:2], -1, kivi.group), kivi.bits)


def keys_of(codes: Codes, kivi: Kivi, dtype: torch.dtype) -> Tensor:
    return dequantise(codes, kivi.bits, dtype).transpose(2, 3).flatten(1, 2)


def values_of(codes: Codes, kivi: Kivi, dtype: torch.dtype) -> Tensor:
    return dequantise(codes, kivi.bits, dtype).flatten(2, 3)


class CodedStore:
    """Slots whose K and V are both codes; attention dequantises a block at a time and merges."""

    def __init__(self, keys: Codes, values: Codes, kivi: Kivi, dtype: torch.dtype, positions_HS: Tensor) -> None:
        self.keys, self.values, self.kivi, self.dtype, self.positions_HS = keys, values, kivi, dtype, positions_HS
        self._read_bytes = keys.nbytes() + values.nbytes()

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        group, slots = self.kivi.group, self.values.packed.shape[1]
        parts: list[Partial] = []
        for start in range(0, slots, BLOCK_SLOTS):
            stop = min(start + BLOCK_SLOTS, slots)
            k = keys_of(Codes(*(x[:, start // group : stop // group] for x in self.keys)), self.kivi, self.dtype)
            v = values_of(Codes(*(x[:, start:stop] for x in self.values)), self.kivi, self.dtype)
            parts.append(full(q_HGTD, k, v, scale=scale))
        return Read(merge(parts), self._read_bytes)

    def tensors(self) -> dict[str, Tensor]:
        return {
            f"{side}_{name}": x for side, codes in (("k", self.keys), ("v", self.values)) for name, x in codes._asdict().items()
        }

    def positions(self, head: int) -> Tensor:
        return self.positions_HS[head]


class CodedTail:
    """The newest slots: whole residuals of keys coded, the rest plain; all values but the newest residual coded. Codes when `settle` is called."""

    def __init__(self, kivi: Kivi) -> None:
        self.kivi = kivi
        self.keys: Codes | None = None
        self.values: Codes | None = None
        self.k_HRD: Tensor | None = None  # keys not yet coded
        self.v_HRD: Tensor | None = None

    @property
    def slots(self) -> int:
        coded = 0 if self.keys is None else self.keys.packed.shape[1] * self.kivi.group
        return coded + (0 if self.k_HRD is None else self.k_HRD.shape[1])

    def append(self, k_HTD: Tensor, v_HTD: Tensor) -> None:
        self.k_HRD = k_HTD.clone() if self.k_HRD is None else torch.cat([self.k_HRD, k_HTD], dim=1)
        self.v_HRD = v_HTD.clone() if self.v_HRD is None else torch.cat([self.v_HRD, v_HTD], dim=1)

    def settle(self) -> None:
        """Code what has left the residual; called when the forward that appended is over."""
        assert self.k_HRD is not None
        assert self.v_HRD is not None
        residual = self.kivi.residual_tokens
        full_keys = self.k_HRD.shape[1] // residual * residual
        if full_keys:
            self.keys = _joined(self.keys, quantise_keys(self.k_HRD[:, :full_keys], self.kivi))
            self.k_HRD = self.k_HRD[:, full_keys:].clone()
        old_values = max(0, self.v_HRD.shape[1] - residual)
        if old_values:
            self.values = _joined(self.values, quantise_values(self.v_HRD[:, :old_values], self.kivi))
            self.v_HRD = self.v_HRD[:, old_values:].clone()

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        assert self.k_HRD is not None
        assert self.v_HRD is not None
        dtype, tokens = self.k_HRD.dtype, q_HGTD.shape[2]
        k = self.k_HRD if self.keys is None else torch.cat([keys_of(self.keys, self.kivi, dtype), self.k_HRD], dim=1)
        v = self.v_HRD if self.values is None else torch.cat([values_of(self.values, self.kivi, dtype), self.v_HRD], dim=1)
        before, read_bytes = k.shape[1] - tokens, nbytes(self.tensors().values())
        own = causal(q_HGTD, k[:, before:], v[:, before:], scale=scale)
        if not before:
            return Read(own, read_bytes)
        return Read(merge([full(q_HGTD, k[:, :before], v[:, :before], scale=scale), own]), read_bytes)

    def fork(self) -> CodedTail:
        child = CodedTail(self.kivi)  # tensors are replaced, never written in place, so sharing them is safe
        child.keys, child.values, child.k_HRD, child.v_HRD = self.keys, self.values, self.k_HRD, self.v_HRD
        return child

    def tensors(self) -> dict[str, Tensor]:
        held = {} if self.k_HRD is None or self.v_HRD is None else {"k": self.k_HRD, "v": self.v_HRD}
        for side, codes in (("k", self.keys), ("v", self.values)):
            if codes is not None:
                held |= {f"{side}_{name}": x for name, x in codes._asdict().items()}
        return held


def _joined(old: Codes | None, new: Codes) -> Codes:
    return new if old is None else Codes(*(torch.cat(pair, dim=1) for pair in zip(old, new, strict=True)))
