"""Sessions with a shorter context: what a prompt compression leaves, and how much of each turn's
evidence that is.
"""

from __future__ import annotations

from collections.abc import Sequence

from scbench.methods.contract import Generation
from scbench.prompts.truncate import without_ranges
from scbench.types import Role, Session, Span


def rewritten(session: Session, generation: Generation) -> Session:
    """The session with only `kept_ranges` of its context; evidence spans move and shrink with it.
    Its digest stays: it is the same session.
    """
    borders = [
        0,
        *(at for pair in generation.kept_ranges(session.context) for at in pair),
        len(session.context),
    ]
    gone = [
        (start, stop)
        for start, stop in zip(borders[::2], borders[1::2], strict=True)
        if start < stop
    ]
    return without_ranges(session, gone)


def evidence_left(before: Session, after: Session, turn: int) -> float:
    """Share of the characters of a turn's answer and support spans that a shorter context still
    has; 1 if it names none.
    """
    whole, left = (_characters(session.turns[turn].evidence) for session in (before, after))
    return left / whole if whole else 1.0


def _characters(evidence: Sequence[Span]) -> int:
    return sum(
        span.stop - span.start for span in evidence if span.role in (Role.ANSWER, Role.SUPPORT)
    )
