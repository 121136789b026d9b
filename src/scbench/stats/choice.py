"""Which methods keep a bound on loss and bytes: surely, surely not, or nobody can tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from scbench.stats.cells import Setting
from scbench.stats.difference import Difference
from scbench.stats.paper import OVERALL
from scbench.stats.power import MOST_SESSIONS, sessions_to_see
from scbench.stats.standing import FEW_SESSIONS, HEADROOM
from scbench.stats.summary import Summary

# Whole slots, and where each head's begin, may put a budget a little above the share it was given.
ROUNDING = 1.01


class Choice(StrEnum):
    """What can be said of a method under a bound."""

    KEEPS = "keeps"  # surely loses less than the bound
    BREAKS = "breaks"  # surely loses more
    UNKNOWN = "unknown"
    TOO_LARGE = "too large"  # holds, or loads, more bytes than allowed
    UNMEASURED = "not measured"  # no score, or no bytes, to judge by


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A method in one mode, or in all of them (`mode` empty): the worst of its modes decides.

    Losses are chance-corrected, 0..1, of the average over all tasks; `low` and `high` hold for all
    methods and modes of the setting at once.
    """

    setting: Setting
    method: str
    mode: str
    choice: Choice
    loss: float | None = None
    low: float | None = None
    high: float | None = None
    held: float | None = None  # share of dense's bytes
    loaded: float | None = None
    more_sessions: int = 0  # until it could be told, about
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a method may lose and use; None: any."""

    max_loss: float  # 0..1 of the chance-corrected score
    max_held: float | None = None  # share of dense's bytes
    max_loaded: float | None = None
    mode: str = ""  # one mode; empty: all that were played


def choose(summary: Summary, bounds: Bounds) -> list[Chosen]:
    """A row per setting and method but the baseline, those that keep the bounds first."""
    order = list(Choice)
    rows = [
        _of_method(summary, setting, method.name, bounds)
        for setting in summary.settings
        for method in summary.methods_in(setting)
        if method.name != summary.baseline
    ]
    rows.sort(key=lambda row: (row.setting, order.index(row.choice), row.loss or 0.0, row.method))
    return rows


def _of_method(summary: Summary, setting: Setting, method: str, bounds: Bounds) -> Chosen:
    share = summary.share(setting, method)
    held = None if share is None else share.ratio
    loaded = None if share is None else share.loaded
    modes = [mode for mode in summary.modes_in(setting) if bounds.mode in ("", mode)]
    found = [_of_mode(summary, setting, method, mode, bounds) for mode in modes]
    worst = max(found, key=_badness, default=None)
    if worst is None:
        return Chosen(
            setting=setting,
            method=method,
            mode=bounds.mode,
            choice=Choice.UNMEASURED,
            why=f"it was not played in {bounds.mode}" if bounds.mode else "it was not played",
        )
    choice, why = worst.choice, worst.why
    for name, used, most in (
        ("holds", held, bounds.max_held),
        ("loads", loaded, bounds.max_loaded),
    ):
        if most is None:
            continue
        if used is None:
            choice, why = Choice.UNMEASURED, f"nobody measured what it {name}"
        elif used > most * ROUNDING:
            choice, why = Choice.TOO_LARGE, f"{name} {100 * used:.1f} % of dense"
    return Chosen(
        setting=setting,
        method=method,
        mode=worst.mode if len(modes) > 1 else "",
        choice=choice,
        loss=worst.loss,
        low=worst.low,
        high=worst.high,
        held=held,
        loaded=loaded,
        more_sessions=worst.more_sessions,
        why=why,
    )


def _badness(one: Chosen) -> tuple[int, float]:
    """Modes in the order in which they decide: surely broken, unknown, unmeasured, kept."""
    order = (Choice.KEEPS, Choice.UNMEASURED, Choice.UNKNOWN, Choice.BREAKS)
    return order.index(one.choice), one.loss or 0.0


def _of_mode(summary: Summary, setting: Setting, method: str, mode: str, bounds: Bounds) -> Chosen:
    average = summary.average(setting, mode, method, OVERALL)
    difference = None if average is None else average.difference
    if average is None or difference is None or difference.value is None:
        return Chosen(
            setting=setting,
            method=method,
            mode=mode,
            choice=Choice.UNMEASURED,
            why="it has no score that dense has too",
        )
    level = average.baseline_shared.value
    if level is None or level < HEADROOM:
        return Chosen(
            setting=setting,
            method=method,
            mode=mode,
            choice=Choice.UNMEASURED,
            why=f"{summary.baseline} is too near to chance here to lose anything",
        )
    same = difference.same_turns == difference.estimate.n > 0
    low, high = difference.joint_low, difference.joint_high
    choice = Choice.UNKNOWN
    if same or (low is not None and low > -bounds.max_loss):
        choice = Choice.KEEPS
    elif high is not None and high < -bounds.max_loss:
        choice = Choice.BREAKS
    missing = _missing(difference, average.sessions, bounds.max_loss)
    return Chosen(
        setting=setting,
        method=method,
        mode=mode,
        choice=choice,
        loss=-difference.value,
        low=None if high is None else -high,
        high=None if low is None else -low,
        more_sessions=missing if choice is Choice.UNKNOWN else 0,
    )


def _missing(difference: Difference, sessions: int, max_loss: float) -> int:
    """Sessions, beside those played, until the loss could be told from the bound."""
    known = difference.paired
    if known is None or known.error is None or difference.value is None:
        return max(1, FEW_SESSIONS - sessions)
    distance = abs(difference.value + max_loss)
    alpha = 0.05 / max(1, difference.family)
    needed = sessions_to_see(distance, known.error, sessions, alpha=alpha)
    return max(1, min(needed, MOST_SESSIONS) - sessions)


def more_sessions(rows: Sequence[Chosen]) -> int:
    """What would tell the most of those nobody can tell yet: the least number that tells any."""
    wanted = [row.more_sessions for row in rows if row.choice is Choice.UNKNOWN]
    return min(wanted, default=0)
