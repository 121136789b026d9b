"""Budgets: from shares to whole slots, and the best slots of a budget."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction

from scbench.errors import Mismatch, NotFinite
from scbench.kv import LayerView
from scbench.methods.units import rounded as rounded
from scbench.tensors import Tensor, torch

DEFAULT_SHARE = Fraction(
    1, 32
)  # the paper's main table: 4,096 of 131,072. Its sizes in tokens would not bind on short contexts.


def smallest_share(slots: int, tokens: int) -> Fraction:
    """The least tau whose budget floor(tau T + 1/2) of `tokens` tokens reaches `slots`."""
    return (slots - Fraction(1, 2)) / tokens


def check_protected(scores_HS: Tensor, budget: int, *, who: object, layer: int) -> int:
    """The most slots of a head that always stay (their score is inf). Raises Mismatch where these
    are more than the budget: a choice among them would drop what was never to be dropped."""
    protected = int(scores_HS.isposinf().sum(dim=-1).max())
    if protected > budget:
        tokens = scores_HS.shape[-1]
        share = smallest_share(protected, tokens)
        raise Mismatch(
            f"{who} protects {protected:,} of {tokens:,} slots of a head in layer {layer} (their "
            f"score is inf, and inf always stays), and its budget there is {budget:,}; protect "
            f"fewer, or use tau={share} (about {float(share):.4f}) or more"
        )
    return protected


def ranks_by_head(view: LayerView, rank: Callable[[LayerView], Tensor]) -> Tensor:
    """`rank` of each KV head by itself, (H, S) with the S of the head that holds the most slots;
    -inf, which never stays, where a head has none.
    """
    rows = [rank(view.of_head(head))[0] for head in range(view.heads)]
    ranks_HS = rows[0].new_full((view.heads, view.tokens), float("-inf"))
    for head, row_S in enumerate(rows):
        ranks_HS[head, : len(row_S)] = row_S
    return ranks_HS


def within(kept: Iterable[Tensor], counts: Sequence[int]) -> list[Tensor]:
    """`kept` without the slots that a head of `counts[h]` slots has not."""
    return [slots[slots < count] for slots, count in zip(kept, counts, strict=True)]


def top_slots(scores_HS: Tensor, budget: int) -> Tensor:
    """The `budget` best slots per head, ascending; ties go to the lower index (a stable sort,
    unlike topk). Raises NotFinite for a score that is no number: sorting would choose some slots in
    silence. Infinities are scores: a slot that always stays, or never.
    """
    if bool(scores_HS.isnan().any()):
        bad = int(scores_HS.isnan().sum())
        raise NotFinite(f"{bad:,} of {scores_HS.numel():,} slots have a score that is NaN")
    order = torch.sort(scores_HS, dim=-1, descending=True, stable=True).indices[..., :budget]
    return order.sort(dim=-1).values
