"""One row an answer, with question, gold and answer: what a run asked and was told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scbench.errors import BadRecord
from scbench.ledger.store import SessionStore
from scbench.types import Record, Session


def sample_rows(folder: Path, records: Sequence[Record]) -> list[dict[str, object]]:
    """Rows of the table `samples` (docs/schema.md), in the order of turns; question and gold are
    None where a session's file is gone."""
    sessions = sessions_of(folder, records)
    return [_sample(record, sessions[record.session_digest]) for record in in_order(records)]


def sessions_of(folder: Path, records: Sequence[Record]) -> dict[str, Session | None]:
    """The sessions of these records by digest; None for one whose file is gone or damaged."""
    store = SessionStore(folder)
    return {digest: _session(store, digest) for digest in {one.session_digest for one in records}}


def _session(store: SessionStore, digest: str) -> Session | None:
    try:
        return store.get(digest)
    except (KeyError, BadRecord):
        return None


def in_order(records: Sequence[Record]) -> list[Record]:
    """Session by session, mode by mode, method by method as they first came, and turn by turn."""
    methods = {name: at for at, name in enumerate(dict.fromkeys(one.method for one in records))}
    sessions = {
        name: at
        for at, name in enumerate(dict.fromkeys((one.model, one.session_digest) for one in records))
    }
    return sorted(
        records,
        key=lambda one: (
            sessions[one.model, one.session_digest],
            one.mode,
            methods[one.method],
            one.turn,
            one.sample,
        ),
    )


def _sample(record: Record, session: Session | None) -> dict[str, object]:
    turn = None if session is None else session.turns[record.turn]
    return {
        "model": record.model,
        "task": record.task,
        "mode": str(record.mode),
        "method": record.method,
        "seed": record.seed,
        "turn": record.turn,
        "sample": record.sample,
        "question": None if turn is None else turn.ask,
        "gold": None if turn is None else turn.gold,
        "answer": None if record.answer is None else record.answer.text,
        "score": record.strict.value,
        "why": record.failure.why if record.failure is not None else record.strict.why,
        "evidence_kept": record.evidence_kept,
        "evidence_held": record.evidence_held,
        "evidence_loaded": record.evidence_loaded,
        "kl_to_dense": None if record.gold is None else record.gold.kl_to_dense,
        "session": record.session_digest,
    }
