"""What an attack found, counted."""

from __future__ import annotations

import random
import sys
from collections import Counter
from dataclasses import dataclass, field

MOST_SHOWN = 20


@dataclass(slots=True)
class Tally:
    """Outcomes by target, and a line for each one that must not be.

    >>> tally = Tally("bits")
    >>> tally.note("plan.json", "refused")
    >>> tally.counts["plan.json"]["refused"]
    1
    """

    attack: str
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def note(self, target: str, outcome: str) -> None:
        self.counts.setdefault(target, Counter())[outcome] += 1

    def fail(self, target: str, outcome: str, why: str) -> None:
        self.note(target, outcome)
        self.failures.append(f"{self.attack}: {outcome}: {why}")
        print(self.failures[-1], file=sys.stderr, flush=True)  # the table may be minutes away

    def total(self, *outcomes: str) -> int:
        """How many tries ended so; of all kinds without a name."""
        rows = self.counts.values()
        return sum(row[name] for row in rows for name in (outcomes or row))


def table(tallies: list[Tally]) -> str:
    """All counts, and the first failures of each attack in words."""
    lines = list[str]()
    for tally in tallies:
        names = sorted({name for row in tally.counts.values() for name in row})
        width = max([len(target) for target in tally.counts] + [5])
        head = "  ".join(f"{name:>{len(name)}}" for name in names)
        lines.append(f"{tally.attack} ({tally.total():,} tries, {tally.seconds:.0f} s)")
        lines.append(f"  {'':<{width}}  {head}")
        whole = Counter[str]()
        for target, row in sorted(tally.counts.items()):
            whole += row
            lines.append(f"  {target:<{width}}  {_cells(names, row)}")
        lines.append(f"  {'total':<{width}}  {_cells(names, whole)}")
        lines += [f"  {line}" for line in tally.failures[:MOST_SHOWN]]
        if len(tally.failures) > MOST_SHOWN:
            lines.append(f"  and {len(tally.failures) - MOST_SHOWN:,} more failures")
    return "\n".join(lines)


def _cells(names: list[str], row: Counter[str]) -> str:
    return "  ".join(f"{row[name]:>{len(name)}}" for name in names)


def draws(seed: int, attack: str) -> random.Random:
    """The random numbers of an attack: the same seed makes the same attack."""
    return random.Random(f"{attack}:{seed}")
