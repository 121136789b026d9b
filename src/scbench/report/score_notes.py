"""What stands below a score table: what its marks, verdicts and columns mean, and what it lacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from scbench.report import agreed, marks
from scbench.report.marks import LACKS, LOST, PARTIAL, SIGNIFICANT, WEAK
from scbench.report.table import Row
from scbench.report.words import GAP, percent
from scbench.stats import (
    HEADROOM,
    OVERALL,
    SIMULATED,
    ScoreCell,
    Setting,
    Summary,
)


def notes(summary: Summary, setting: Setting, mode: str, rows: Iterable[Row]) -> list[str]:
    """What the marks that occur mean, and what each gap and each incomplete average lacks."""
    shown = list(rows)
    mine = [
        cell
        for cell in summary.cells
        if (cell.setting, cell.mode, cell.part) == (setting, mode, "")
    ]
    return [
        *_what_is_shown(summary, setting, mode, mine, shown),
        *_what_marks_mean(summary, setting, mode, mine, shown),
        *_what_is_missing(summary, mine),
    ]


def _what_is_shown(
    summary: Summary, setting: Setting, mode: str, mine: Sequence[ScoreCell], rows: Sequence[Row]
) -> list[str]:
    """What the numbers of the table are, marks aside."""
    sessions = sorted({cell.strict.sessions for cell in mine})
    span = f"{sessions[0]}–{sessions[-1]}" if len(sessions) > 1 else "".join(map(str, sessions))
    lines = [
        f"Strict scores in percent with 95 % intervals over sessions ({span} sessions a task); n "
        "counts scored turns."
    ]
    if (most := max((cell.samples for cell in mine), default=1)) > 1:
        lines.append(
            f"A turn's score is the mean of its {most} samples; one with a gap among them is a gap."
        )
    lines.append("Official: the same mean under the published scorer.")
    lines.append(
        "Averages are corrected for chance, (score - floor) / (1 - floor), task by task; "
        "results.csv has them uncorrected too."
    )
    if any(entry.delta for row in rows for entry in row.entries):
        lines.append(
            f"Δ: paired difference to {summary.baseline} in points, on the same turns, with its "
            "own 95 % interval." + _verdicts(summary, mine)
        )
    lines += agreed.notes(summary, setting, mode)
    if bases := sorted({share.basis for share in summary.shares if share.setting == setting}):
        lines.append(f"Held and loaded: shares of {'; '.join(bases)}.")
    if summary.baseline not in {cell.method for cell in mine}:
        lines.append(f"No differences: {summary.baseline}, the baseline, has no records here.")
    return lines


def _what_marks_mean(
    summary: Summary, setting: Setting, mode: str, mine: Sequence[ScoreCell], rows: Sequence[Row]
) -> list[str]:
    """One line for each mark that occurs."""
    used = "".join(entry.marks + entry.delta for row in rows for entry in row.entries)
    lines = []
    if SIGNIFICANT in used:
        lines.append(
            f"{SIGNIFICANT} surely so: p < 0.05 after Holm's correction over the family; "
            "results.csv has the limits that hold for all of a family at once."
        )
    if any(SIMULATED in row.name for row in rows):
        lines.append(f"{SIMULATED} simulated: the method masked entries instead of freeing them.")
    if WEAK in used:
        why = (
            "by its card full attention does not solve it, or was not measured so far out"
            if summary.gate is None
            else f"{summary.baseline} stays under {percent(summary.gate)}"
        )
        lines.append(f"{WEAK} not measurable with this model: {why}; left out of the averages.")
    if LACKS in used:
        lines.append(_lacks(summary, mine))
    if LOST in used:
        lines.append(
            f"{LOST} some prompts were cut. Only turns whose evidence survived: "
            f"{_survived(summary, mine)}."
        )
    lines += _format_failures(mine)
    if PARTIAL in used:
        lines += [
            f"{PARTIAL} average over fewer tasks than the paper's; {line}."
            for line in _incomplete(summary, setting, mode)
        ]
    noted = Counter[str]()
    for cell in mine:
        noted.update(cell.noted)
    return lines + marks.note_lines(used, noted, sum(cell.planned_turns for cell in mine))


def _what_is_missing(summary: Summary, mine: Sequence[ScoreCell]) -> list[str]:
    """Cells without a score, each with its reasons."""
    lacking = [
        f"{cell.method} on {summary.book.title_of(cell.task)}: {_reasons(cell)}"
        for cell in mine
        if cell.strict.is_gap
    ]
    return [f"{GAP} no score. " + "; ".join(lacking) + "."] if lacking else []


def _lacks(summary: Summary, cells: Sequence[ScoreCell]) -> str:
    """What a mean with gaps is over, and what it is compared with."""
    words = (
        f"{LACKS} some turns have no score (failed, unscored or not run) and are no part of the "
        "mean; n says over how many of how many turns it is."
    )
    if any(cell.method == summary.baseline for cell in cells):
        words += (
            f" Δ, and the mean of {summary.baseline} beside it, are over the turns that both have."
        )
    zeroed = _zeroed(summary, cells)
    return words + (f" With failures as 0: {zeroed}." if zeroed else "")


def _format_failures(cells: Sequence[ScoreCell]) -> list[str]:
    """The share of each method's turns that lost the form of an answer, and not the answer."""
    lost: dict[str, tuple[float, int]] = {}
    for cell in cells:
        failures, turns = lost.get(cell.method, (0, 0))
        lost[cell.method] = (failures + cell.format_failures, turns + cell.strict.n)
    shares = [
        f"{method} {percent(failures / turns)} ({failures:,.10g} of {turns:,} turns)"
        for method, (failures, turns) in lost.items()
        if failures
    ]
    if not shares:
        return []
    return [
        "Format failures, scored 0 though an accepted answer stands in the text (lost form rather "
        f"than lost knowledge, at most): {'; '.join(shares)}."
    ]


def _verdicts(summary: Summary, cells: Sequence[ScoreCell]) -> str:
    """What the words of a verdict mean, and over how many comparisons they hold."""
    sizes = {cell.difference.family for cell in cells if cell.difference}
    family = f" ({max(sizes)} here)" if sizes else ""
    margin = f"{100.0 * summary.margin:g}"
    return (
        f" Verdicts hold for all tasks, methods and modes at once{family}; the four abilities are "
        f"a family of their own, and so is {OVERALL}. Worse and better: surely a difference. "
        f"Equivalent within {margin}: surely less than {margin} points away. No headroom: "
        f"{summary.baseline} is less than {100.0 * HEADROOM:g} points above chance. Too few "
        "sessions: so many more a task would tell, four times in five."
    )


def _reasons(cell: ScoreCell) -> str:
    return (
        ", ".join(f"{reason} ({count})" for reason, count in cell.gaps.items())
        or "a sub-task has no turns"
    )


def _zeroed(summary: Summary, cells: Sequence[ScoreCell]) -> str:
    return "; ".join(
        f"{cell.method} on {summary.book.title_of(cell.task)} {percent(cell.failed_as_zero.value)} "
        f"(n {cell.failed_as_zero.n})"
        for cell in cells
        if any(why.startswith("failed") for why in cell.gaps)
    )


def _survived(summary: Summary, cells: Sequence[ScoreCell]) -> str:
    return "; ".join(
        f"{cell.method} on {summary.book.title_of(cell.task)} {percent(cell.survived.value)} "
        f"(n {cell.survived.n}, {cell.truncated_turns} turns cut)"
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
                by_reason.setdefault(why, []).append(summary.book.title_of(task))
            text = "; ".join(f"{', '.join(tasks)} {why}" for why, tasks in by_reason.items())
            lines.setdefault(text, []).append(method.name)
    return [f"{', '.join(names)}: {text}" for text, names in lines.items()]
