"""Codes: K and V of a layer written down in fewer bits, read a block at a time. One mechanism; a
codec brings its coders.

A `Coder` turns vectors (H, S, D) into code tensors and back. `CodedStore` holds the shared slots,
`CodedHeads` those of KV heads that hold different numbers of them. `TokenTail` holds what is
appended where a token's code depends on that token alone; a codec whose codes span tokens brings a
tail of its own (KIVI).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple, TypeAlias, TypeVar

from scbench.errors import Mismatch
from scbench.kernels import Partial, causal, full, merge
from scbench.kv import LayerCache, LayerKind, LayerShape, Read, Slots
from scbench.kv.accounting import accounted
from scbench.kv.snapshot import stored
from scbench.kv.store import nothing
from scbench.methods.contract import Codec
from scbench.tensors import Tensor, torch

BLOCK_SLOTS = 2048  # decoded at a time: the whole cache never exists in full precision

Codes: TypeAlias = tuple[Tensor, ...]  # axis 1 of each tensor counts groups of slots
Bits = TypeVar("Bits", int, Fraction)


class Coder:
    """How the keys, or the values, of one layer are written down."""

    names: tuple[str, ...] = ()  # of the code tensors
    group_slots: int = 1  # slots behind one entry of axis 1

    def write(self, x_HSD: Tensor) -> Codes:
        raise NotImplementedError

    def read(self, codes: Codes, dtype: torch.dtype) -> Tensor:
        """The vectors (H, S, D), in the coder's own basis."""
        raise NotImplementedError

    def constants(self) -> dict[str, Tensor]:
        """Tensors that belong to the layer and not to its slots (a scale frozen once)."""
        return {}

    def of_head(self, head: int) -> Coder:
        """The same for one KV head by itself, (1, S, D)."""
        return self

    def turn(self, x: Tensor) -> Tensor:
        """(..., D) into the basis of the codes: queries are turned once, instead of every
        key back.
        """
        return x

    def turn_back(self, x: Tensor) -> Tensor:
        """(..., D) out of the basis of the codes: attention's output is turned once, instead of
        every value.
        """
        return x


class Coders(NamedTuple):
    """Of one layer."""

    keys: Coder
    values: Coder

    def of_head(self, head: int) -> Coders:
        return Coders(self.keys.of_head(head), self.values.of_head(head))

    def constants(self) -> dict[str, Tensor]:
        """Tensors of the layer, by name."""
        return {
            f"{side}_{name}": x
            for side, coder in zip("kv", self, strict=True)
            for name, x in coder.constants().items()
        }

    def named(self, keys: Codes, values: Codes) -> dict[str, Tensor]:
        both = (("k", self.keys, keys), ("v", self.values, values))
        return {
            f"{side}_{name}": x
            for side, coder, codes in both
            for name, x in zip(coder.names, codes, strict=True)
        }

    def block(
        self, keys: Codes, values: Codes, start: int, stop: int, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        """K and V of slots [start, stop), in the coders' bases; `start` lies between groups."""
        found = []
        for coder, codes in ((self.keys, keys), (self.values, values)):
            first, last = start // coder.group_slots, -(-stop // coder.group_slots)
            found.append(coder.read(tuple(x[:, first:last] for x in codes), dtype))
        return found[0], found[1]

    def seen(
        self,
        q_HGTD: Tensor,
        keys: Codes,
        values: Codes,
        slots: int,
        *,
        scale: float,
        dtype: torch.dtype,
    ) -> list[Partial]:
        """Attention of turned queries over the first `slots` slots, a block at a time; outputs are
        still in the basis of the values.
        """
        parts = []
        for start in range(0, slots, BLOCK_SLOTS):
            k, v = self.block(keys, values, start, min(start + BLOCK_SLOTS, slots), dtype)
            parts.append(full(q_HGTD, k, v, scale=scale))
        return parts


class CodedStore:
    """Slots whose K and V are both codes; attention decodes a block at a time and merges."""

    @classmethod
    def of(cls, slots: Slots, coders: Coders) -> CodedStore:
        """The codes of a rectangle of slots."""
        k_HSD, v_HSD = slots.k_HSD, slots.v_HSD
        positions_HS = slots.positions_HS
        if positions_HS is None:
            positions_HS = torch.arange(k_HSD.shape[1]).expand(k_HSD.shape[:2])
        keys, values = coders.keys.write(k_HSD), coders.values.write(v_HSD)
        return cls(keys, values, coders, k_HSD.dtype, positions_HS)

    def __init__(
        self, keys: Codes, values: Codes, coders: Coders, dtype: torch.dtype, positions_HS: Tensor
    ) -> None:
        self.keys, self.values, self.coders, self.dtype, self.positions_HS = (
            keys,
            values,
            coders,
            dtype,
            positions_HS,
        )

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        slots, (keys, values) = self.positions_HS.shape[1], self.coders
        out, lse = merge(
            self.coders.seen(
                keys.turn(q_HGTD), self.keys, self.values, slots, scale=scale, dtype=self.dtype
            )
        )
        return Read(Partial(values.turn_back(out), lse), accounted(self.tensors().values()))

    def tensors(self) -> dict[str, Tensor]:
        return {**self.coders.named(self.keys, self.values), **self.coders.constants()}

    def positions(self, head: int) -> Tensor:
        return self.positions_HS[head]


class CodedHeads:
    """Codes of KV heads that hold different numbers of slots, laid flat head after head, and a
    table of where they begin: 8 (H + 1) bytes. Heads without slots are allowed. Attention loops
    over heads."""

    def __init__(self, slots: Slots, coders: Coders) -> None:
        self.coders = [coders.of_head(head) for head in range(slots.heads)]
        self.counts = slots.counts
        self.dtype = slots.k_ND.dtype
        self.starts = torch.tensor(slots.starts)
        self._constants = coders.constants()
        self._positions = [slots.positions(head) for head in range(slots.heads)]
        keys: Codes = ()
        values: Codes = ()
        for head, coder in enumerate(self.coders):
            if self.counts[head]:
                k_SD, v_SD = slots.head(head)
                keys = joined(keys, coder.keys.write(k_SD.unsqueeze(0)))
                values = joined(values, coder.values.write(v_SD.unsqueeze(0)))
        self.keys = keys
        self.values = values

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        whole = nothing(q_HGTD)
        for head, (coder, count) in enumerate(zip(self.coders, self.counts, strict=True)):
            if not count:
                continue
            one = slice(head, head + 1)
            turned = coder.keys.turn(q_HGTD[one])
            keys = self._of(head, coder.keys, self.keys)
            values = self._of(head, coder.values, self.values)
            parts = coder.seen(turned, keys, values, count, scale=scale, dtype=self.dtype)
            out, lse = merge(parts)
            whole.out[one], whole.lse[one] = coder.values.turn_back(out), lse
        return Read(whole, accounted(x for name, x in self.tensors().items() if name != "starts"))

    def _of(self, head: int, coder: Coder, codes: Codes) -> Codes:
        """The codes of one head; a head holds whole groups."""
        start = sum(self.counts[:head]) // coder.group_slots
        stop = start + self.counts[head] // coder.group_slots
        return tuple(x[:, start:stop] for x in codes)

    def tensors(self) -> dict[str, Tensor]:
        coder = self.coders[0]
        named = coder.named(self.keys, self.values)
        return {**named, **self._constants, "starts": self.starts}

    def positions(self, head: int) -> Tensor:
        return self._positions[head]


class TokenTail:
    """Appended tokens, each coded as it comes. A token reads codes only, its own included, so
    appending in any pieces gives the same answers.
    """

    def __init__(self, coders: Coders, dtype: torch.dtype) -> None:
        self.coders, self.dtype = coders, dtype
        self.keys: Codes = ()
        self.values: Codes = ()

    @property
    def slots(self) -> int:
        return self.keys[0].shape[1] if self.keys else 0

    def append(self, k_HTD: Tensor, v_HTD: Tensor) -> None:
        self.keys = joined(self.keys, self.coders.keys.write(k_HTD))
        self.values = joined(self.values, self.coders.values.write(v_HTD))

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        slots, tokens, (keys, values) = self.slots, q_HGTD.shape[2], self.coders
        turned = keys.turn(q_HGTD)
        parts = self.coders.seen(
            turned, self.keys, self.values, slots - tokens, scale=scale, dtype=self.dtype
        )
        k, v = self.coders.block(self.keys, self.values, slots - tokens, slots, self.dtype)
        out, lse = merge([*parts, causal(turned, k, v, scale=scale)])
        return Read(Partial(values.turn_back(out), lse), accounted(self.tensors().values()))

    def settle(self) -> None:
        """Nothing to do: everything is coded already."""

    def fork(self) -> TokenTail:
        child = TokenTail(
            self.coders, self.dtype
        )  # tensors are replaced, never written in place, so sharing them is safe
        child.keys, child.values = self.keys, self.values
        return child

    def tensors(self) -> dict[str, Tensor]:
        return self.coders.named(self.keys, self.values) if self.keys else {}


def joined(old: Sequence[Tensor], new: Codes) -> Codes:
    """Codes of two runs of slots, one after the other."""
    return tuple(torch.cat(pair, dim=1) for pair in zip(old, new, strict=True)) if old else new


def looked_up(table: Tensor, codes: Tensor) -> Tensor:
    """table[codes] for a short table and uint8 codes of any shape; four times as fast as that
    spelling on a CPU.
    """
    return table.index_select(0, codes.reshape(-1).int()).view(codes.shape)


def require_finite(x: Tensor) -> None:
    """Raise Mismatch for infinities and NaN: a code has no room for them, and a scale would carry
    them to their neighbours.
    """
    if not torch.isfinite(x).all():
        raise Mismatch(
            "keys or values that are not finite cannot be quantised; look for an overflow in the "
            "model (fp16 often does)"
        )


def require_share(codec: Codec, tau: Fraction, shares: Mapping[Bits, Fraction]) -> Bits:
    """The largest entry whose share of a 16-bit cache, scales included, is within 5 % of `tau`.
    Raises Mismatch, with the least tau, if none is.
    """
    fitting = [bits for bits, share in shares.items() if share <= Fraction(105, 100) * tau]
    if not fitting:
        bits, least = min(shares.items(), key=lambda entry: entry[1])
        raise Mismatch(
            f"{codec} cannot be reached: {bits} bit{'s'[: bits != 1]} hold {float(least):.4f} of a "
            f"16-bit cache, scales included; use "
            f"tau={math.ceil(1000 * float(least) / 1.05) / 1000:.3f} or more"
        )
    return max(fitting, key=lambda bits: shares[bits])


def shape_of(slots: Slots) -> LayerShape:
    """The shape of a layer that holds these slots, keys and values alike."""
    heads, (k_SD, _) = slots.heads, slots.head(0)
    return LayerShape(
        kind=LayerKind.FULL,
        query_heads=heads,
        kv_heads=heads,
        key_dim=k_SD.shape[1],
        value_dim=k_SD.shape[1],
        dtype_bytes=k_SD.element_size(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCodec(Codec):
    """A codec that codes each token by itself; its subclasses say with which coders, and how many
    bytes a slot takes."""

    def coders(self, slots: Slots) -> Coders | None:
        """For a layer that begins with these; None to quantise nothing."""
        raise NotImplementedError

    def encode(self, slots: Slots) -> LayerCache:
        coders = self.coders(slots)
        if coders is None:
            return stored(slots)
        if not slots.is_even:
            return LayerCache((CodedHeads(slots, coders),), TokenTail(coders, slots.k_ND.dtype))
        return LayerCache((CodedStore.of(slots, coders),), TokenTail(coders, slots.k_HSD.dtype))
