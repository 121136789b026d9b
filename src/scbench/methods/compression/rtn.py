"""RTN: plain round-to-nearest, each token by itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar, Self

from scbench.errors import Mismatch
from scbench.kv import CacheShape, LayerShape, Slots
from scbench.methods.compression import plain_codes
from scbench.methods.compression.affine_codes import ChannelGroups
from scbench.methods.compression.coded_store import Coders, TokenCodec, require_share
from scbench.methods.compression.plain_codes import come_back_within
from scbench.methods.invariants import Invariants
from scbench.methods.traits import Knob
from scbench.tensors import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class RTN(TokenCodec):
    """Asymmetric round-to-nearest in groups of `group` channels of one token (None: all of a head),
    keys and values alike; nothing stays in 16 bits.

    The baseline KIVI is measured against (its paper's table of per-token keys): keys have channels
    of very different size, which a group along the token mixes. Appended tokens are coded at once,
    and read as codes by every token, their own included. No release has defaults for it: `paper`
    and `code` are 4 bits in groups of 32 and one group per token. With `tau`: the most bits of 8,
    4, 3, 2 whose real bytes fit.
    """

    bits: int = 4
    group: int | None = None
    tau: Fraction | None = None

    knob: ClassVar[Knob | None] = Knob("bits", (1, 2, 3, 4, 5, 6, 7, 8))

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 8 and self.bits != 16:
            raise Mismatch(
                f"rtn[bits={self.bits}]: bits lies in 1..8, or is 16 for no quantisation"
            )
        if self.group is not None and (self.group % 8 or self.group < 8):
            raise Mismatch(
                f"rtn[group={self.group}]: a group is a multiple of 8 channels (codes fill whole "
                f"bytes), or none for the whole head"
            )
        if self.tau is not None and not 0 < self.tau <= 1:
            raise Mismatch(f"rtn[tau={self.tau}]: a share lies in (0, 1]; for instance tau=1/4")

    def lossless(self, tokens: int) -> Self:
        return replace(self, tau=None, bits=16)

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        for layer in shape.distinct:
            self.at(shape=layer, tokens=tokens)

    def at(self, *, shape: LayerShape, tokens: int) -> Self:
        fitted = [self._fitted(dim) for dim in shape.dims]
        return fitted[0]

    def _fitted(self, head_dim: int) -> Self:
        group = self.group or head_dim
        if self.bits != 16 and (head_dim % group or group % 8):
            raise Mismatch(
                f"{self}: groups of {group} channels do not divide the head dimension {head_dim} "
                f"into multiples of 8; use 8 or 16"
            )
        if self.tau is None:
            return self
        shares = {bits: (bits + Fraction(32, group)) / 16 for bits in (8, 4, 3, 2)}
        return replace(self, tau=None, bits=require_share(self, self.tau, shares))

    def coders(self, slots: Slots) -> Coders | None:
        head_dim = slots.head(0)[0].shape[1]
        fitted = self._fitted(head_dim)
        if fitted.bits == 16:
            return None
        return Coders(*(ChannelGroups(fitted.bits, fitted.group or head_dim) for _ in range(2)))

    def coded_bytes(self, *, shape: LayerShape, slots: int) -> int:
        """2 H S D (b / 8 + 4 / g)."""
        if self.bits == 16:
            return shape.slot_bytes * slots
        of_a_slot = [
            dim * (Fraction(self.bits, 8) + Fraction(4, self.group or dim)) for dim in shape.dims
        ]
        return int(shape.kv_heads * slots * sum(of_a_slot))

    def invariants(self) -> Invariants:
        if self.bits == 16:
            return {}
        return {"numbers come back within half a step": come_back_within(self, self._steps)}

    def _steps(self, x_HSD: Tensor, is_key: bool) -> Tensor:
        fitted = self._fitted(x_HSD.shape[-1])
        return plain_codes.token_steps(x_HSD, fitted.bits, fitted.group or x_HSD.shape[-1])
