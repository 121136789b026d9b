"""How a run ended: counts, gaps and reasons. Everything else is in its folder."""

from __future__ import annotations

from dataclasses import dataclass, field

from scbench.grid.settings import Settings


@dataclass(slots=True)
class Outcome:
    """What a run left behind: everything is in the folder; this says how it ended."""

    settings: Settings
    outcome: str  # complete, interrupted
    turns_answered: int = 0
    turns_failed: int = 0
    turns_unmade: int = 0  # of sessions that could not be made
    gaps: list[str] = field(default_factory=list)  # what could not be made, each with its reason
    does_not_apply: list[str] = field(default_factory=list)  # methods that a model cannot take
    superseded: list[str] = field(default_factory=list)  # records that no longer count, and why
    rescored_turns: int = 0  # kept answers that were scored again

    @property
    def turns_missing(self) -> int:
        """Planned turns without an answer."""
        return self.turns_failed + self.turns_unmade

    @property
    def turns_planned(self) -> int:
        """Turns that should have an answer now."""
        return self.turns_answered + self.turns_missing

    @property
    def is_mostly_gaps(self) -> bool:
        """Whether more than half of the planned turns have no answer."""
        return 2 * self.turns_missing > self.turns_planned
