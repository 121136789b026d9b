"""What a run comes to, method by method: the numbers of the short table and of its sentence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from scbench.report.marks import of_notes
from scbench.stats import (
    OVERALL,
    Agreement,
    Difference,
    Ruling,
    ScoreCell,
    Setting,
    Share,
    Summary,
)

BRACKET = re.compile(r"^([^\[\]+]+)(\[[^\[\]]*\])$")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeScore:
    """A method's headline score in one mode, as the summary has it."""

    mode: str
    value: float | None
    difference: Difference | None = None
    is_measurable: bool = True  # False: full attention cannot do this, by the model's card or gate

    @property
    def ruling(self) -> Ruling | None:
        return self.difference.judged if self.difference is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodLine:
    """A row of the short table: one method of one setting."""

    method: str
    name: str  # as printed: without the setting that most methods share
    is_baseline: bool
    has_gaps: bool
    notes: str  # signs of notes that mark the numbers, such as those kept from older code
    scores: tuple[ModeScore, ...]
    agreement: Agreement | None  # in the mode where it is furthest from the baseline
    share: Share | None

    @property
    def is_decided(self) -> bool:
        rulings = [one.ruling for one in self.scores]
        rulings += [self.agreement.kl_judged] if self.agreement is not None else []
        return any(ruling is not None and ruling.is_decided for ruling in rulings)

    @property
    def decided_scores(self) -> int:
        return sum(one.ruling is not None and one.ruling.is_decided for one in self.scores)

    @property
    def mean(self) -> float:
        """To sort by; a method without any score stands last."""
        values = [one.value for one in self.scores if one.value is not None]
        return sum(values) / len(values) if values else -9.0

    @property
    def divergence(self) -> float:
        """KL to the baseline; who has none stands after those that have."""
        value = self.agreement.kl.value if self.agreement is not None else None
        return float("inf") if value is None else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """A setting in short: its rows, best first, and what the score is a score of."""

    setting: Setting
    modes: tuple[str, ...]
    what: str  # Overall, or the one task there is
    tasks: int  # of the baseline's score, and its sessions a task
    sessions: int
    common: str  # the part of their spelling that most methods share, such as [tau=1/4]
    lines: tuple[MethodLine, ...]

    @property
    def decided(self) -> int:
        return sum(line.is_decided for line in self.lines)


def headline(summary: Summary, setting: Setting) -> Headline:
    """The baseline first, then by score; methods with gaps after those without."""
    name = _name(summary, setting)
    methods = [info.name for info in summary.methods_in(setting)]
    common = common_bracket([one for one in methods if one != summary.baseline])
    labels = {info.name: info.label for info in summary.methods_in(setting)}
    lines = [
        MethodLine(
            method=method,
            name=labels[method].replace(common, "", 1) if common else labels[method],
            is_baseline=method == summary.baseline,
            has_gaps=summary.has_gaps(setting, method),
            notes=of_notes(_noted(summary, setting, method)),
            scores=tuple(
                _score(summary, setting, mode, method, name) for mode in summary.modes_in(setting)
            ),
            agreement=_agreement(summary, setting, method),
            share=summary.share(setting, method),
        )
        for method in methods
    ]
    tasks, sessions = _design(summary, setting, name)
    # Where scores are equal, as where none has headroom, agreement says who is nearer.
    lines.sort(
        key=lambda line: (
            not line.is_baseline,
            line.has_gaps,
            -round(line.mean, 9),
            line.divergence,
        )
    )
    return Headline(
        setting=setting,
        modes=summary.modes_in(setting),
        what=name if name == OVERALL else summary.book.title_of(name),
        tasks=tasks,
        sessions=sessions,
        common=common,
        lines=tuple(lines),
    )


def _noted(summary: Summary, setting: Setting, method: str) -> set[str]:
    """Notes of any record of a method."""
    mine = [cell for cell in summary.cells if (cell.setting, cell.method) == (setting, method)]
    return {note for cell in mine for note in cell.noted}


def _name(summary: Summary, setting: Setting) -> str:
    """Overall where it has a value, else the first task of the setting."""
    averages = [
        summary.average(setting, mode, info.name, OVERALL)
        for mode in summary.modes_in(setting)
        for info in summary.methods_in(setting)
    ]
    if any(one is not None and not one.strict.is_gap for one in averages):
        return OVERALL
    return next(iter(summary.tasks_in(setting)), OVERALL)


def _design(summary: Summary, setting: Setting, name: str) -> tuple[int, int]:
    """Tasks and sessions a task of the first score there is; the baseline's, if it ran."""
    for info in summary.methods_in(setting):
        for mode in summary.modes_in(setting):
            if name != OVERALL:
                cell = summary.cell(setting, mode, info.name, name)
                if cell is not None:
                    return 1, cell.strict.sessions
            elif average := summary.average(setting, mode, info.name, name):
                return len(average.tasks), average.sessions
    return 0, 0


def _score(summary: Summary, setting: Setting, mode: str, method: str, name: str) -> ModeScore:
    found = (
        summary.average(setting, mode, method, name)
        if name == OVERALL
        else summary.cell(setting, mode, method, name)
    )
    if found is None:
        return ModeScore(mode=mode, value=None)
    return ModeScore(
        mode=mode,
        value=found.strict.value,
        difference=found.difference,
        is_measurable=not isinstance(found, ScoreCell) or found.is_measurable,
    )


def _agreement(summary: Summary, setting: Setting, method: str) -> Agreement | None:
    found = [summary.agreement(setting, mode, method) for mode in summary.modes_in(setting)]
    measured = [one for one in found if one is not None and not one.is_gap]
    return max(measured, key=lambda one: one.kl.value or 0.0, default=None)


def common_bracket(methods: Sequence[str]) -> str:
    """The bracket that at least two methods, and most of those that have one, are spelled with."""
    brackets = [found.group(2) for method in methods if (found := BRACKET.match(method))]
    if not brackets:
        return ""
    bracket, count = Counter(brackets).most_common(1)[0]
    return bracket if count > 1 and 2 * count > len(brackets) else ""
