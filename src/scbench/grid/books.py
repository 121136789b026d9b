"""The files of a run that is being played."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field

from scbench.grid.agreement import DenseBook
from scbench.grid.evidence import EvidenceBook
from scbench.grid.history import EarlierRecords
from scbench.grid.outcome import Outcome
from scbench.grid.settings import Settings
from scbench.ledger.facts import Facts
from scbench.ledger.journal import Costs, Journal
from scbench.ledger.lock import Lock
from scbench.ledger.store import SessionStore
from scbench.types import Cell


@dataclass(slots=True)
class Books:
    """The files of a run that is being played, all under one lock."""

    journal: Journal
    costs: Costs
    facts: Facts
    sessions: SessionStore
    history: EarlierRecords
    dense: DenseBook
    evidence: EvidenceBook
    planned: list[Cell] = field(default_factory=list)


def opened(settings: Settings, files: ExitStack) -> Books:
    """The files in the settings' folder; they are closed, and the lock is let go, with `files`."""
    lock = files.enter_context(Lock(settings.out))
    journal = files.enter_context(Journal(settings.out, lock))
    facts = files.enter_context(Facts(settings.out, lock))
    return Books(
        journal=journal,
        costs=files.enter_context(Costs(settings.out, lock)),
        facts=facts,
        sessions=SessionStore(settings.out),
        history=EarlierRecords(journal, facts, settings.keep_old),
        dense=files.enter_context(DenseBook(settings.out, lock)),
        evidence=files.enter_context(EvidenceBook(settings.out, lock)),
    )


def tell_torn(books: Books, outcome: Outcome) -> None:
    """Note what the last line of each file lost when an earlier command was killed."""
    for book in (books.journal, books.costs, books.facts, books.dense, books.evidence):
        if book.torn_bytes:
            outcome.gaps.append(
                f"{book.lines.path.name} ended in {book.torn_bytes:,} bytes of a line that was "
                f"never finished; they lie in {book.lines.path.name}.torn, and what they were is "
                f"made anew"
            )
