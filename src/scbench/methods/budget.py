"""Budgets: from shares to whole slots, and the best slots of a budget."""

from __future__ import annotations

from fractions import Fraction

import torch
from torch import Tensor

from scbench.errors import NotFinite
from scbench.methods.units import rounded as rounded

DEFAULT_SHARE = Fraction(
    1, 32
)  # the paper's main table: 4,096 of 131,072. Its sizes in tokens would not bind on short contexts.


def smallest_share(slots: int, tokens: int) -> Fraction:
    """The least tau whose budget floor(tau T + 1/2) of `tokens` tokens reaches `slots`."""
    return (slots - Fraction(1, 2)) / tokens


def top_slots(scores_HS: Tensor, budget: int) -> Tensor:
    """The `budget` best slots per head, ascending; ties go to the lower index (a stable sort, unlike
    topk). Raises NotFinite for a score that is no number: sorting would choose some slots in
    silence. Infinities are scores: a slot that always stays, or never."""
    if bool(scores_HS.isnan().any()):
        bad = int(scores_HS.isnan().sum())
        raise NotFinite(f"{bad:,} of {scores_HS.numel():,} slots have a score that is NaN")
    order = torch.sort(scores_HS, dim=-1, descending=True, stable=True).indices[..., :budget]
    return order.sort(dim=-1).values
