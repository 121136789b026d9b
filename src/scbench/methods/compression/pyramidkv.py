"""PyramidKV: SnapKV's votes, with budgets that fall from the first layer to the last."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import ClassVar

from scbench.errors import Mismatch
from scbench.methods.compression.window_voting import WindowVoting
from scbench.methods.invariants import Invariants, Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class PyramidKV(WindowVoting):
    """Layer l keeps its window and n_max - l (n_max - n_min) / (L - 1) prefix slots; the mean over
    layers is the budget.

    Source: PyramidKV (arXiv 2406.02069). With b = budget - window: n_min = floor(b / beta), n_max =
    2 b - n_min, clipped at the prefix; uniform where the tokens are fewer than 2 b. With
    `capacity_tokens` the step is floored as published, which leaves up to L^2/2 slots too many;
    with a share or `budget_tokens` the layers are rounded by largest remainder to exactly L times
    the budget, and n_min is at least min(4, b). The published code holds all of it per query head
    (`granularity=query_head`, as in preset `code`). The pyramid stands on the window of a bare
    context, so that bytes do not hang on a question; where a question's rows vote, at most half of
    a layer's slots are voters.
    """

    beta: int = 20

    minimum_tokens: ClassVar[int] = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.beta < 1:
            raise Mismatch(f"{self}: beta is at least 1 (1 gives every layer the same budget)")

    def ends(self, tokens: int) -> tuple[int, int]:
        """(n_max, n_min): prefix slots of the first and the last layer out of `tokens`."""
        own = self.tau is None and self.budget_tokens is None and self.capacity_tokens is not None
        window = self.window(tokens)
        budget = self.budget(tokens) - window
        if tokens < 2 * budget:
            return budget, budget
        least = budget // self.beta if own else max(budget // self.beta, min(4, budget))
        most = 2 * budget - least
        if most >= tokens - window:
            most = tokens - window
            least = 2 * budget - most
        return most, least

    def kept_slots(self, *, layer: int, layers: int, tokens: int) -> int:
        if self.budget(tokens) >= tokens:
            return tokens
        most, least = self.ends(tokens)
        window = self.window(tokens)
        if layers == 1:
            return self.budget(tokens)
        if self.tau is None and self.budget_tokens is None and self.capacity_tokens is not None:
            return window + most - layer * ((most - least) // (layers - 1))
        return (
            window
            + shared_out(
                [most - Fraction(at * (most - least), layers - 1) for at in range(layers)]
            )[layer]
        )

    def invariants(self) -> Invariants:
        found = WindowVoting.invariants(self)
        if not self.is_per_query_head:
            found["budgets fall evenly from the first layer to the last"] = self._falls
        return found

    def _falls(self, trial: Trial) -> str:
        counts = [len(trial.held(layer)[0]) for layer in range(len(trial.views))]
        steps = [before - after for before, after in pairwise(counts)]
        if all(step >= 0 for step in steps) and max(steps) - min(steps) <= 1:
            return ""
        return f"layers hold {counts} slots a head"


def shared_out(wanted: list[Fraction]) -> list[int]:
    """Whole numbers with the (whole) sum of `wanted`: floors, and one more for the largest
    remainders; ties go to the earlier.
    """
    floors = [int(x) for x in wanted]
    left = int(sum(wanted)) - sum(floors)
    for at in sorted(range(len(wanted)), key=lambda at: (floors[at] - wanted[at], at))[:left]:
        floors[at] += 1
    return floors
