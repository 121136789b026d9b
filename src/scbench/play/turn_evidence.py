"""The evidence of one turn while it is answered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from scbench.kv import CacheShape, Stream
from scbench.methods.contract import is_default
from scbench.methods.method import Method
from scbench.play.contract import EvidenceShares
from scbench.play.evidence import Bits, ByHead, EvidenceHeld, Masses, counted
from scbench.play.gold import is_read_ahead
from scbench.play.onlookers import Loads, MassPaid

NO_SHARES = EvidenceShares()


class TurnEvidence:
    """What a stream holds of `wanted`, the tokens a turn's answer rests on, as its answer begins;
    what is loaded while it is answered, and under dense the attention that the gold answer pays.

    `left` is the share of the evidence that the method's generation stage lets the model see.
    """

    def __init__(
        self,
        stream: Stream,
        wanted: Sequence[int],
        left: float,
        *,
        method: Method,
        shape: CacheShape,
        is_dense: bool,
    ) -> None:
        self._wanted = tuple(wanted) if stream.layers else ()
        self._left = left
        self._is_cut_off = bool(stream.layers) and not wanted and left == 0.0
        self._heads = kv_heads_of(stream, shape)
        self._held_RE = _held(stream, self._wanted, method, self._heads)
        self._loads = watched(stream, method, shape) if self._wanted else None
        self._is_read_ahead = is_read_ahead(stream)
        self._is_dense = is_dense
        self._paid: MassPaid | None = None

    def pay(self, gold_ids: Sequence[int]) -> MassPaid | None:
        """Who is to be told what attention dense's gold answer pays; None of any other method, and
        without evidence or gold."""
        self._paid = (
            MassPaid(self._wanted) if self._is_dense and self._wanted and gold_ids else None
        )
        return self._paid

    def shares(self, mass_RE: Masses | None) -> EvidenceShares:
        """`mass_RE` is the attention that dense pays the same tokens; None where it is unknown."""
        if self._is_cut_off:
            return EvidenceShares(kept=0.0, held=0.0)
        if not self._wanted:
            return NO_SHARES
        loaded_RE = self._loaded()
        return EvidenceShares(
            kept=self._counted(self._held_RE, mass_RE),
            held=self._left * float(self._held_RE.mean(dtype=np.float64)),
            loaded=None if loaded_RE is None else self._counted(loaded_RE, mass_RE),
        )

    def _counted(self, there_RE: Bits, mass_RE: Masses | None) -> float | None:
        """In a text that lost some of the evidence, what is left are other tokens than dense's."""
        return counted(there_RE, mass_RE) if self._left == 1.0 else None

    def line(self) -> EvidenceHeld | None:
        """What is kept of it beside the record; None without evidence."""
        if not self._wanted:
            return None
        loaded_RE = self._loaded()
        return EvidenceHeld(
            heads=self._heads,
            tokens=len(self._wanted),
            held=ByHead.of(self._held_RE),
            loaded=None if loaded_RE is None else ByHead.of(loaded_RE),
            mass_RE=self._mass(),
        )

    def _mass(self) -> Masses | None:
        """None where nobody was told; nothing where the one query that counts came before."""
        if self._paid is None:
            return None
        mass_RE = self._paid.mass()
        if mass_RE is None and self._is_read_ahead:
            return np.zeros(self._held_RE.shape, dtype=np.float16)
        return mass_RE

    def _loaded(self) -> Bits | None:
        return None if self._loads is None else self._loads.bits(self._held_RE, self._wanted)


def watched(stream: Stream, method: Method, shape: CacheShape) -> Loads | None:
    """Who marks what a selection reads of this stream; it looks on from now, unless it does."""
    if is_default(method.loading) or not stream.layers:
        return None
    if not isinstance(stream.onlooker, Loads):
        stream.onlooker = Loads(stream, kv_heads_of(stream, shape))
    return stream.onlooker


def kv_heads_of(stream: Stream, shape: CacheShape) -> tuple[int, ...]:
    """KV heads of each of the stream's attention layers."""
    return tuple(shape.layers[layer].kv_heads for layer in stream.layers)


def _held(stream: Stream, wanted: Sequence[int], method: Method, heads: Sequence[int]) -> Bits:
    """Which of the `wanted` positions each KV head holds; only an eviction lets some go."""
    if method.eviction is None:
        return np.ones((sum(heads), len(wanted)), dtype=np.bool_)
    wanted_E = torch.as_tensor(list(wanted))
    rows = [
        torch.isin(wanted_E, stream.positions(layer, head).cpu())
        for layer, count in zip(stream.layers, heads, strict=True)
        for head in range(count)
    ]
    bits: Bits = torch.stack(rows).numpy()
    return bits
