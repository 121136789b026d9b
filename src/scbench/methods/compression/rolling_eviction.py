"""Evictions that may go on while tokens are appended, and may close up what they keep; and the
tails that do it: after every forward they are down to a fixed number of slots.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

from scbench.kv import CacheShape, LayerCache, LayerView, Read, Slots
from scbench.kv.accounting import accounted
from scbench.kv.snapshot import Rotate, stored
from scbench.kv.tail import newest
from scbench.methods.compression.plain_rolling import rolls_by
from scbench.methods.compression.rolling_positions import closing_up, moved, turner
from scbench.methods.contract import ROTATION, Eviction
from scbench.methods.eviction_promises import keeps_the_best
from scbench.methods.invariants import Invariants
from scbench.methods.traits import Traits
from scbench.tensors import Tensor, torch

POSITION_BYTES = 4  # of a slot of a head


class RollingTail:
    """What an eviction kept, and all that came later, in one private tail of at most `budget` slots
    between forwards.

    Tokens of one forward see all slots held before it and each other causally; then the tail
    evicts: a block of n tokens evicts n slots at once. Tensors are replaced and never written, so a
    fork is a shallow copy. Subclasses say `best`, and `weigh` if they need to see attention. With
    `rotate` what is held stands closed up before the newest token. Keys are held as the model made
    them and turned anew for every forward, so that no error adds up, by their positions, which then
    count as held and as read.
    """

    reads_positions: ClassVar[bool] = (
        True  # where closed up; False: the shifts are known without them
    )

    def __init__(self, view: LayerView, kept: list[Tensor], budget: int) -> None:
        picked = view.pick(kept)
        self.k_HSD, self.v_HSD = picked.k_HSD, picked.v_HSD
        positions_HS = picked.positions_HS
        assert positions_HS is not None, "what was picked has positions"
        # beside the keys, so that no step waits for the CPU; bookkeeping unless `rotate` is set
        self._positions_HS = positions_HS.to(self.k_HSD.device, torch.int32)
        self.budget = budget
        self._seen_tokens = view.seen_tokens
        self.rotate: Rotate | None = None

    def best(self) -> Tensor:
        """The `budget` slots that stay, (H, budget) ascending."""
        raise NotImplementedError

    def weigh(self, q_HGTD: Tensor, k_HSD: Tensor, lse_HGT: Tensor, *, scale: float) -> None:
        """Look at the T newest queries, whose keys are the last of `k_HSD`: all that is held, where
        it stands.
        """

    def placed(self) -> Tensor:
        """The keys where they stand for the newest queries, (H, S, D)."""
        if self.rotate is None:
            return self.k_HSD
        return moved(self.k_HSD, closing_up(self._positions_HS, self._seen_tokens), self.rotate)

    def take(self, kept_HB: Tensor) -> None:
        """Only `kept_HB` stay; to be extended for what a subclass holds per slot."""
        at = kept_HB.unsqueeze(-1).expand(-1, -1, self.k_HSD.shape[-1])
        self.k_HSD, self.v_HSD = self.k_HSD.gather(1, at), self.v_HSD.gather(1, at)
        self._positions_HS = self._positions_HS.gather(1, kept_HB)

    def append(self, k_HTD: Tensor, v_HTD: Tensor) -> None:
        heads, tokens, _ = k_HTD.shape
        self.k_HSD, self.v_HSD = (
            torch.cat([self.k_HSD, k_HTD], dim=1),
            torch.cat([self.v_HSD, v_HTD], dim=1),
        )
        new = torch.arange(
            self._seen_tokens,
            self._seen_tokens + tokens,
            device=self.k_HSD.device,
            dtype=torch.int32,
        )
        self._positions_HS = torch.cat([self._positions_HS, new.expand(heads, tokens)], dim=1)
        self._seen_tokens += tokens

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        k_HSD = self.placed()
        partial = newest(q_HGTD, k_HSD, self.v_HSD, scale=scale).partial
        self.weigh(q_HGTD, k_HSD, partial.lse, scale=scale)
        return Read(partial, accounted([self.k_HSD, self.v_HSD, *self._turning().values()]))

    def settle(self) -> None:
        if self.slots > self.budget:
            self.take(self.best())

    def fork(self) -> Self:
        return copy.copy(self)

    def tensors(self) -> dict[str, Tensor]:
        return {"rolling_k": self.k_HSD, "rolling_v": self.v_HSD, **self._turning()}

    def _turning(self) -> dict[str, Tensor]:
        """What the keys are turned by."""
        return (
            {"rolling_positions": self._positions_HS}
            if self.rotate is not None and self.reads_positions
            else {}
        )

    def positions(self, head: int) -> Tensor:
        return self._positions_HS[head].cpu().long()

    @property
    def slots(self) -> int:
        return self.k_HSD.shape[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolling(Eviction):
    """An eviction that acts once, or with `rolling=yes` after every forward: then the budget bounds
    every step, for ever.

    `position_mode=cache` closes the gaps: what is held stands at 0, 1, ... in the order it was
    seen, and what is appended goes on from there, so no distance is larger than the number of slots
    held. (RoPE knows distances only; we leave the newest token where it is and turn the kept keys
    towards it, by R(shift) in fp32.) What is scored during the read is scored at original
    positions.
    """

    rolling: bool = False
    position_mode: Literal["original", "cache"] = "original"
    scored_by: ClassVar[frozenset[str]] = frozenset()  # what its scores are made of
    has_shares: ClassVar[bool] = False  # scores are shares of attention
    extra_slot_bytes: ClassVar[int] = 0  # held per KV head and slot while rolling, beside K and V
    turning_slot_bytes: ClassVar[int] = POSITION_BYTES  # and these, where that is closed up

    @property
    def traits(self) -> Traits:  # type: ignore[override]
        return Traits(is_rolling=self.rolling, has_comparable_ranks=self.has_shares)

    def tail(self, view: LayerView, kept: list[Tensor]) -> RollingTail:
        """The tail that begins with `kept`."""
        raise NotImplementedError

    @property
    def is_closed_up(self) -> bool:
        return self.position_mode == "cache"

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        return self.scored_by | {ROTATION} if self.is_closed_up else self.scored_by

    def picked(self, view: LayerView, kept: list[Tensor]) -> Slots:
        slots = view.pick(kept)
        positions_HS = slots.positions_HS
        if not self.is_closed_up or positions_HS is None:
            return slots
        shift_HS = closing_up(positions_HS, view.seen_tokens).to(slots.device)
        k_HSD = moved(slots.k_HSD, shift_HS, turner(view, self))
        return Slots.even(k_HSD, slots.v_HSD, positions_HS)

    def cache(self, view: LayerView, kept: list[Tensor]) -> LayerCache:
        if self.rolling:
            tail = self.tail(view, kept)
            tail.rotate = turner(view, self) if self.is_closed_up else None
            return LayerCache((), tail)
        return stored(self.picked(view, kept))

    def invariants(self) -> Invariants:
        found = Eviction.invariants(self)
        is_ranking = type(self).rank is not Eviction.rank
        if not self.rolling and is_ranking:
            found["the best ranked slots stay, of equals the first"] = keeps_the_best(self.rank)
        if self.rolling and is_ranking and not self.is_closed_up:
            found["every forward evicts what ranks least by then"] = rolls_by(self)
        return found

    def lossless(self, tokens: int) -> Self:
        room = 2 * tokens + 64 if self.rolling else tokens  # for what is appended
        return replace(self, tau=None, budget_tokens=max(room, self.minimum_tokens))

    def held_bytes(self, *, shape: CacheShape, tokens: int, appended: int) -> int:
        if not self.rolling:
            return super().held_bytes(shape=shape, tokens=tokens, appended=appended)
        slots = min(self.budget(tokens), tokens + appended)
        extra = self.extra_slot_bytes + (self.turning_slot_bytes if self.is_closed_up else 0)
        return slots * sum(layer.slot_bytes + layer.kv_heads * extra for layer in shape.attending)
