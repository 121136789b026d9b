"""What a difference comes to, in one word that a reader can act on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from scbench.stats.power import MOST_SESSIONS, sessions_to_see

MARGIN = 0.05  # a loss below this counts as none, unless the reader says otherwise
HEADROOM = 0.20  # a baseline nearer to chance than this leaves a method nothing to lose
FEW_SESSIONS = 8  # what one session is told to become
LEAST_SESSIONS = 4  # fewer never decide: their interval is wider than the formula knows
MOST_TOLD = 1_000  # more sessions than this are no advice


class Standing(StrEnum):
    """How a method stands to another."""

    SAME = "same answers"
    EQUIVALENT = "equivalent"
    WORSE = "worse"
    BETTER = "better"
    TOO_FEW = "too few sessions"
    NO_HEADROOM = "no headroom"
    AGREES = "agrees"  # with dense, token by token
    DEPARTS = "departs"


DECIDED = frozenset(
    {
        Standing.SAME,
        Standing.EQUIVALENT,
        Standing.WORSE,
        Standing.BETTER,
        Standing.AGREES,
        Standing.DEPARTS,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """A standing, with the sessions a task that it misses or the turns that are the same."""

    standing: Standing
    more_sessions: int = 0
    turns: int = 0
    margin: float = MARGIN
    is_within: bool = False  # surely within the margin, whatever else it is

    @property
    def is_decided(self) -> bool:
        return self.standing in DECIDED

    @property
    def text(self) -> str:
        """For instance `worse`, `same answers (24 of 24)`, `too few sessions (7 more)`."""
        match self.standing:
            case Standing.SAME:
                return f"{self.standing} ({self.turns} of {self.turns})"
            case Standing.EQUIVALENT:
                return f"{self.standing} within {100.0 * self.margin:g}"
            case Standing.WORSE | Standing.BETTER if self.is_within:
                return f"{self.standing}, within {100.0 * self.margin:g}"
            case Standing.TOO_FEW if self.more_sessions > MOST_TOLD:
                return f"{self.standing} (over {MOST_TOLD:,} more)"
            case Standing.TOO_FEW if self.more_sessions:
                return f"{self.standing} ({self.more_sessions:,} more)"
        return str(self.standing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a verdict rests on; p-values are already corrected over their family."""

    value: float
    error: float | None  # None: one session
    sessions: int  # a task
    p_differs: float | None
    p_within: float | None
    same_turns: int
    turns: int
    headroom: float | None  # chance-corrected score of the baseline; None: cannot be measured
    alpha: float  # of one comparison of the family: for the sessions that are missing
    margin: float = MARGIN


def judge(seen: Evidence, *, level: float = 0.05) -> Ruling:
    """The first of these that is true: same answers, better, worse, no headroom, equivalent.

    A difference that is surely there is told even where it is small, and then says that it is
    within the margin. No headroom: the baseline is less than 20 points above chance, so a method
    has nothing to lose there; that it loses nothing says nothing. Else sessions are missing.
    """
    if seen.turns and seen.same_turns == seen.turns:
        return Ruling(standing=Standing.SAME, turns=seen.turns, margin=seen.margin)
    is_within = seen.p_within is not None and seen.p_within < level
    if seen.p_differs is not None and seen.p_differs < level and seen.value != 0.0:
        standing = Standing.BETTER if seen.value > 0.0 else Standing.WORSE
        return Ruling(standing=standing, margin=seen.margin, is_within=is_within)
    if seen.headroom is None or seen.headroom < HEADROOM:
        return Ruling(standing=Standing.NO_HEADROOM, margin=seen.margin)
    if is_within:
        return Ruling(standing=Standing.EQUIVALENT, margin=seen.margin, is_within=True)
    return Ruling(standing=Standing.TOO_FEW, margin=seen.margin, more_sessions=_missing(seen))


def _missing(seen: Evidence) -> int:
    """Sessions to the nearer of two ends: that it differs, or that it is within the margin."""
    if seen.error is None:
        return max(1, FEW_SESSIONS - seen.sessions)
    distance = max(abs(seen.value), seen.margin - abs(seen.value))
    needed = sessions_to_see(distance, seen.error, seen.sessions, alpha=seen.alpha)
    few = LEAST_SESSIONS - seen.sessions
    return max(1, few, min(needed, MOST_SESSIONS) - seen.sessions)
