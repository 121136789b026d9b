"""What earlier commands left in a run's folder, and what of it still counts.

A record counts if its key is the one the cell has today. Where only the scoring changed, its
answer is scored again; where what made the answer changed, it is said why and played again, or
kept with a mark (`--keep-old`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from scbench.ledger.facts import Facts
from scbench.ledger.journal import Journal
from scbench.play.record import Needles, scored_again
from scbench.types import Cell, Session


@dataclass(slots=True)
class EarlierRecords:
    """The older records of one run. `superseded` counts turns by the reason they count no more."""

    journal: Journal
    facts: Facts
    keep_old: bool = False
    superseded: Counter[str] = field(default_factory=Counter)
    kept: dict[str, str] = field(default_factory=dict)  # old key -> why it differs
    rescored_turns: int = 0

    def announce(self, model: str, made_by: Mapping[str, str]) -> list[str]:
        """A line for each reason why records of this model count no more; before anything runs.

        `made_by`: method as shown -> what makes it today. What differs in the session alone is
        seen only when the session is made.
        """
        found: dict[str, list[tuple[str, int]]] = {}
        recorded = self.journal.made_of(model)
        for method, made in made_by.items():
            for old, turns in recorded.get(method, {}).items():
                if old != made:
                    why = self.facts.difference(old, made)
                    found.setdefault(why, []).append((method, turns))
        fate = "they no longer count and are played again (--keep-old keeps them)"
        if self.keep_old:
            fate = "they are kept, marked in every table (--keep-old)"
        return [
            f"{model}: {sum(turns for _, turns in old):,} recorded turns of "
            f"{_named([method for method, _ in old])} were made otherwise: {why}; {fate}"
            for why, old in found.items()
        ]

    def meant(self, cell: Cell, made: str) -> Cell:
        """The cell to play and to show: under its older key where that is kept, and complete."""
        old = self.journal.superseded(cell)
        if old is None:
            return cell
        why = self.facts.difference(old.made, made)
        kept = replace(cell, key=old.key, turns=old.turns)
        if self.keep_old and not self.journal.missing_turns(kept) and old.turns == cell.turns:
            self.kept[old.key] = why
            return kept
        self.superseded[why] += len(self.journal.done_turns(old.key))
        return cell

    def score_again(self, cell: Cell, session: Session, needles: Needles, scored: str) -> None:
        """Score kept answers by today's rules, where older ones scored them. Nothing is played."""
        for record in self.journal.unscored_turns(cell.key, scored).values():
            self.journal.append(scored_again(record, session, needles, scored))
            self.rescored_turns += 1


def _named(methods: list[str]) -> str:
    shown = ", ".join(methods[:4])
    return f"{shown} and {len(methods) - 4} more methods" if len(methods) > 4 else shown
