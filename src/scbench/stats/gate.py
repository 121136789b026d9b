"""Whether a run surely loses no more than allowed against an earlier one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from scbench.stats.bound import bound_p_values, sessions_missing
from scbench.stats.difference import Difference
from scbench.stats.standing import HEADROOM, MOST_TOLD
from scbench.stats.two_runs import PairedRow


class Passage(StrEnum):
    """What a gate says of one method in one mode, the worst last."""

    PASSES = "passes"  # surely loses less than allowed
    CANNOT_TELL = "cannot tell"
    DROPS = "drops"  # surely loses more


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRow:
    """A row of a gate; `more_sessions` is 0 where sessions would not help."""

    row: PairedRow
    passage: Passage
    why: str
    more_sessions: int = 0


def gate(
    rows: Sequence[PairedRow],
    *,
    max_drop: float,
    confidence: float = 0.95,
    passes_same: bool = False,
) -> list[GateRow]:
    """A verdict for each row at a confidence that holds for all of them together (Holm).

    `max_drop` is a loss of chance-corrected score, 0..1, over all tasks. `passes_same` lets a row
    through whose answers are all the same tokens, although so few sessions could not exclude a
    loss. A row that lost turns, or whose earlier score is too near to chance to lose anything,
    never passes.
    """
    p_values = bound_p_values([row.difference.paired for row in rows], max_drop)
    return [
        _gated(row, keeps, breaks, max_drop, 1.0 - confidence, passes_same)
        for row, (keeps, breaks) in zip(rows, p_values, strict=True)
    ]


def worst(rows: Sequence[GateRow]) -> Passage:
    """What a gate comes to: the worst of its rows; without any row nobody can tell."""
    order = list(Passage)
    places = [order.index(row.passage) for row in rows]
    return order[max(places)] if places else Passage.CANNOT_TELL


def sessions_to_tell(rows: Sequence[GateRow]) -> int:
    """Sessions a task, beside those played, after which each row could be told; 0: none help."""
    return max((row.more_sessions for row in rows), default=0)


def _gated(
    row: PairedRow,
    keeps: float | None,
    breaks: float | None,
    max_drop: float,
    alpha: float,
    passes_same: bool,
) -> GateRow:
    difference = row.difference
    if breaks is not None and breaks < alpha:
        return GateRow(row=row, passage=Passage.DROPS, why=_loses(difference, max_drop))
    if why := _unfit(row):
        return GateRow(row=row, passage=Passage.CANNOT_TELL, why=why)
    is_same = difference.same_turns == difference.estimate.n > 0
    told = f"the same answers, token by token ({difference.same_turns} of {difference.estimate.n})"
    if keeps is not None and keeps < alpha:
        why = told if is_same else f"surely loses less than {_points(max_drop)}"
        return GateRow(row=row, passage=Passage.PASSES, why=why)
    if is_same and passes_same:
        return GateRow(row=row, passage=Passage.PASSES, why=told)
    more = sessions_missing(difference, row.sessions, max_drop, alpha=alpha)
    needed = f"over {MOST_TOLD:,}" if more > MOST_TOLD else f"about {more:,}"
    start = f"{told}; " if is_same else ""
    why = f"{start}a loss of {_points(max_drop)} is not excluded, {needed} more sessions"
    return GateRow(row=row, passage=Passage.CANNOT_TELL, why=why, more_sessions=more)


def _unfit(row: PairedRow) -> str:
    """Why a row can never pass; empty if it can."""
    if row.difference.value is None:
        return "the runs share no scored turn of it"
    if row.lost:
        reasons = ", ".join(f"{why}: {count}" for why, count in row.lost.items())
        return f"{sum(row.lost.values()):,} turns of the baseline have no score here ({reasons})"
    if row.before.value is None or row.before.value < HEADROOM:
        level = _points(row.before.value or 0.0)
        least = _points(HEADROOM)
        return f"no headroom: the baseline is {level} above chance, and {least} are asked for"
    return ""


def _loses(difference: Difference, max_drop: float) -> str:
    value = difference.value
    assert value is not None, "what surely drops has a value"
    return f"loses {_points(-value)}, surely more than {_points(max_drop)}"


def _points(value: float) -> str:
    return f"{100.0 * value:.3g} pp"
