"""Which reports a session holds and what each says; independent of the session's length but for the
number of reports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scbench.errors import BadConfig
from scbench.tasks.build import strata
from scbench.tasks.contract import one_of, within
from scbench.tasks.draw import Draw
from scbench.tasks.materials.reports import words
from scbench.tasks.materials.reports.facts import KINDS, Fact, Values, kinds_for, sentence

_MOST_FACTS, _MOST_REPORTS = 10, 512
_REPORTS_AT_LEAST, _COMPACT_REPORTS = 8, 3
_TOKENS_A_REPORT = 16_384  # above 128K tokens
_TRIES = 40


@dataclass(frozen=True, slots=True)
class ReportKnobs:
    facts: int | None = None  # key facts of a report; None: 5, in compact sessions 2
    reports: int | None = (
        # None: 8, above 128K tokens one for every 16K, in compact sessions 3; never fewer than
        # summary turns
        None
    )
    headings: bool | None = None  # the names of the sections; None: yes, in compact sessions no
    repeat: float = 0.0  # share of the filler that is said over and over

    def settled(self, task: str, *, target: int, asked: int, is_compact: bool) -> Settled:
        """The knobs with nothing left open, for a session that asks for `asked` reports. Raises
        BadConfig.
        """
        usual = (
            _COMPACT_REPORTS
            if is_compact
            else max(_REPORTS_AT_LEAST, round(target / _TOKENS_A_REPORT))
        )
        facts = self.facts if self.facts is not None else (2 if is_compact else 5)
        reports = (
            self.reports if self.reports is not None else max(asked, min(usual, _MOST_REPORTS))
        )
        within(task, "facts", facts, 1, _MOST_FACTS)
        within(task, "repeat", self.repeat, 0, 1)
        one_of(task, "headings", self.headings, (True, False, None))
        if not isinstance(reports, int) or not max(asked, 2) <= reports <= _MOST_REPORTS:
            allowed = (
                f"it must lie between {max(asked, 2)} (two, and one for each summary asked for) "
                f"and {_MOST_REPORTS}"
            )
            raise BadConfig(f"{task}: reports={reports!r} is not allowed; {allowed}")
        headings = self.headings if self.headings is not None else not is_compact
        return Settled(
            facts=facts,
            reports=reports,
            headings=headings,
            repeat=self.repeat,
            is_compact=is_compact,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    facts: int
    reports: int
    headings: bool
    repeat: float
    is_compact: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    title: str
    thing: str
    facts: tuple[Fact, ...]  # in the order of the text

    @property
    def gold(self) -> str:
        return "\n".join(fact.sentence for fact in self.facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPlan:
    reports: tuple[Report, ...]
    asked: tuple[int, ...]  # for each summary turn the report, by its place in the text


def plan_reports(draw: Draw, settled: Settled, *, asked: int) -> ReportPlan:
    order = list(range(settled.reports))
    draw.child("place").shuffle(order)
    return ReportPlan(reports=_reports(draw.child("plan"), settled), asked=tuple(order[:asked]))


def _reports(draw: Draw, settled: Settled) -> tuple[Report, ...]:
    titles = _titles(draw.child("titles"), settled.reports)
    values = Values(draw.child("values"))
    wordings = draw.child("wordings")
    earlier: list[frozenset[tuple[int, int]]] = []
    reports: list[Report] = []
    for number, (mark, thing) in enumerate(titles):
        depths = _depths(draw.child("depths", str(number)), settled.facts)
        told = _least_alike(wordings, depths, earlier)
        earlier.append(frozenset(told))
        facts = []
        for depth, (kind, wording) in zip(depths, told, strict=True):
            value = values.new(kind)
            facts.append(Fact(kind, wording, value, sentence(kind, wording, value, thing), depth))
        reports.append(
            Report(title=f"The {mark} {thing.capitalize()}", thing=thing, facts=tuple(facts))
        )
    return tuple(reports)


def _titles(draw: Draw, reports: int) -> list[tuple[str, str]]:
    """Pairs of a mark and a thing, no pair twice; no thing twice while there are enough."""
    titles: list[tuple[str, str]] = []
    while len(titles) < reports:
        things, marks = (
            draw.sample(words.THINGS, len(words.THINGS)),
            draw.sample(words.TITLE_MARKS, len(words.THINGS)),
        )
        titles += [pair for pair in zip(marks, things, strict=True) if pair not in titles]
    return titles[:reports]


def _depths(draw: Draw, facts: int) -> list[float]:
    return sorted(strata(draw, facts))


def _least_alike(
    draw: Draw, depths: Sequence[float], earlier: Sequence[frozenset[tuple[int, int]]]
) -> list[tuple[int, int]]:
    """(kind, wording) for each fact, sharing as few as can be found with any one earlier report."""
    best: list[tuple[int, int]] = []
    fewest = len(depths) + 1
    allowed = len(depths) // 4
    for _ in range(_TRIES):
        told = [(kind, draw.below(len(KINDS[kind].wordings))) for kind in kinds_for(depths, draw)]
        shared = max((len(one.intersection(told)) for one in earlier), default=0)
        if shared < fewest:
            best, fewest = told, shared
        if fewest <= allowed:
            break
    return best
