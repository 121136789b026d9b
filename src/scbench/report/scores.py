"""The score tables: method by task with the paper's averages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from scbench.report import marks
from scbench.report.marks import LACKS, LOST, PARTIAL, SIGNIFICANT, WEAK, count
from scbench.report.table import Column, Entry, Row, Table
from scbench.report.words import GAP, interval, percent, signed, signed_interval
from scbench.stats import (
    ABILITIES,
    ALPHA,
    OVERALL,
    SIMULATED,
    Average,
    Cell,
    MethodInfo,
    Setting,
    Summary,
    tasks_of,
    title_of,
)

OTHER = "Other tasks"
AVERAGES = "Averages"
HELD = "Held, % of dense"  # bytes; the column beside the overall average
SIDES = {
    "floor": "floor",
    "fact_recall": "facts",
    "leak": "leak",
}  # what a reader needs next to ROUGE
SIDE_IS_SHARE = {"floor", "fact_recall"}


def stage_title(method: MethodInfo) -> str:
    return " · ".join(word for word in (method.stage, method.category) if word) or "stage not given"


def score_table(summary: Summary, setting: Setting, mode: str) -> Table:
    """Every task of a setting in one mode; the averages stand first, the overall average at their end."""
    tasks = summary.tasks_in(setting)
    columns: list[tuple[str, str]] = []  # group, task or the average's own name
    for ability in ABILITIES:
        columns += [(ability, task) for task in tasks_of(ability) if task in tasks]
        columns.append((AVERAGES, ability))
    columns += [
        (OTHER, task)
        for task in tasks
        if not any(task in tasks_of(ability) for ability in ABILITIES)
    ]
    columns.append((AVERAGES, OVERALL))
    if any(share.setting == setting for share in summary.shares):
        columns.append((AVERAGES, HELD))
    columns.sort(key=lambda column: (column[0] != AVERAGES, column[0] == OTHER))
    methods = summary.methods_in(setting)
    rows = [
        Row(
            name=method.label,
            group=stage_title(method),
            entries=tuple(_entry(summary, setting, mode, method, *one) for one in columns),
        )
        for method in methods
    ]
    heads, rows = _lift_n(columns, rows)
    return Table(
        title=f"{mode}, {setting.label}",
        label=f"scores-{mode}",
        corner="method",
        columns=heads,
        rows=tuple(rows),
        notes=tuple(_notes(summary, setting, mode, rows)),
    )


def _entry(
    summary: Summary, setting: Setting, mode: str, method: MethodInfo, group: str, name: str
) -> Entry:
    if name == HELD:
        ratios = [
            share.ratio
            for share in summary.shares
            if (share.setting, share.method) == (setting, method.name)
        ]
        return Entry(main=percent(ratios[0] if ratios else None))
    if group == AVERAGES:
        average = summary.average(setting, mode, method.name, name)
        if average is None:
            return Entry(main=GAP, marks=LACKS)
        return average_entry(average, summary.baseline)
    cell = summary.cell(setting, mode, method.name, name)
    if cell is not None:
        return cell_entry(cell, summary.baseline)
    planned = summary.planned_turns(setting, mode, name)
    return Entry(main=GAP, marks=LACKS if planned else "", n=count(0, planned))


def cell_entry(cell: Cell, baseline: str) -> Entry:
    estimate, paired = cell.strict, cell.difference
    tone = ""
    if paired and paired.is_significant and paired.estimate.value:
        tone = "better" if paired.estimate.value > 0 else "worse"
    beside = _beside_baseline(cell, baseline)
    return Entry(
        main=percent(estimate.value),
        interval=interval(estimate),
        n=count(estimate.n, cell.planned_turns),
        delta=signed(paired.estimate.value) + (SIGNIFICANT if tone else "") if paired else "",
        delta_interval=signed_interval(paired.estimate) if paired else "",
        official=_official(cell),
        aside="; ".join([*beside, *_sides(cell)]),
        marks=marks.of_cell(cell),
        tone=tone,
    )


def _official(one: Cell | Average) -> str:
    """The published scorer's mean, with its own count where that is another."""
    own = f" ({count(one.official.n, one.planned_turns)})"
    return percent(one.official.value) + (own if one.official.n != one.strict.n else "")


def _beside_baseline(one: Cell | Average, baseline: str) -> list[str]:
    """The two means that Δ is the difference of, where they are not those that stand in the table."""
    if one.shared.is_gap or not (one.has_gaps or one.shared.n < one.strict.n):
        return []
    base = f"{baseline} {percent(one.baseline_shared.value)}"
    if one.shared.n == one.strict.n:
        return [f"{base} on these"]
    return [f"{percent(one.shared.value)} against {base} on the {one.shared.n} turns both have"]


def _sides(cell: Cell) -> list[str]:
    return [
        f"{word} {percent(cell.sides[name]) if name in SIDE_IS_SHARE else format(cell.sides[name], '.2f')}"
        for name, word in SIDES.items()
        if name in cell.sides
    ]


def average_entry(average: Average, baseline: str) -> Entry:
    gone = average.difference
    return Entry(
        main=percent(average.strict.value),
        interval=interval(average.strict),
        n=count(average.strict.n, average.planned_turns),
        delta=signed(gone.value) if gone and not gone.is_gap else "",
        delta_interval=signed_interval(gone) if gone and not gone.is_gap else "",
        official=_official(average),
        aside="; ".join(_beside_baseline(average, baseline)),
        marks=marks.of_average(average),
    )


def _lift_n(
    columns: Sequence[tuple[str, str]], rows: Sequence[Row]
) -> tuple[tuple[Column, ...], list[Row]]:
    """Where all methods scored all turns, n moves from the cells to the head of the column.

    A count of gaps stays at its number.
    """
    heads: list[Column] = []
    shared: list[bool] = []
    for place, (group, name) in enumerate(columns):
        counts = {row.entries[place].n for row in rows}
        shared.append(len(counts) == 1 and not any(" of " in one for one in counts))
        title = name if group == AVERAGES else title_of(name)
        heads.append(
            Column(
                title=title,
                group=group,
                n=counts.pop() if shared[place] else "",
                is_average=group == AVERAGES,
            )
        )
    lifted = [
        replace(
            row,
            entries=tuple(
                replace(one, n="") if shared[place] else one
                for place, one in enumerate(row.entries)
            ),
        )
        for row in rows
    ]
    return tuple(heads), lifted


def _notes(summary: Summary, setting: Setting, mode: str, rows: Iterable[Row]) -> list[str]:
    """What the marks that really occur mean, and what each gap and each incomplete average lacks."""
    entries = [entry for row in rows for entry in row.entries]
    used = "".join(entry.marks + entry.delta for entry in entries)
    mine = [
        cell
        for cell in summary.cells
        if (cell.setting, cell.mode, cell.part) == (setting, mode, "")
    ]
    sessions = sorted({cell.strict.sessions for cell in mine})
    span = f"{sessions[0]}–{sessions[-1]}" if len(sessions) > 1 else "".join(map(str, sessions))
    notes = [
        f"Strict scores in percent with 95 % intervals over sessions ({span} sessions a task); n "
        "counts scored turns."
    ]
    notes.append("Official: the same mean under the published scorer.")
    if any(entry.delta for entry in entries):
        notes.append(
            f"Δ: paired difference to {summary.baseline} in points, on the same turns."
            + _out_of_reach(mine)
        )
    if bases := sorted({share.basis for share in summary.shares if share.setting == setting}):
        notes.append(f"Held: share of the bytes of: {'; '.join(bases)}.")
    if summary.baseline not in {cell.method for cell in mine}:
        notes.append(f"No differences: {summary.baseline}, the baseline, has no records here.")
    if SIGNIFICANT in used:
        notes.append(
            f"{SIGNIFICANT} p < 0.05, sign-flip permutation over sessions, Holm-corrected over the "
            "methods of the column."
        )
    if any(SIMULATED in row.name for row in rows):
        notes.append(f"{SIMULATED} simulated: the method masked entries instead of freeing them.")
    if WEAK in used:
        why = (
            "by its card full attention does not solve it, or was not measured so far out"
            if summary.gate is None
            else f"{summary.baseline} stays under {percent(summary.gate)}"
        )
        notes.append(f"{WEAK} not measurable with this model: {why}; left out of the averages.")
    if LACKS in used:
        notes.append(_lacks(mine, summary.baseline))
    if LOST in used:
        notes.append(
            f"{LOST} some prompts were cut. Only turns whose evidence survived: {_survived(mine)}."
        )
    if PARTIAL in used:
        notes += [
            f"{PARTIAL} average over fewer tasks than the paper's; {line}."
            for line in _incomplete(summary, setting, mode)
        ]
    noted = Counter[str]()
    for cell in mine:
        noted.update(cell.noted)
    notes += marks.note_lines(used, noted, sum(cell.planned_turns for cell in mine))
    lines = [
        f"{cell.method} on {title_of(cell.task)}: {_reasons(cell)}"
        for cell in mine
        if cell.strict.is_gap
    ]
    if lines:
        notes.append(f"{GAP} no score. " + "; ".join(lines) + ".")
    return notes


def _lacks(cells: Sequence[Cell], baseline: str) -> str:
    """What a mean with gaps is over, and what it is compared with."""
    words = (
        f"{LACKS} some turns have no score (failed, unscored or not run) and are no part of the "
        "mean; n says over how many of how many turns it is."
    )
    if any(cell.method == baseline for cell in cells):
        words += f" Δ, and the mean of {baseline} beside it, are over the turns that both have."
    zeroed = _zeroed(cells)
    return words + (f" With failures as 0: {zeroed}." if zeroed else "")


def _out_of_reach(cells: Sequence[Cell]) -> str:
    """Says so where even a difference of one sign in every session could not be significant.

    Its p-value is 2 / 2^sessions, times the methods.
    """
    methods = len({cell.method for cell in cells if cell.difference})
    most = max((cell.difference.estimate.sessions for cell in cells if cell.difference), default=0)
    if not methods or methods * 2.0 / 2.0**most < ALPHA:
        return ""
    return (
        f" With {most} sessions and {methods} methods no difference can be significant after "
        "Holm's correction; run more sessions."
    )


def _reasons(cell: Cell) -> str:
    return (
        ", ".join(f"{reason} ({count})" for reason, count in cell.gaps.items())
        or "a sub-task has no turns"
    )


def _zeroed(cells: Sequence[Cell]) -> str:
    return "; ".join(
        f"{cell.method} on {title_of(cell.task)} {percent(cell.failed_as_zero.value)} (n {cell.failed_as_zero.n})"
        for cell in cells
        if any(why.startswith("failed") for why in cell.gaps)
    )


def _survived(cells: Sequence[Cell]) -> str:
    return "; ".join(
        f"{cell.method} on {title_of(cell.task)} {percent(cell.survived.value)} (n {cell.survived.n}, {cell.truncated_turns} turns cut)"
        for cell in cells
        if cell.truncated_turns
    )


def _incomplete(summary: Summary, setting: Setting, mode: str) -> list[str]:
    """Methods that lack the same tasks for the same reasons share a line."""
    lines: dict[str, list[str]] = {}
    for method in summary.methods_in(setting):
        average = summary.average(setting, mode, method.name, OVERALL)
        if average and average.missing:
            by_reason: dict[str, list[str]] = {}
            for task, why in average.missing.items():
                by_reason.setdefault(why, []).append(title_of(task))
            text = "; ".join(f"{', '.join(tasks)} {why}" for why, tasks in by_reason.items())
            lines.setdefault(text, []).append(method.name)
    return [f"{', '.join(names)}: {text}" for text, names in lines.items()]
