"""KIVI: keys quantised per channel, values per token, the newest tokens left as they are."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar, Self

from scbench.errors import Mismatch
from scbench.kernels import Partial
from scbench.kv import CacheShape, LayerCache, LayerShape, Read, Slots
from scbench.kv.accounting import accounted
from scbench.kv.snapshot import stored
from scbench.kv.tail import newest
from scbench.methods.compression import plain_codes
from scbench.methods.compression.affine_codes import ChannelGroups, Codes, TokenGroups
from scbench.methods.compression.affine_codes import dequantise as dequantise
from scbench.methods.compression.affine_codes import quantise as quantise
from scbench.methods.compression.coded_store import (
    CodedHeads,
    CodedStore,
    Coders,
    joined,
    shape_of,
)
from scbench.methods.compression.plain_codes import come_back_within
from scbench.methods.contract import STARTS_BYTES, Codec
from scbench.methods.invariants import Invariants
from scbench.methods.traits import Knob
from scbench.tensors import Tensor, torch


@dataclass(frozen=True, slots=True, kw_only=True)
class Kivi(Codec):
    """Asymmetric round-to-nearest: x ~ code * s + m with s = (max - min) / (2^bits - 1) per group,
    s and m in 16 bits.

    Source: KIVI (arXiv 2402.02750). A key group is `group` consecutive tokens of one channel, a
    value group `group` consecutive channels of one token. The newest keys (slots mod
    `residual_tokens`) and the newest `residual_tokens` values stay in full precision. Ours goes on
    quantising what is appended, after the forward that appended it, so no token ever reads a code
    that a later token has shaped; the published code stops after the first forward. With `tau`: the
    largest group that divides the head dimension and the most bits whose real bytes fit.
    """

    bits: int = 2
    group: int = 32
    residual_tokens: int = 32
    tau: Fraction | None = None

    knob: ClassVar[Knob | None] = Knob("bits", (1, 2, 3, 4, 5, 6, 7, 8))

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 8 and self.bits != 16:
            raise Mismatch(
                f"kivi[bits={self.bits}]: bits lies in 1..8, or is 16 for no quantisation"
            )
        if self.group % 8 or self.group < 8:
            raise Mismatch(
                f"kivi[group={self.group}]: a group is a multiple of 8 elements (codes fill whole "
                f"bytes)"
            )
        if self.residual_tokens % self.group or self.residual_tokens < self.group:
            raise Mismatch(f"{self}: residual_tokens must be a multiple of group={self.group}")
        if self.tau is not None and not 0 < self.tau <= 1:
            raise Mismatch(
                f"kivi[tau={self.tau}]: a share lies in (0, 1]; 2 bits in groups of 32 need 3/16"
            )

    def lossless(self, tokens: int) -> Self:
        return replace(self, tau=None, bits=16)

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        for layer in shape.distinct:
            self.at(shape=layer, tokens=tokens)

    def at(self, *, shape: LayerShape, tokens: int) -> Kivi:
        """The parameters for a layer and a length: these, or those `tau` maps to. Shares are of a
        16-bit dense cache."""
        if self.tau is None:
            odd = [dim for dim in shape.dims if dim % self.group]
            if self.bits != 16 and odd:
                raise Mismatch(
                    f"{self}: group={self.group} does not divide the head dimension {odd[0]}; use "
                    "8 or 16"
                )
            return self
        group = next((size for size in (32, 16, 8) if not any(d % size for d in shape.dims)), None)
        if group is None:
            told = " and ".join(map(str, dict.fromkeys(shape.dims)))
            raise Mismatch(f"{self}: no group of 32, 16 or 8 divides the head dimension {told}")
        half = shape.counted(2)
        reference = Fraction(half.slot_bytes * tokens)
        for bits in (8, 4, 3, 2):
            fitted = Kivi(bits=bits, group=group, residual_tokens=group)
            if (
                fitted.coded_bytes(shape=half, slots=tokens)
                <= Fraction(105, 100) * self.tau * reference
            ):
                return fitted
        least = (
            Fraction(fitted.coded_bytes(shape=half, slots=tokens)) / reference / Fraction(105, 100)
        )
        raise Mismatch(
            f"{self} cannot be reached: 2 bits in groups of {group} hold {float(least):.4f} of "
            f"{tokens:,} tokens at 16 bit; use tau={float(least):.3f} or more"
        )

    def units(
        self, *, shape: CacheShape, tokens: int, question_tokens: int | None = None
    ) -> dict[str, int]:
        if not shape.attending:
            return {}
        fitted = self.at(shape=shape.attending[0], tokens=tokens)
        if fitted.bits == 16:
            return {}
        return {"group": fitted.group, "residual_tokens": fitted.residual_tokens}

    def invariants(self) -> Invariants:
        return {
            "keys come back within half a step of a channel, values of a token": come_back_within(
                self, self._steps
            )
        }

    def _steps(self, x_HSD: Tensor, is_key: bool) -> Tensor:
        """Slots modulo the residual of keys, and as many values as it has, are exact."""
        slots = x_HSD.shape[1]
        first = plain_codes.CONTEXT  # a share is one of the context
        fitted = self.at(shape=shape_of(Slots.even(x_HSD, x_HSD)), tokens=first)
        bound = torch.zeros_like(x_HSD)
        if fitted.bits == 16:
            return bound
        residual = fitted.residual_tokens
        coded = slots - slots % residual if is_key else max(0, slots - residual)
        steps = plain_codes.channel_steps if is_key else plain_codes.token_steps
        bound[:, :coded] = steps(x_HSD[:, :coded], fitted.bits, fitted.group)
        return bound

    def encode(self, slots: Slots) -> LayerCache:
        fitted = self.at(shape=shape_of(slots), tokens=sum(slots.counts) // slots.heads)
        if fitted.bits == 16:
            return stored(slots)
        coders = Coders(
            TokenGroups(fitted.bits, fitted.group), ChannelGroups(fitted.bits, fitted.group)
        )
        if slots.is_even:
            return fitted._coded(slots, coders)
        coded = [fitted.shared_slots(count) for count in slots.counts]
        tails = []
        for head, shared in enumerate(coded):
            one = slots.of_head(head)
            tails.append(fitted._tail(one, coders, shared))
        whole = UnevenTail(tails)
        if not any(coded):
            return LayerCache((), whole)
        oldest = slots.pick([torch.arange(shared) for shared in coded])
        return LayerCache((CodedHeads(oldest, coders),), whole)

    def shared_slots(self, slots: int) -> int:
        """Slots of a head whose K and V are both coded for ever, of `slots` that it begins with."""
        residual = self.residual_tokens
        return max(0, slots - residual) // residual * residual

    def _coded(self, slots: Slots, coders: Coders) -> LayerCache:
        shared = self.shared_slots(slots.most)
        tail = self._tail(slots, coders, shared)
        if not shared:
            return LayerCache((), tail)
        positions_HS = slots.positions_HS
        cut = None if positions_HS is None else positions_HS[:, :shared]
        oldest = Slots.even(slots.k_HSD[:, :shared], slots.v_HSD[:, :shared], cut)
        return LayerCache((CodedStore.of(oldest, coders),), tail)

    def _tail(self, slots: Slots, coders: Coders, shared: int) -> CodedTail:
        """What follows the first `shared` slots of a rectangle."""
        begun = [slots.positions(head)[shared:] for head in range(slots.heads)]
        tail = CodedTail(coders, self.residual_tokens, begun)
        tail.append(slots.k_HSD[:, shared:], slots.v_HSD[:, shared:])
        tail.settle()
        return tail

    def coded_bytes(self, *, shape: LayerShape, slots: int) -> int:
        fitted = self.at(shape=shape, tokens=slots) if self.tau is not None else self
        if fitted.bits == 16:
            return shape.slot_bytes * slots
        residual = fitted.residual_tokens
        coded_keys = slots - slots % residual
        coded_values = max(0, slots - residual)
        coded = shape.key_dim * coded_keys + shape.value_dim * coded_values
        codes = shape.kv_heads * coded * (Fraction(fitted.bits, 8) + Fraction(4, fitted.group))
        plain_numbers = shape.slot_numbers * slots - shape.kv_heads * coded
        return int(codes) + plain_numbers * shape.dtype_bytes

    def uneven_bytes(self, *, shape: LayerShape, slots: Sequence[int], appended: int) -> int:
        found = Codec.uneven_bytes(self, shape=shape, slots=slots, appended=appended)
        fitted = self.at(shape=shape, tokens=sum(slots) // len(slots))
        if fitted.bits == 16 or any(fitted.shared_slots(count) for count in slots):
            return found
        return found - STARTS_BYTES * (len(slots) + 1)  # all of it is in the tails


def keys_of(codes: Codes, kivi: Kivi, dtype: torch.dtype) -> Tensor:
    """Keys (H, S, D) of whole groups of tokens."""
    return TokenGroups(kivi.bits, kivi.group).read(codes, dtype)


def values_of(codes: Codes, kivi: Kivi, dtype: torch.dtype) -> Tensor:
    """Values (H, S, D)."""
    return ChannelGroups(kivi.bits, kivi.group).read(codes, dtype)


class CodedTail:
    """The newest slots: whole residuals of keys coded, the rest plain; all values but the newest
    residual coded. Codes when `settle` is called. It begins with slots of the context, whose
    logical positions are `begun`, by KV head."""

    def __init__(self, coders: Coders, residual_tokens: int, begun: Sequence[Tensor]) -> None:
        self.coders = coders
        self.residual_tokens = residual_tokens
        self._begun = tuple(begun)
        self.keys: Codes | None = None
        self.values: Codes | None = None
        self.k_HRD: Tensor | None = None  # keys not yet coded
        self.v_HRD: Tensor | None = None

    @property
    def slots(self) -> int:
        coded = 0 if self.keys is None else self.keys[0].shape[1] * self.coders.keys.group_slots
        return coded + (0 if self.k_HRD is None else self.k_HRD.shape[1])

    def append(self, k_HTD: Tensor, v_HTD: Tensor) -> None:
        self.k_HRD = k_HTD.clone() if self.k_HRD is None else torch.cat([self.k_HRD, k_HTD], dim=1)
        self.v_HRD = v_HTD.clone() if self.v_HRD is None else torch.cat([self.v_HRD, v_HTD], dim=1)

    def settle(self) -> None:
        """Code what has left the residual; called when the forward that appended is over."""
        assert self.k_HRD is not None
        assert self.v_HRD is not None
        full_keys = self.k_HRD.shape[1] // self.residual_tokens * self.residual_tokens
        if full_keys:
            self.keys = Codes(
                *joined(self.keys or (), self.coders.keys.write(self.k_HRD[:, :full_keys]))
            )
            self.k_HRD = self.k_HRD[:, full_keys:].clone()
        old_values = max(0, self.v_HRD.shape[1] - self.residual_tokens)
        if old_values:
            self.values = Codes(
                *joined(self.values or (), self.coders.values.write(self.v_HRD[:, :old_values]))
            )
            self.v_HRD = self.v_HRD[:, old_values:].clone()

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        """K and V meet at different slots, so the tail (two residuals and what was appended) is
        decoded whole.
        """
        assert self.k_HRD is not None
        assert self.v_HRD is not None
        dtype = self.k_HRD.dtype
        k = (
            self.k_HRD
            if self.keys is None
            else torch.cat([self.coders.keys.read(self.keys, dtype), self.k_HRD], dim=1)
        )
        v = (
            self.v_HRD
            if self.values is None
            else torch.cat([self.coders.values.read(self.values, dtype), self.v_HRD], dim=1)
        )
        return Read(newest(q_HGTD, k, v, scale=scale).partial, accounted(self.tensors().values()))

    def fork(self) -> CodedTail:
        # Tensors are replaced, never written in place, so sharing them is safe.
        return copy.copy(self)

    def begun(self, head: int) -> Tensor:
        return self._begun[head]

    @property
    def appended(self) -> int:
        return self.slots - len(self._begun[0])

    def tensors(self) -> dict[str, Tensor]:
        held = (
            {} if self.k_HRD is None or self.v_HRD is None else {"k": self.k_HRD, "v": self.v_HRD}
        )
        for side, codes in (("k", self.keys), ("v", self.values)):
            if codes is not None:
                held |= {f"{side}_{name}": x for name, x in codes._asdict().items()}
        return held


class UnevenTail:
    """One tail for each KV head, where heads began with different numbers of slots."""

    def __init__(self, tails: Sequence[CodedTail]) -> None:
        self.tails = tuple(tails)

    @property
    def slots(self) -> int:
        """Of the head that holds the most."""
        return max(tail.slots for tail in self.tails)

    def append(self, k_HTD: Tensor, v_HTD: Tensor) -> None:
        for head, tail in enumerate(self.tails):
            tail.append(k_HTD[head : head + 1], v_HTD[head : head + 1])

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        reads = [
            tail.attend(q_HGTD[head : head + 1], scale=scale)
            for head, tail in enumerate(self.tails)
        ]
        sides = zip(*(read.partial for read in reads), strict=True)
        loaded_bytes = sum(read.loaded_by(0) for read in reads)
        return Read(Partial(*(torch.cat(side) for side in sides)), loaded_bytes)

    def settle(self) -> None:
        for tail in self.tails:
            tail.settle()

    def fork(self) -> UnevenTail:
        return UnevenTail([tail.fork() for tail in self.tails])

    def begun(self, head: int) -> Tensor:
        return self.tails[head].begun(0)

    @property
    def appended(self) -> int:
        return self.tails[0].appended

    def tensors(self) -> dict[str, Tensor]:
        return {
            f"{name}_{head}": x
            for head, tail in enumerate(self.tails)
            for name, x in tail.tensors().items()
        }
