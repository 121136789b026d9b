"""The paper's tables as plain values: one number a cell, with its limits and what was published."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from scbench.errors import BadConfig
from scbench.report.paper.published import SOURCE, published
from scbench.stats import ABILITIES, OVERALL, Average, Estimate, Setting, Summary
from scbench.stats.awareness import HIDDEN, SEEN, awareness

COLUMNS = (*ABILITIES, OVERALL)
RULES = {
    "strict": "our rules, corrected for chance",
    "official": "published rules, uncorrected, as in the paper",
}
BUDGET = re.compile(r"\b(tau|budget_tokens|bits)=([^,\]]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperNumber:
    """A number of ours with its limits, 0..1, and the published one beside it."""

    ours: Estimate
    published: float | None = None

    @property
    def source(self) -> str:
        return "" if self.published is None else SOURCE


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRow:
    """A method; `group` is what stands above it, a model."""

    group: str
    method: str
    numbers: dict[str, PaperNumber]  # by column

    @property
    def has_published(self) -> bool:
        return any(one.published is not None for one in self.numbers.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperTable:
    """`name` is a file's, `columns` are in the order to print."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[PaperRow, ...]
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class ModelFamily:
    """Settings that differ in their model alone: they share a table."""

    length_tokens: int
    protocol: str
    form: str

    @property
    def label(self) -> str:
        return Setting("", self.length_tokens, self.protocol, self.form).label.removeprefix(", ")


Placed = tuple[Summary, Setting]


def paper_tables(summaries: Sequence[Summary]) -> list[PaperTable]:
    """Every table that these runs have numbers for, in the paper's order.

    Raises BadConfig where two runs have the same model, setting and method.
    """
    _refuse_doubles(summaries)
    families: dict[ModelFamily, list[Placed]] = {}
    for summary in summaries:
        for setting in summary.settings:
            family = ModelFamily(setting.length_tokens, setting.protocol, setting.form)
            families.setdefault(family, []).append((summary, setting))
    found: list[PaperTable] = []
    for place, (family, placed) in enumerate(families.items(), start=1):
        end = "" if len(families) == 1 else f"-{place}"
        made = [
            *_averages(family, placed),
            *_tasks(family, placed),
            *_turns(family, placed),
            *_budgets(family, placed),
            *_aware(family, placed),
        ]
        found += [_named(table, end) for table in made if table.rows]
    return found


def _refuse_doubles(summaries: Sequence[Summary]) -> None:
    seen: set[tuple[Setting, str]] = set()
    for summary in summaries:
        mine = {
            (setting, info.name)
            for setting in summary.settings
            for info in summary.methods_in(setting)
        }
        if doubles := sorted(mine & seen):
            names = ", ".join(method for _, method in doubles[:5])
            raise BadConfig(
                f"{names} of {doubles[0][0].label} are in two of these runs, and a table has one "
                "row for each; name one of the runs alone"
            )
        seen |= mine


def _named(table: PaperTable, end: str) -> PaperTable:
    return PaperTable(
        name=f"{table.name}{end}",
        title=table.title,
        columns=table.columns,
        rows=table.rows,
        notes=table.notes,
    )


def modes_of(placed: Iterable[Placed]) -> list[str]:
    return list(
        dict.fromkeys(mode for summary, setting in placed for mode in summary.modes_in(setting))
    )


def _number(average: Average, rule: str) -> PaperNumber:
    if rule == "official":
        return PaperNumber(ours=average.official, published=published(average))
    return PaperNumber(ours=average.strict)


def _averages(family: ModelFamily, placed: Sequence[Placed]) -> Iterator[PaperTable]:
    """Models x methods x abilities: the paper's Tables 4 and 10."""
    for mode in modes_of(placed):
        for rule, words in RULES.items():
            rows = []
            for summary, setting in placed:
                for info in summary.methods_in(setting):
                    found = {
                        name: summary.average(setting, mode, info.name, name) for name in COLUMNS
                    }
                    numbers = {name: _number(one, rule) for name, one in found.items() if one}
                    row = PaperRow(group=setting.model, method=info.label, numbers=numbers)
                    rows += _if_known([row])
            yield PaperTable(
                name=f"averages-{mode}-{rule}",
                title=f"Averages, {mode}, {family.label}: {words}",
                columns=tuple(name for name in COLUMNS if _has(rows, name)),
                rows=tuple(rows),
                notes=_over(placed, mode),
            )


def _has(rows: Iterable[PaperRow], column: str) -> bool:
    """Whether any row has a number there."""
    return any(column in row.numbers and not row.numbers[column].ours.is_gap for row in rows)


def _over(placed: Sequence[Placed], mode: str) -> tuple[str, ...]:
    """Which tasks each average is over, where they are fewer than the paper's."""
    notes: dict[str, None] = {}
    for summary, setting in placed:
        for name in COLUMNS:
            one = summary.average(setting, mode, summary.baseline, name)
            if one is not None and one.tasks and one.missing:
                titles = ", ".join(summary.book.title_of(task) for task in one.tasks)
                notes[f"{setting.model}, {name}: over {titles} alone."] = None
    return tuple(notes)


def _if_known(rows: Iterable[PaperRow]) -> list[PaperRow]:
    """Without rows that have no number."""
    return [row for row in rows if any(not one.ours.is_gap for one in row.numbers.values())]


def _tasks(family: ModelFamily, placed: Sequence[Placed]) -> Iterator[PaperTable]:
    """Every task: the paper's Tables 11 and 12."""
    for mode in modes_of(placed):
        for rule in RULES:
            rows = []
            titles: dict[str, None] = {}
            for summary, setting in placed:
                tasks = {
                    task: summary.book.title_of(task)
                    + ("" if summary.is_measurable(setting, mode, task) else " ◦")
                    for task in summary.tasks_in(setting)
                }
                titles |= dict.fromkeys(tasks.values())
                for info in summary.methods_in(setting):
                    numbers = {}
                    for task, title in tasks.items():
                        cell = summary.cell(setting, mode, info.name, task)
                        if cell is not None:
                            numbers[title] = PaperNumber(ours=getattr(cell, rule))
                    rows.append(PaperRow(group=setting.model, method=info.label, numbers=numbers))
            weak = any(title.endswith("◦") for title in titles)
            yield PaperTable(
                name=f"tasks-{mode}-{rule}",
                title=f"All tasks, {mode}, {family.label}: {rule} rules, uncorrected",
                columns=tuple(titles),
                rows=tuple(_if_known(rows)),
                notes=("◦ the model does not solve this task, so it tells no method",) * weak,
            )


def _turns(family: ModelFamily, placed: Sequence[Placed]) -> Iterator[PaperTable]:
    """By turn, for each ability, in conversations: the paper's Figures 6 and 10."""
    for ability in ABILITIES:
        rows = []
        most = 0
        for summary, setting in placed:
            points = [
                point
                for point in summary.ability_curves
                if (point.setting, point.mode, point.task) == (setting, SEEN, ability)
            ]
            for info in summary.methods_in(setting):
                mine = [point for point in points if point.method == info.name]
                numbers = {
                    f"turn {point.turn + 1}": PaperNumber(ours=point.estimate) for point in mine
                }
                most = max([most, *(point.turn + 1 for point in mine)])
                rows.append(PaperRow(group=setting.model, method=info.label, numbers=numbers))
        if most > 1:
            yield PaperTable(
                name=f"turns-{ability.lower().replace('.', '-')}",
                title=f"{ability} by turn, multi-turn, {family.label}: our rules, uncorrected",
                columns=tuple(f"turn {turn + 1}" for turn in range(most)),
                rows=tuple(_if_known(rows)),
            )


def budget_of(method: str) -> tuple[str, str]:
    """A method without its budget, and the budget: `snapkv[tau=1/4]` is ("snapkv", "tau=1/4").

    Empty where it names none, or several.
    """
    found = BUDGET.findall(method)
    if len(found) != 1:
        return method, ""
    (name, value) = found[0]
    base = method.replace(f"{name}={value}", "").replace("[,", "[").replace(",]", "]")
    return base.replace(",,", ",").replace("[]", ""), f"{name}={value}"


def budget_order(budget: str) -> tuple[str, float]:
    """The largest first, shares before counts of tokens before bits."""
    name, _, value = budget.partition("=")
    try:
        size = float(Fraction(value))
    except (ValueError, ZeroDivisionError):
        size = 0.0
    order = {"tau": "0", "budget_tokens": "1", "bits": "2"}
    return order.get(name, "3"), -size


def _budgets(family: ModelFamily, placed: Sequence[Placed]) -> Iterator[PaperTable]:
    """Overall against the budget, of methods with two budgets or more: the paper's Figure 4."""
    for mode in modes_of(placed):
        rows = []
        budgets: set[str] = set()
        for summary, setting in placed:
            by_base: dict[str, dict[str, PaperNumber]] = {}
            for info in summary.methods_in(setting):
                base, budget = budget_of(info.name)
                one = summary.average(setting, mode, info.name, OVERALL)
                if budget and one is not None and not one.strict.is_gap:
                    by_base.setdefault(base, {})[budget] = PaperNumber(ours=one.strict)
            several = {base: mine for base, mine in by_base.items() if len(mine) > 1}
            budgets |= {budget for mine in several.values() for budget in mine}
            rows += [
                PaperRow(group=setting.model, method=base, numbers=mine)
                for base, mine in several.items()
            ]
        yield PaperTable(
            name=f"budgets-{mode}",
            title=f"Overall by budget, {mode}, {family.label}: our rules, corrected for chance",
            columns=tuple(sorted(budgets, key=budget_order)),
            rows=tuple(rows),
        )


def _aware(family: ModelFamily, placed: Sequence[Placed]) -> Iterator[PaperTable]:
    """The first question, seen before compression or hidden: the paper's Table 5."""
    rows = []
    tasks: dict[str, None] = {}
    for summary, setting in placed:
        for one in awareness(summary):
            if one.setting != setting:
                continue
            tasks |= dict.fromkeys(summary.book.title_of(task) for task in one.tasks)
            numbers = {
                "query seen": PaperNumber(ours=one.seen),
                "query hidden": PaperNumber(ours=one.hidden),
                "hidden - seen": PaperNumber(ours=one.difference.estimate),
            }
            label = next(
                info.label for info in summary.methods_in(setting) if info.name == one.method
            )
            rows.append(PaperRow(group=setting.model, method=label, numbers=numbers))
    yield PaperTable(
        name="query-awareness",
        title=f"The first question, {family.label}: our rules, corrected for chance",
        columns=("query seen", "query hidden", "hidden - seen"),
        rows=tuple(rows),
        notes=(
            f"Seen: the first turn of {SEEN}, after which the cache is compressed; hidden: the "
            f"same question of the same session in {HIDDEN}, where it is compressed before, and "
            f"the question is read on top of what is left. Over {', '.join(tasks)}.",
        ),
    )
