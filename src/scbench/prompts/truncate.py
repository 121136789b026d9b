"""What leaves a prompt that is too long: ids by position, or whole units of the context that no
turn rests on.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from scbench.errors import Mismatch
from scbench.prompts.tokens import Cut, Encoded
from scbench.task_cards import card_of
from scbench.types import Role, Session, Span, Truncate

_STAYS = frozenset({Role.ANSWER, Role.SUPPORT, Role.DISTRACTOR})


def advice(policy: Truncate) -> str:
    """What to do about a session that is refused."""
    if policy is Truncate.DROP_ROW:
        return "--truncate drop-row leaves this session out"
    return (
        "use shorter contexts (--length), a larger window, or --truncate middle, head, drop-row or "
        "task-aware"
    )


def middle_cut(tokens: int, budget_tokens: int) -> Cut:
    """Keep the first ceil(b/2) and the last floor(b/2) of `tokens` ids. A budget below 1 gives a
    cut that no prompt can hold.
    """
    if budget_tokens < 1:
        return Cut(-1, -1)
    return Cut((budget_tokens + 1) // 2, tokens - budget_tokens // 2)


def without_units(
    session: Session, drop_tokens: int, *, encoded: Encoded, shift_chars: int
) -> Session | None:
    """The session without about `drop_tokens` of units that hold no evidence and no distractor, in
    seeded order; None if there are not enough.

    Raises Mismatch for a task whose answers change with the context's size, or whose evidence is
    not known.
    """
    units = _free_units(session)
    order = sorted(
        range(len(units)), key=lambda at: hashlib.sha256(f"{session.digest}/{at}".encode()).digest()
    )
    gone: list[tuple[int, int]] = []
    for at in order:
        if drop_tokens <= 0:
            break
        start, stop = encoded.tokens_in(units[at][0] + shift_chars, units[at][1] + shift_chars)
        drop_tokens -= stop - start
        gone.append(units[at])
    return None if drop_tokens > 0 else without_ranges(session, sorted(gone))


def _free_units(session: Session) -> list[tuple[int, int]]:
    """Character ranges of the units that may leave."""
    pattern = card_of(session.task).unit_ends
    if not pattern:
        raise Mismatch(
            f"--truncate task-aware cannot shorten {session.task}: its answers depend on every "
            f"item, or its card does not say where units end; use --truncate drop-row"
        )
    if unknown := [turn for turn, asked in enumerate(session.turns) if not asked.evidence]:
        raise Mismatch(
            f"--truncate task-aware cannot shorten this {session.task} session: it is not known "
            f"where the evidence of turn {unknown[0] + 1} stands; "
            "use --truncate middle or drop-row"
        )
    stays = sorted(
        (span.start, span.stop)
        for turn in session.turns
        for span in turn.evidence
        if span.role in _STAYS
    )
    highest = _running_maximum([stop for _, stop in stays])
    starts = [start for start, _ in stays]
    ends = [found.end() for found in re.finditer(pattern, session.context)]
    free: list[tuple[int, int]] = []
    for start, stop in pairwise(ends):
        before = bisect_right(starts, stop - 1)
        if before == 0 or highest[before - 1] <= start:
            free.append((start, stop))
    return free


def _running_maximum(values: Sequence[int]) -> list[int]:
    found: list[int] = []
    for value in values:
        found.append(max(value, found[-1]) if found else value)
    return found


def without_ranges(session: Session, gone: Sequence[tuple[int, int]]) -> Session:
    """The session with character ranges left out and all spans moved; spans that count everything
    shrink.
    """
    starts = [start for start, _ in gone]
    lost = [0]
    for start, stop in gone:
        lost.append(lost[-1] + stop - start)

    def moved(at: int) -> int:
        before = bisect_right(starts, at)
        inside = before > 0 and at < gone[before - 1][1]
        return gone[before - 1][0] - lost[before - 1] if inside else at - lost[before]

    borders = [0, *(at for pair in gone for at in pair), len(session.context)]
    context = "".join(
        session.context[a:b] for a, b in zip(borders[::2], borders[1::2], strict=True)
    )
    turns = tuple(
        replace(
            turn,
            evidence=tuple(
                Span(moved(span.start), moved(span.stop), span.role) for span in turn.evidence
            ),
        )
        for turn in session.turns
    )
    return replace(session, context=context, turns=turns)
