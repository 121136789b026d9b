"""Whether a difference surely keeps a bound on loss, surely breaks it, or nobody can tell."""

from __future__ import annotations

from collections.abc import Sequence

from scbench.stats.difference import Difference, holm
from scbench.stats.intervals import ALPHA
from scbench.stats.paired import Paired
from scbench.stats.power import MOST_SESSIONS, sessions_to_see
from scbench.stats.standing import FEW_SESSIONS, LEAST_SESSIONS


def bound_p_values(
    every: Sequence[Paired | None], max_loss: float
) -> list[tuple[float | None, float | None]]:
    """For each: the p-value that less than `max_loss` (0..1) is lost, and that more is.

    That each keeps the bound, and that each breaks it, are two kinds of claim; each kind is
    corrected (Holm) over all of them.
    """
    keeps = holm([None if one is None else one.p_above(-max_loss) / 2.0 for one in every])
    breaks = holm([None if one is None else one.p_below(-max_loss) for one in every])
    return list(zip(keeps, breaks, strict=True))


def sessions_missing(
    difference: Difference, sessions: int, max_loss: float, *, alpha: float = ALPHA
) -> int:
    """Sessions, beside those played, until the loss could be told from the bound."""
    known = difference.paired
    if known is None or known.error is None or difference.value is None:
        return max(1, FEW_SESSIONS - sessions)
    distance = abs(difference.value + max_loss)
    of_one = alpha / max(1, difference.family)
    needed = sessions_to_see(distance, known.error, sessions, alpha=of_one)
    return max(1, LEAST_SESSIONS - sessions, min(needed, MOST_SESSIONS) - sessions)
