"""What every eviction promises: it uses its budget up, and of what it ranks the best stay."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from scbench.kv import LayerView
from scbench.methods.invariants import Check, Trial, best_slots
from scbench.tensors import Tensor


def uses_budget_up(eviction: Any) -> Check:
    """Slots held, mean over layers and heads, are less than one short of what was asked for."""

    def check(trial: Trial) -> str | None:
        if eviction.tau is None and eviction.budget_tokens is None:
            return None
        if eviction.tau is not None:
            slots = int(Fraction(eviction.tau) * trial.tokens + Fraction(1, 2))
        else:
            slots = eviction.budget_tokens
        counts = [len(held) for layer in range(len(trial.views)) for held in trial.held(layer)]
        mean = sum(counts) / len(counts)
        if mean > min(slots, trial.tokens) - 1:
            return ""
        return f"{mean:.2f} slots a head are held of {trial.tokens}, and {slots} were asked for"

    return check


def keeps_the_best(rank: Callable[[LayerView], Tensor]) -> Check:
    """Each head holds the slots that rank best, as many as it holds; of equals the first."""

    def check(trial: Trial) -> str | None:
        for layer, view in enumerate(trial.views):
            if not view.slots.is_even:
                return None
            held = trial.held(layer)
            if all(len(positions) == view.tokens for positions in held):
                continue
            for head, ranks_S in enumerate(rank(view)):
                wanted = best_slots(ranks_S, len(held[head]))
                if held[head].tolist() != wanted:
                    lost = sorted(set(wanted) - set(held[head].tolist()))
                    return f"layer {layer}, head {head}: slots {lost[:5]} rank better and are gone"
        return ""

    return check
