"""Evictions that go on while tokens are appended, and the tails that do it: after every forward they are down to a fixed number of slots."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from scbench.kv import CacheShape, LayerCache, LayerView, Read
from scbench.kv.tail import newest
from scbench.methods.contract import Eviction


class RollingTail:
    """What an eviction kept, and all that came later, in one private tail of at most `budget` slots between forwards.

    Tokens of one forward see all slots held before it and each other causally; then the tail evicts: a block of n tokens evicts n slots at once.
    Tensors are replaced and never written, so a fork is a shallow copy. Subclasses say `best`, and `weigh` if they need to see attention.
    """

    def __init__(self, view: LayerView, kept: list[Tensor], budget: int) -> None:
        self.k_HSD, self.v_HSD, positions_HS = view.gather(kept)
        self._positions_HS = positions_HS.to(self.k_HSD.device)  # bookkeeping, beside the keys so that no step waits for the CPU
        self.budget, self._seen_tokens = budget, view.tokens

    def best(self) -> Tensor:
        """The `budget` slots that stay, (H, budget) ascending."""
        raise NotImplementedError

    def weigh(self, q_HGTD: Tensor, lse_HGT: Tensor, *, scale: float) -> None:
        """Look at the T newest queries, whose keys are appended already."""

    def take(self, kept_HB: Tensor) -> None:
        """Only `kept_HB` stay; to be extended for what a subclass holds per slot."""
        at = kept_HB.unsqueeze(-1).expand(-1, -1, self.k_HSD.shape[-1])
        self.k_HSD, self.v_HSD = self.k_HSD.gather(1, at), self.v_HSD.gather(1, at)
        self._positions_HS = self._positions_HS.gather(1, kept_HB)

    def append(self, k_HTD: Tensor, v_HTD: Tensor) -> None:
        heads, tokens, _ = k_HTD.shape
        self.k_HSD, self.v_HSD = torch.cat([self.k_HSD, k_HTD], dim=1), torch.cat([self.v_HSD, v_HTD], dim=1)
        new = torch.arange(self._seen_tokens, self._seen_tokens + tokens, device=self.k_HSD.device)
        self._positions_HS = torch.cat([self._positions_HS, new.expand(heads, tokens)], dim=1)
        self._seen_tokens += tokens

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        read = newest(q_HGTD, self.k_HSD, self.v_HSD, scale=scale)
        self.weigh(q_HGTD, read.partial.lse, scale=scale)
        return read

    def settle(self) -> None:
        if self.slots > self.budget:
            self.take(self.best())

    def fork(self) -> Self:
        return copy.copy(self)

    def tensors(self) -> dict[str, Tensor]:
        return {"rolling_k": self.k_HSD, "rolling_v": self.v_HSD}

    def positions(self, head: int) -> Tensor:
        return self._positions_HS[head].cpu()

    @property
    def slots(self) -> int:
        return self.k_HSD.shape[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolling(Eviction):
    """An eviction that acts once, or with `rolling=yes` after every forward: then the budget bounds every step, for ever."""

    rolling: bool = False
    extra_slot_bytes: ClassVar[int] = 0  # held per KV head and slot while rolling, beside K and V

    @property
    def rolls(self) -> bool:
        return self.rolling

    def tail(self, view: LayerView, kept: list[Tensor]) -> RollingTail:
        """The tail that begins with `kept`."""
        raise NotImplementedError

    def cache(self, view: LayerView, kept: list[Tensor]) -> LayerCache:
        return LayerCache((), self.tail(view, kept)) if self.rolling else view.cut(kept)

    def lossless(self, tokens: int) -> Self:
        room = 2 * tokens + 64 if self.rolling else tokens  # for what is appended
        return replace(self, tau=None, budget_tokens=max(room, self.minimum_tokens))

    def held_bytes(self, *, shape: CacheShape, tokens: int, appended: int) -> int:
        if not self.rolling:
            return super(Rolling, self).held_bytes(shape=shape, tokens=tokens, appended=appended)
        slots = min(self.budget(tokens), tokens + appended)
        return (
            len(shape.attention_layers)
            * slots
            * shape.kv_heads
            * (2 * shape.head_dim * shape.dtype_bytes + self.extra_slot_bytes)
        )
