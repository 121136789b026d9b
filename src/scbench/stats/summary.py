"""Everything a report shows, computed once: a pure function of records and cost rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import polars as pl

from scbench.errors import BadConfig
from scbench.stats.agreement import EVERY_TASK, Agreement, agreements
from scbench.stats.averages import Average, Sheet, averages, between, columns
from scbench.stats.cells import ScoreCell, Setting, cells
from scbench.stats.costs import CostRow, cost_row
from scbench.stats.curves import CurvePoint, Trend, ability_curves, curves, trends
from scbench.stats.difference import Difference
from scbench.stats.frame import frame
from scbench.stats.lengths import LengthPoint, length_points
from scbench.stats.paper import ABILITIES, OVERALL, PAPER_BOOK, TaskBook
from scbench.stats.shares import Share, shares
from scbench.stats.standing import MARGIN
from scbench.stats.verdicts import judged_averages, judged_cells, judged_one
from scbench.task_cards import TaskCard
from scbench.types import Record

STAGES = ("reference", "generation", "compression", "retrieval", "loading", "several stages", "")
MODES = ("multi-turn", "multi-request")
RESAMPLES = 2000
SIMULATED = "‡"
Solves: TypeAlias = Callable[[str, str, int, str], bool | None]  # None: nobody measured it


@dataclass(frozen=True, slots=True)
class MethodInfo:
    """A method's place in the report: life-cycle stage and category of the paper; empty where
    nobody said.
    """

    name: str
    stage: str = ""
    category: str = ""
    is_simulated: bool = (
        False  # it masked entries instead of freeing them, somewhere in these records
    )

    @property
    def label(self) -> str:
        """The name to print, marked where the method is simulated."""
        return f"{self.name} {SIMULATED}" if self.is_simulated else self.name


@dataclass(frozen=True, kw_only=True)
class Summary:
    """`methods` has the baseline first, then by stage; `settings`, `modes` and `tasks` are in the
    order to print.
    """

    baseline: str
    gate: float | None
    settings: tuple[Setting, ...]
    modes: tuple[str, ...]
    tasks: tuple[str, ...]
    methods: tuple[MethodInfo, ...]
    cells: tuple[ScoreCell, ...]
    averages: tuple[Average, ...]
    curves: tuple[CurvePoint, ...]
    ability_curves: tuple[CurvePoint, ...]
    trends: tuple[Trend, ...]
    lengths: tuple[LengthPoint, ...]  # empty where all contexts are of one length
    costs: tuple[CostRow, ...]
    shares: tuple[Share, ...]
    agreements: tuple[Agreement, ...]  # empty where no gold answer was fed
    columns: tuple[Sheet, ...]
    turns: pl.DataFrame  # see `frame`
    margin: float = MARGIN  # a loss below this counts as none
    book: TaskBook = PAPER_BOOK

    @cached_property
    def _cells(self) -> dict[tuple[Setting, str, str, str, str], ScoreCell]:
        return {
            (cell.setting, cell.mode, cell.method, cell.task, cell.part): cell
            for cell in self.cells
        }

    @cached_property
    def _averages(self) -> dict[tuple[Setting, str, str, str], Average]:
        return {(one.setting, one.mode, one.method, one.name): one for one in self.averages}

    def cell(
        self, setting: Setting, mode: str, method: str, task: str, part: str = ""
    ) -> ScoreCell | None:
        return self._cells.get((setting, mode, method, task, part))

    def average(self, setting: Setting, mode: str, method: str, name: str) -> Average | None:
        return self._averages.get((setting, mode, method, name))

    @cached_property
    def _agreements(self) -> dict[tuple[Setting, str, str, str], Agreement]:
        return {(one.setting, one.mode, one.method, one.task): one for one in self.agreements}

    def agreement(
        self, setting: Setting, mode: str, method: str, task: str = EVERY_TASK
    ) -> Agreement | None:
        """With dense, over all tasks or on one; None where nobody fed gold answers."""
        return self._agreements.get((setting, mode, method, task))

    def share(self, setting: Setting, method: str) -> Share | None:
        """Bytes held and loaded, as shares of dense; None where nobody measured them."""
        places = ((one.setting, one.method) for one in self.shares)
        found = dict(zip(places, self.shares, strict=True))
        return found.get((setting, method))

    def cost_share(self, row: CostRow) -> Share | None:
        """The share of a row of the cost pass; None where nothing was scored at that length."""
        place = (row.model, row.length_tokens, row.form)
        for setting in self.settings:
            if (setting.model, setting.length_tokens, setting.form) == place:
                return self.share(setting, row.method)
        return None

    def compare(
        self,
        setting: Setting,
        mode: str,
        one: str,
        other: str,
        name: str = OVERALL,
        *,
        family: int = 1,
    ) -> Difference | None:
        """`one` minus `other`, any two methods, on a task, an ability or Overall.

        Over the turns that both have a score for, corrected for chance; `family` is how many such
        questions are asked together. None where one of them did not run or they share no task.
        """
        column = next(
            (item for item in self.columns if (item.setting, item.mode) == (setting, mode)), None
        )
        if column is None or not {one, other} <= set(column.cells):
            return None
        tasks = self.book.tasks_in(name) if name in (*ABILITIES, OVERALL) else (name,)
        counted = [
            task
            for task in tasks
            if all(
                task in column.cells[method] and column.cells[method][task].counts
                for method in (one, other)
            )
        ]
        found = between(column, one, other, counted)
        if found.difference.is_gap:
            return None
        sessions = min(column.cells[one][task].strict.sessions for task in found.tasks)
        # What there is to lose is what either of the two has.
        levels = [mean.value for mean in (found.one, found.other) if mean.value is not None]
        return judged_one(
            found.difference,
            sessions=sessions,
            headroom=max(levels, default=None),
            family=family,
            margin=self.margin,
        )

    def methods_in(self, setting: Setting) -> tuple[MethodInfo, ...]:
        """The baseline, then by stage and category; within one, those with gaps stand last."""
        ran = {cell.method for cell in self.cells if cell.setting == setting}
        groups: dict[tuple[bool, str, str], list[MethodInfo]] = {}
        for method in self.methods:
            if method.name in ran:
                place = (method.name != self.baseline, method.stage, method.category)
                groups.setdefault(place, []).append(method)
        return tuple(
            method
            for group in groups.values()
            for method in sorted(group, key=lambda one: self.has_gaps(setting, one.name))
        )

    def has_gaps(self, setting: Setting, method: str) -> bool:
        """Whether a method lacks a score that another of this setting has, or that was planned."""
        found = [self.cell(setting, mode, method, task) for mode, task in self._columns_in(setting)]
        return any(cell is None or cell.has_gaps for cell in found)

    def planned_turns(self, setting: Setting, mode: str, task: str) -> int:
        """Turns that every method would have a score for if nothing were missing; 0 if none ran."""
        return max(
            (
                cell.planned_turns
                for method in self.methods
                if (cell := self.cell(setting, mode, method.name, task))
            ),
            default=0,
        )

    def is_measurable(self, setting: Setting, mode: str, task: str) -> bool:
        """False if the gate or the model's card says no: then it is so for every method."""
        return all(
            cell.is_measurable
            for method in self.methods
            if (cell := self.cell(setting, mode, method.name, task))
        )

    def _columns_in(self, setting: Setting) -> tuple[tuple[str, str], ...]:
        return tuple(
            dict.fromkeys(
                (cell.mode, cell.task)
                for cell in self.cells
                if cell.setting == setting and cell.part == ""
            )
        )

    def tasks_in(self, setting: Setting) -> tuple[str, ...]:
        return self.book.in_order({cell.task for cell in self.cells if cell.setting == setting})

    def modes_in(self, setting: Setting) -> tuple[str, ...]:
        ran = {cell.mode for cell in self.cells if cell.setting == setting}
        return tuple(mode for mode in self.modes if mode in ran)


def _by_card(cell: ScoreCell, solves: Solves) -> ScoreCell:
    said = solves(cell.setting.model, cell.task, cell.setting.length_tokens, cell.mode)
    return replace(cell, is_measurable=False) if said is False else cell


def summarise(
    records: Sequence[Record],
    cost_rows: Iterable[CostRow | Mapping[str, object]] = (),
    *,
    stages: Mapping[str, tuple[str, str]] | None = None,
    baseline: str = "dense",
    gate: float | None = None,
    solves: Solves | None = None,
    resamples: int = RESAMPLES,
    margin: float = MARGIN,
    task_cards: Mapping[str, TaskCard] | None = None,
) -> Summary:
    """All numbers of a report.

    `stages` maps a method to its (life-cycle stage, category). `gate` is the least baseline score
    at which a task can tell something about a method (0.90 for tiny models); None shows every task
    as measurable. `solves` says of (model, task, context tokens, mode) whether full attention does
    it by the model's own card; cells of which it says no are not measurable, whatever the gate.
    `margin` is the loss below which two methods are called equivalent. `task_cards` are those of
    tasks that are not the paper's. The same records give the same summary.
    """
    _check_gate(gate)
    book = TaskBook(task_cards or {})
    table = frame(records)
    rows = tuple(cost_row(row) for row in cost_rows)
    found = cells(table, baseline=baseline, gate=gate, resamples=resamples, book=book)
    if solves is not None:
        found = [_by_card(cell, solves) for cell in found]
    by_mode = columns(found, table, baseline=baseline, book=book)
    found = judged_cells(found, by_mode, margin=margin)
    settings = tuple(sorted({cell.setting for cell in found}))
    names = {cell.method for cell in found} | {row.method for row in rows}
    simulated = {cell.method for cell in found if cell.simulated} | {
        row.method for row in rows if row.simulated
    }
    judged = judged_averages(averages(by_mode), margin=margin)
    return Summary(
        baseline=baseline,
        gate=gate,
        settings=settings,
        modes=_in_order({cell.mode for cell in found}),
        tasks=book.in_order({cell.task for cell in found}),
        methods=order_methods(names, stages or {}, baseline, simulated),
        cells=tuple(found),
        averages=tuple(judged),
        curves=tuple(curves(table, book)),
        ability_curves=tuple(ability_curves(by_mode)),
        trends=tuple(trends(table, book)),
        lengths=tuple(length_points(judged, table)),
        costs=rows,
        shares=tuple(shares(table, rows, settings, baseline)),
        agreements=tuple(agreements(table, baseline=baseline, book=book)),
        columns=tuple(by_mode),
        turns=table,
        margin=margin,
        book=book,
    )


def _check_gate(gate: float | None) -> None:
    if gate is not None and not 0.0 <= gate <= 1.0:
        raise BadConfig(
            f"gate is {gate}; it takes a score in 0..1 such as 0.9, or None for no gate"
        )


def _in_order(modes: set[str]) -> tuple[str, ...]:
    """The paper's two modes first, others by name."""
    known = [mode for mode in MODES if mode in modes]
    return (*known, *sorted(modes - set(known)))


def order_methods(
    names: set[str], stages: Mapping[str, tuple[str, str]], baseline: str, simulated: set[str]
) -> tuple[MethodInfo, ...]:
    """The baseline, then the methods by life-cycle stage, category and name."""
    infos = [
        MethodInfo(
            name,
            *stages.get(name, ("reference", "") if name == baseline else ("", "")),
            name in simulated,
        )
        for name in names
    ]

    def place(info: MethodInfo) -> tuple[bool, int, str, str, str]:
        known = STAGES.index(info.stage) if info.stage in STAGES else len(STAGES) - 1
        return info.name != baseline, known, info.stage, info.category, info.name

    return tuple(sorted(infos, key=place))
