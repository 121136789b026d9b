"""A context as windows around the evidence of a turn, so that a page need not hold all of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from scbench.types import Session, Span

AROUND = 140  # characters before and after
MOST_WINDOWS = 8
MOST_OF_A_SPAN = 400  # of a longer one its beginning is shown
HEAD = 160  # of the context, so that a reader sees what kind of text it is


def windows(context: str, spans: Sequence[Span]) -> tuple[list[dict[str, Any]], int]:
    """Pieces of the context in order, as segments of (text, role), and how many more there are.

    A segment without role is what stands around the evidence.
    """
    kept = _without_outer(spans)
    merged: list[tuple[int, int]] = []
    for span in kept:
        start = max(0, span.start - AROUND)
        stop = min(len(context), min(span.stop, span.start + MOST_OF_A_SPAN) + AROUND)
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(stop, merged[-1][1])
        else:
            merged.append((start, stop))
    shown = merged[:MOST_WINDOWS]
    found = [
        {"at": start, "parts": _segments(context, start, stop, spans)} for start, stop in shown
    ]
    return found, len(merged) - len(shown)


def _without_outer(spans: Sequence[Span]) -> list[Span]:
    """In order; a span is one place however many roles it has."""
    return sorted(spans, key=lambda one: (one.start, one.stop))


def _segments(context: str, start: int, stop: int, spans: Sequence[Span]) -> list[list[str]]:
    """The piece cut where a span begins or ends; the narrowest span names a segment's role."""
    cuts = {start, stop}
    for span in spans:
        cuts |= {edge for edge in (span.start, span.stop) if start < edge < stop}
    edges = sorted(cuts)
    found = []
    for left, right in pairwise(edges):
        over = [span for span in spans if span.start <= left and right <= span.stop]
        narrow = min(over, key=lambda one: one.stop - one.start, default=None)
        found.append([context[left:right], "" if narrow is None else str(narrow.role)])
    return found


def told(session: Session) -> dict[str, Any]:
    """A session: its turns with question, gold and the windows around their evidence."""
    turns = []
    for turn in session.turns:
        found, more = windows(session.context, turn.evidence)
        turns.append(
            {
                "ask": turn.ask,
                "gold": turn.gold,
                "subtask": turn.task,
                "depth": None if turn.depth is None else round(turn.depth, 4),
                "windows": found,
                "more": more,
            }
        )
    return {
        "digest": session.digest,
        "task": session.task,
        "seed": str(session.recipe.get("seed", "")),
        "characters": len(session.context),
        "counted": session.counted,
        "head": session.context[:HEAD],
        "turns": turns,
    }
