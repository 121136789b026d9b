"""What a run left in its folder, so that two runs of one command can be compared."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from scbench.ledger import manifest
from scbench.ledger.cells import Planned, read_plan
from scbench.ledger.journal import read_costs, read_records
from scbench.ledger.store import SessionStore
from scbench.types import Record

TABLES = ("results.csv", "turns.csv")


@dataclass(frozen=True, slots=True)
class Left:
    """All of a finished run but what is measured by the clock."""

    turns: dict[tuple[str, int], Record]
    doubled: tuple[tuple[str, int], ...]
    costs: Counter[str]
    sessions: tuple[str, ...]
    plan: Planned
    outcome: str
    tables: dict[str, list[str]]


def left(folder: Path) -> Left:
    """Raises what the readers of a run folder raise."""
    records = list(read_records(folder))
    times = Counter((record.key, record.turn) for record in records)
    store = SessionStore(folder)
    return Left(
        turns={(record.key, record.turn): record for record in records},
        doubled=tuple(sorted(place for place, count in times.items() if count > 1)),
        costs=Counter(row["key"] for row in read_costs(folder)),
        sessions=tuple(store.get(digest).digest for digest in store.digests()),
        plan=read_plan(folder),
        outcome=str(manifest.read(folder)["runs"][-1]["outcome"]),
        tables={
            name: sorted((folder / name).read_text(encoding="utf-8").splitlines())
            for name in TABLES
        },
    )


def difference(wanted: Left, found: Left) -> list[str]:
    """What another run left otherwise, in words; empty where all is equal."""
    lost = len(wanted.turns.keys() - found.turns.keys())
    new = len(found.turns.keys() - wanted.turns.keys())
    both = wanted.turns.keys() & found.turns.keys()
    other = [place for place in both if wanted.turns[place] != found.turns[place]]
    counts = {"lost": lost, "new": new, "doubled": len(found.doubled), "different": len(other)}
    told = [f"{count} turns {what}" for what, count in counts.items() if count]
    parts = ("costs", "sessions", "plan", "outcome", "tables")
    told += [f"other {part}" for part in parts if getattr(wanted, part) != getattr(found, part)]
    return told
