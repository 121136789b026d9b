"""InfLLM row by row, after its definition: how much each row attends to each key while reading."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scbench.methods.invariants import Check, Probed, Trial, best_slots
from scbench.tensors import Tensor, torch

Turn = Callable[[Tensor, Tensor], Tensor]
NEAR = 1e-3


def reads_as_defined(plan_of: Callable[[int], Any]) -> Check:
    """A check that rows attend as `plan_of(tokens)` says."""

    def check(trial: Trial) -> str | None:
        plan = plan_of(trial.tokens)
        if plan is None:
            return None  # the budget covers the context, which is read densely
        found = trial.probed.weights_HGTS.double()
        apart_T = (found - attention(plan, trial.probed)).abs().amax(dim=(0, 1, 3))
        wrong = (apart_T > NEAR).nonzero()
        if not len(wrong):
            return ""
        row = int(wrong[0])
        return (
            f"{len(wrong)} of {len(apart_T)} rows attend to other keys than they should; the "
            f"first, row {row}, by {float(apart_T[row]):.3g}"
        )

    return check


def attention(plan: Any, probed: Probed) -> Tensor:
    """Weights (H, G, T, S) of all rows."""
    q_HGTD, k_HSD = probed.q_HGTD.double(), probed.k_HSD.double()
    heads, group, tokens, _ = q_HGTD.shape
    at = torch.arange(tokens)
    zero_HSD = torch.stack([probed.turn(k_SD, -at).double() for k_SD in k_HSD])
    far = [[probed.turn(q_TD, plan.local - at).double() for q_TD in q_GTD] for q_GTD in q_HGTD]
    far_HGTD = torch.stack([torch.stack(one) for one in far])
    weights = torch.zeros(heads, group, tokens, tokens).double()
    received_HS = torch.zeros(heads, tokens).double()
    stands_for: list[Tensor] = []  # of each block, (H, D)
    for row in range(tokens):
        gone = max(0, row - plan.local + 1)
        first = min(gone, plan.init)
        blocks, loose = divmod(gone - first, plan.block)
        while len(stands_for) < blocks:
            begin = plan.init + len(stands_for) * plan.block
            stands_for.append(_representative(plan, zero_HSD, received_HS, begin))
        stretch = row // plan.exec * plan.exec
        asked_HD = far_HGTD[:, :, stretch : min(stretch + plan.exec, tokens)].mean(dim=(1, 2))
        scores = torch.tensor([float((asked_HD * block_HD).sum()) for block_HD in stands_for])
        chosen = best_slots(scores[:blocks], min(blocks, (plan.room - loose) // plan.block))
        distant = [*range(first), *range(gone - loose, gone)]
        for number in chosen:
            begin = plan.init + number * plan.block
            distant += range(begin, begin + plan.block)
        near = list(range(gone, row + 1))
        for head in range(heads):
            logits = torch.cat(
                [
                    q_HGTD[head, :, row] @ k_HSD[head, near].T,
                    far_HGTD[head, :, row] @ zero_HSD[head, distant].T,
                ],
                dim=1,
            )
            shares = torch.softmax(logits * probed.scale, dim=1)
            weights[head, :, row, near + distant] = shares
            received_HS[head, near] += shares[:, : len(near)].mean(dim=0)
    return weights


def _representative(plan: Any, zero_HSD: Tensor, received_HS: Tensor, begin: int) -> Tensor:
    """The mean key of those of a block that received most, per KV head, as if at position 0."""
    found = []
    for k_SD, received_S in zip(zero_HSD, received_HS, strict=True):
        best = best_slots(received_S[begin : begin + plan.block], plan.repr)
        found.append(k_SD[[begin + at for at in best]].mean(dim=0))
    return torch.stack(found)
