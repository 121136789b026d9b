"""How large a difference a design can see, and how many sessions a difference needs.

Miller's formula (arXiv 2411.00640) with the design effect of turns that share a session:
(t.975 + t.80) sqrt(discordant deff / (sessions turns)), deff = 1 + (turns - 1) correlation.
"""

from __future__ import annotations

from math import ceil, inf, sqrt

from scbench.errors import BadConfig
from scbench.stats.quantiles import t_quantile

POWER = 0.80
ALPHA = 0.05
DISCORDANT = 0.10  # turns that only one of two methods gets right, where nobody has measured it
CORRELATION = 0.3  # of turns within a session, likewise
MOST_SESSIONS = 1_000_000


def reach(*, alpha: float = ALPHA, sessions: float = inf) -> float:
    """How many standard errors a difference must be away to be seen in four runs of five."""
    freedom = max(1.0, sessions - 1.0)
    return t_quantile(1.0 - alpha / 2.0, freedom) + t_quantile(POWER, freedom)


def detectable_points(
    sessions: int,
    turns: int,
    *,
    discordant: float = DISCORDANT,
    correlation: float = CORRELATION,
    family: int = 1,
) -> float:
    """The difference in points that would be found four times in five.

    `family` is the number of comparisons that are corrected for together: the first step of Holm's
    correction, its strictest. 16 sessions of 5 turns: 15.7 points.

    Raises BadConfig for fewer than two sessions, which have no spread, and for no turn.
    """
    _check(sessions=sessions, turns=turns, family=family)
    design = 1.0 + (turns - 1) * correlation
    error = sqrt(discordant * design / (sessions * turns))
    return 100.0 * reach(alpha=ALPHA / family, sessions=sessions) * error


def sessions_for(
    points: float,
    turns: int,
    *,
    discordant: float = DISCORDANT,
    correlation: float = CORRELATION,
    family: int = 1,
) -> int:
    """The fewest sessions at which a difference of so many points would be found."""
    if not 0.0 < points <= 100.0:
        raise BadConfig(
            f"a difference of {points} points cannot be looked for; give more than 0 and at most "
            "100, for instance 5"
        )

    def sees(sessions: int) -> bool:
        return points >= detectable_points(
            sessions, turns, discordant=discordant, correlation=correlation, family=family
        )

    high = 2
    while not sees(high):
        high *= 2
        if high > MOST_SESSIONS:
            return high
    low = max(2, high // 2)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if sees(middle) else (middle + 1, high)
    return high


def sessions_to_see(distance: float, error: float, sessions: int, *, alpha: float = ALPHA) -> int:
    """The same from a standard error that `sessions` sessions had: it falls with their root."""
    if distance <= 0.0:
        return MOST_SESSIONS
    return min(MOST_SESSIONS, ceil(sessions * (reach(alpha=alpha) * error / distance) ** 2))


def _check(*, sessions: int, turns: int, family: int) -> None:
    for name, given, least in (
        ("sessions", sessions, 2),
        ("turns", turns, 1),
        ("family", family, 1),
    ):
        if given < least:
            raise BadConfig(f"{name} is {given}; the formula takes {least} or more")
