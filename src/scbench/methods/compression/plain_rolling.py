"""A rolling eviction step by step, from its definition: what is held after every forward."""

from __future__ import annotations

from typing import Any

from scbench.methods.invariants import Check, Trial, best_slots
from scbench.tensors import Tensor, torch


def rolls_by(eviction: Any) -> Check:
    """A check that after every forward a head holds what ranks best of what it held and was given.

    `eviction.weights_of` says what a forward adds to each slot's score; where scores are sums
    (`eviction.recent`) they go on growing, and so many of the newest stay whatever theirs.
    """

    def check(trial: Trial) -> str | None:
        for layer in range(len(trial.views)):
            if why := _rolled(eviction, trial, layer):
                return f"layer {layer}: {why}"
        return ""

    return check


def _rolled(eviction: Any, trial: Trial, layer: int) -> str:
    view = trial.views[layer]
    is_sum = hasattr(eviction, "recent")
    at = torch.stack(trial.held(layer))
    sums = view.observed.column_sums_HS
    scores_HS = None if sums is None or not is_sum else sums.gather(1, at).double()
    k_HSD = _picked(view.k_HSD, at)
    budget, seen = eviction.budget(trial.tokens), trial.tokens
    for number, fed in enumerate(trial.fed):
        q_HGTD, k_HTD, _ = fed.layers[layer]
        tokens = k_HTD.shape[1]
        k_HSD = torch.cat([k_HSD, k_HTD], dim=1)
        new = torch.arange(seen, seen + tokens).expand(len(at), -1)
        at, seen = torch.cat([at, new], dim=1), seen + tokens
        weights_HS = eviction.weights_of(q_HGTD, k_HSD, view.scale)
        if scores_HS is not None:
            old = torch.nn.functional.pad(scores_HS, (0, tokens))
            weights_HS = weights_HS + old
        if at.shape[1] <= budget:
            scores_HS = weights_HS if is_sum else None
            continue
        ranks_HS = weights_HS.clone()
        ranks_HS[:, at.shape[1] - (eviction.recent(trial.tokens) if is_sum else 1) :] = float("inf")
        kept = torch.tensor([best_slots(ranks_S, budget) for ranks_S in ranks_HS])
        k_HSD, at = _picked(k_HSD, kept), at.gather(1, kept)
        scores_HS = weights_HS.gather(1, kept) if is_sum else None
        for head, held in enumerate(fed.held[layer]):
            if held.tolist() != at[head].tolist():
                apart = sorted(set(held.tolist()) ^ set(at[head].tolist()))
                return f"after forward {number + 1} head {head} differs in positions {apart[:6]}"
    return ""


def _picked(k_HSD: Tensor, at_HS: Tensor) -> Tensor:
    return k_HSD.gather(1, at_HS.unsqueeze(-1).expand(-1, -1, k_HSD.shape[-1]))
