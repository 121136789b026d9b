"""Closed book: the question alone. What a model says then it knew by heart, or guessed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scbench.methods.generation.shorter_text import ShorterText
from scbench.methods.invariants import Invariants, Trial
from scbench.methods.traits import Traits


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedBook(ShorterText):
    """Leaves nothing of the context: the floor of every score on this very model.

    What a method has beyond it came out of the cache. Chance is a rule's own floor
    (`TaskCard.chance`); this one is measured, and rises where a model has read the text before.
    """

    traits: ClassVar[Traits] = Traits(is_rewriting=True, leaves_nothing=True)

    def kept_ranges(self, context: str) -> list[tuple[int, int]]:
        return []

    def invariants(self) -> Invariants:
        return {"nothing of the context is left": self._leaves_nothing}

    def _leaves_nothing(self, trial: Trial) -> str:
        left = "".join(trial.text[start:stop] for start, stop in self.kept_ranges(trial.text))
        return f"{len(left)} characters are left: {left[:40]!r}" if left else ""

    def computed_share(self, tokens: int) -> float:
        return 0.0
