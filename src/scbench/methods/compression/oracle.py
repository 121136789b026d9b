"""Oracle: the ceiling of every eviction, since it knows what the gold answers rest on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from scbench.errors import Mismatch
from scbench.kv import CacheShape, LayerView
from scbench.methods.contract import Eviction
from scbench.methods.invariants import Invariants, Trial
from scbench.methods.traits import Traits
from scbench.methods.units import sinks
from scbench.tensors import Tensor, torch
from scbench.types import USES_GOLD


@dataclass(frozen=True, slots=True, kw_only=True)
class Oracle(Eviction):
    """The evidence of all the session's turns stays, with the first tokens and, in what is left of
    the budget, the newest ones; the same slots in every layer and KV head.

    Source: none, a control. What an eviction loses beyond it was lost by choosing; what it loses
    itself is lost because slots around the evidence are gone. A budget that does not hold the
    evidence is refused with one that does, and a session whose turns rest on the whole context
    (counts, extremes) has no evidence to keep.
    """

    minimum_tokens: ClassVar[int] = 8
    traits: ClassVar[Traits] = Traits(uses_gold=True)

    def notes(self, *, shape: CacheShape, tokens: int) -> tuple[str, ...]:
        return (USES_GOLD,)

    def rank(self, view: LayerView) -> Tensor:
        if not view.evidence:
            is_told = view.evidence is not None
            why = "a turn of this session names none" if is_told else "none is known"
            raise Mismatch(f"{self} keeps the evidence of gold answers, and here {why}")
        slots = view.positions_HS
        if slots is None:
            slots = torch.arange(view.tokens).expand(view.heads, -1)
        ranks_HS = slots.float()  # the newest stay
        always = torch.isin(slots, torch.tensor(view.evidence))
        always |= slots < sinks(self.budget(view.seen_tokens))
        return ranks_HS.masked_fill(always, float("inf"))

    def invariants(self) -> Invariants:
        found = Eviction.invariants(self)
        found["all evidence is held, and then the first tokens and the newest"] = self._holds
        return found

    def _holds(self, trial: Trial) -> str:
        first = max(4, math.floor(self.budget(trial.tokens) / 32 + 0.5))
        always = set(trial.evidence) | set(range(first))
        for layer in range(len(trial.views)):
            for head, positions in enumerate(trial.held(layer)):
                held = positions.tolist()
                others = [at for at in range(trial.tokens - 1, -1, -1) if at not in always]
                wanted = always | set(others[: len(held) - len(always)])
                if set(held) != wanted:
                    lost = sorted(wanted - set(held))
                    return f"layer {layer}, head {head}: {lost[:6]} of what must stay are gone"
        return ""
