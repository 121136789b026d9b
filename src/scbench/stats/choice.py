"""Which methods keep a bound on loss and bytes: surely, surely not, or nobody can tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from scbench.stats.averages import Average
from scbench.stats.bound import bound_p_values, sessions_missing
from scbench.stats.cells import ScoreCell, Setting
from scbench.stats.difference import Difference
from scbench.stats.intervals import ALPHA
from scbench.stats.paper import OVERALL
from scbench.stats.standing import HEADROOM
from scbench.stats.summary import Summary

# Whole slots, and where each head's begin, may put a budget a little above the share it was given.
ROUNDING = 1.01
REFERENCE = "reference"  # a category: floors and ceilings, which nobody can serve


class Choice(StrEnum):
    """What can be said of a method under a bound."""

    KEEPS = "keeps"  # surely loses less than the bound
    SAME = "same"  # no answer differs so far, which does not yet exclude such a loss
    BREAKS = "breaks"  # surely loses more
    UNKNOWN = "unknown"
    TOO_LARGE = "too large"  # holds, or loads, more bytes than allowed
    UNMEASURED = "not measured"  # no score, or no bytes, to judge by


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A method in one mode, or in all of them (`mode` empty): the worst of its modes decides.

    Losses are chance-corrected, 0..1, of the average over all tasks, or of the worst task where no
    average counts them. `low` and `high` are 95 % for
    this row alone; `choice` is corrected (Holm) for all methods and modes of the setting, as the
    verdicts of a report are.
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
    """A row per setting and method but references, those that keep the bounds first."""
    order = list(Choice)
    rows = []
    for setting in summary.settings:
        modes = [mode for mode in summary.modes_in(setting) if bounds.mode in ("", mode)]
        methods = [
            info.name
            for info in summary.methods_in(setting)
            if info.name != summary.baseline and info.category != REFERENCE
        ]
        names = _names(summary, setting)
        cells = [
            _of_mode(summary, setting, method, mode, name)
            for method in methods
            for mode in modes
            for name in names
        ]
        judged = _judged(cells, bounds.max_loss)
        for method in methods:
            mine = [one for one in judged if one.method == method]
            rows.append(_of_method(summary, setting, method, mine, bounds))
    rows.sort(key=lambda row: (row.setting, order.index(row.choice), row.loss or 0.0, row.method))
    return rows


def _judged(cells: Sequence[_Compared], max_loss: float) -> list[Chosen]:
    """All methods and modes together."""
    known = [one.difference.paired if one.difference is not None else None for one in cells]
    found = bound_p_values(known, max_loss)
    return [
        _told(one, p_keeps, p_breaks, max_loss)
        for one, (p_keeps, p_breaks) in zip(cells, found, strict=True)
    ]


def _told(one: _Compared, p_keeps: float | None, p_breaks: float | None, max_loss: float) -> Chosen:
    difference = one.difference
    if difference is None or difference.value is None:
        return one.row
    choice = Choice.UNKNOWN
    if p_keeps is not None and p_keeps < ALPHA:
        choice = Choice.KEEPS
    elif p_breaks is not None and p_breaks < ALPHA:
        choice = Choice.BREAKS
    elif difference.same_turns == difference.estimate.n > 0:
        choice = Choice.SAME
    low, high = difference.estimate.low, difference.estimate.high
    is_open = choice in (Choice.UNKNOWN, Choice.SAME)
    return replace(
        one.row,
        choice=choice,
        loss=-difference.value,
        low=None if high is None else -high,
        high=None if low is None else -low,
        more_sessions=sessions_missing(difference, one.sessions, max_loss) if is_open else 0,
    )


def _of_method(
    summary: Summary, setting: Setting, method: str, found: Sequence[Chosen], bounds: Bounds
) -> Chosen:
    """The worst of its modes, and its bytes."""
    share = summary.share(setting, method)
    held = None if share is None else share.ratio
    loaded = None if share is None else share.loaded
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
        mode=worst.mode if len(found) > 1 else "",
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
    """Modes in the order in which they decide: surely broken, unknown, unmeasured, same, kept."""
    order = (Choice.KEEPS, Choice.SAME, Choice.UNMEASURED, Choice.UNKNOWN, Choice.BREAKS)
    return order.index(one.choice), one.loss or 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """A method in one mode before it is judged; `row` says why where it cannot be."""

    row: Chosen
    difference: Difference | None = None
    sessions: int = 0

    @property
    def method(self) -> str:
        return self.row.method


def _names(summary: Summary, setting: Setting) -> tuple[str, ...]:
    """What is judged: the average of all tasks; where there is none, as of tasks of one's own that
    no ability counts, every task, and the worst decides."""
    averages = (
        summary.average(setting, mode, info.name, OVERALL)
        for mode in summary.modes_in(setting)
        for info in summary.methods_in(setting)
    )
    if any(one is not None and not one.strict.is_gap for one in averages):
        return (OVERALL,)
    return tuple(summary.tasks_in(setting)) or (OVERALL,)


def _of_mode(summary: Summary, setting: Setting, method: str, mode: str, name: str) -> _Compared:
    row = Chosen(setting=setting, method=method, mode=mode, choice=Choice.UNMEASURED)
    found: Average | ScoreCell | None
    if name == OVERALL:
        found = summary.average(setting, mode, method, name)
        sessions = 0 if found is None else found.sessions
    else:
        found = summary.cell(setting, mode, method, name)
        sessions = 0 if found is None else found.strict.sessions
    difference = None if found is None else found.difference
    if found is None or difference is None or difference.value is None:
        return _Compared(row=replace(row, why=_why_unmeasured(summary, setting, method, mode)))
    level = found.baseline_shared.value
    if level is None or level < HEADROOM:
        why = f"{summary.baseline} is too near to chance here to lose anything"
        return _Compared(row=replace(row, why=why))
    return _Compared(row=row, difference=difference, sessions=sessions)


def _why_unmeasured(summary: Summary, setting: Setting, method: str, mode: str) -> str:
    """Why a method has no average to compare."""
    if not any(info.name == summary.baseline for info in summary.methods_in(setting)):
        return f"{summary.baseline} was not played: add it to the methods"
    cells = [summary.cell(setting, mode, method, task) for task in summary.tasks_in(setting)]
    failed = [cell for cell in cells if cell is not None and cell.gaps and cell.strict.is_gap]
    if failed:
        reasons = ", ".join(sorted({reason for cell in failed for reason in cell.gaps}))
        return f"no answer of it has a score: {reasons}"
    if any(cell is not None and not cell.is_measurable for cell in cells):
        return f"no headroom: {summary.baseline} does not solve these tasks here"
    return f"it has no score that {summary.baseline} has too"


def more_sessions(rows: Sequence[Chosen]) -> int:
    """What would tell the most of those nobody can tell yet: the least number that tells any."""
    is_open = (Choice.UNKNOWN, Choice.SAME)
    wanted = [row.more_sessions for row in rows if row.choice in is_open]
    return min(wanted, default=0)
