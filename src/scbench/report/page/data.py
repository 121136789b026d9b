"""Everything a page shows, as one JSON-able value: made once, read by every view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import mean
from typing import Any

from scbench.console import visible
from scbench.report.again import commands, newest_of, readable
from scbench.report.costs import facts
from scbench.report.equal import equal_facts
from scbench.report.gaps import gap_table
from scbench.report.headline import Headline, headline
from scbench.report.marks import LACKS, WEAK, of_notes
from scbench.report.marks import count as counted
from scbench.report.page.columns import coded, rounded
from scbench.report.page.figure import ACROSS, UP, layouts_or_why, points
from scbench.report.page.figure_spec import THEMES, specification
from scbench.report.page.samples import heads, samples
from scbench.report.page.source import PageSource
from scbench.report.page.tables import plain_table, tables
from scbench.report.page.verdicts import clearest, has_history, verdicts
from scbench.stats import KL_MARGIN, OVERALL, CostRow, CurvePoint, Estimate, Setting, Summary, Trend
from scbench.stats.costs import MEASURED

SHORT_SHARE = 0.85  # of the score at the shortest length: a length that keeps it is effective


def page_data(
    summary: Summary, manifest: Mapping[str, object], source: PageSource
) -> dict[str, Any]:
    """What all views but Samples and Evidence need; every text of it shows its control signs."""
    heads_of_settings = [headline(summary, setting) for setting in summary.settings]
    place, mode = clearest(heads_of_settings)
    found: dict[str, Any] = shown(
        {
            "baseline": summary.baseline,
            "margin": summary.margin,
            "kl_margin": KL_MARGIN,
            "opens": {"setting": place, "mode": mode},
            "facts": [*facts(summary), *equal_facts(manifest)],
            "settings": [_setting(summary, one) for one in summary.settings],
            "talks": [mode for mode in summary.modes if has_history(mode)],
            "tasks": {task: summary.book.title_of(task) for task in summary.tasks},
            "abilities": {task: summary.book.group_of(task) for task in summary.tasks},
            "methods": [asdict(info) for info in summary.methods],
            "tables": tables(summary),
            "headlines": [
                _headline(summary, at, one, named)
                for at, one in enumerate(heads_of_settings)
                for named in one.modes
            ],
            "figure": {
                "themes": THEMES,
                "specs": {size: specification(size) for size in ("wide", "narrow")},
            },
            "curves": _curves(summary),
            "trends": _trends(summary),
            "lengths": _lengths(summary),
            "costs": [_cost(row) for row in summary.costs],
            "answer_tokens": _answer_tokens(source),
            "heads": heads(summary, source),
            "gaps": plain_table(gap_table(summary)),
            "attention": [asdict(one) for one in source.analyses],
            "manifest": _manifest(manifest),
            "has_samples": bool(source.records),
        }
    )
    return found


def sample_data(summary: Summary, source: PageSource) -> dict[str, Any]:
    """What Samples and Evidence show: much larger, and unpacked when one of them opens."""
    found: dict[str, Any] = shown(samples(summary, source))
    return found


def shown(value: Any) -> Any:
    """The same value with control signs, and turns of direction, of every text written out."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {visible(str(name)): shown(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown(one) for one in value]
    return value


def _setting(summary: Summary, setting: Setting) -> dict[str, Any]:
    return {
        **asdict(setting),
        "label": setting.label,
        "modes": list(summary.modes_in(setting)),
        "tasks": list(summary.tasks_in(setting)),
    }


def titles(summary: Summary, what: str) -> dict[str, str]:
    """Titles of the axes of the headline figure."""
    words = {"baseline": summary.baseline, "what": what}
    return {name: title.format(**words) for name, title in {**ACROSS, **UP}.items()}


def _headline(summary: Summary, place: int, one: Headline, mode: str) -> dict[str, Any]:
    found = points(summary, one, mode)
    made, why = layouts_or_why(found)
    return {
        "setting": place,
        "mode": mode,
        "what": one.what,
        "titles": titles(summary, one.what),
        "verdicts": verdicts(summary, one, mode, found),
        "points": found,
        "layouts": made,
        "why": why,
    }


def _estimates(found: Sequence[Estimate], name: str = "") -> dict[str, Any]:
    """Columns of means with limits and counts."""
    start = f"{name}_" if name else ""
    return {
        f"{start}value": rounded((one.value for one in found), 5),
        f"{start}low": rounded((one.low for one in found), 5),
        f"{start}high": rounded((one.high for one in found), 5),
        f"{start}n": [one.n for one in found],
    }


def _curves(summary: Summary) -> dict[str, Any]:
    """Points of every task and ability by turn."""
    places = {setting: place for place, setting in enumerate(summary.settings)}
    found = [*summary.ability_curves, *summary.curves]
    return {
        "setting": [places[one.setting] for one in found],
        "mode": coded(one.mode for one in found),
        "method": coded(one.method for one in found),
        "what": coded(_what(summary, one) for one in found),
        "beside": coded(_beside(one) for one in found),
        "turn": [one.turn for one in found],
        "gaps": [one.gap_turns for one in found],
        **_estimates([one.estimate for one in found]),
    }


def _what(summary: Summary, point: CurvePoint) -> str:
    """The task or ability of a curve, marked where full attention cannot do it."""
    title = summary.book.title_of(point.task, point.part)
    is_weak = not summary.is_measurable(point.setting, point.mode, point.task)
    return f"{title} {WEAK}" if is_weak else title


def _beside(point: CurvePoint) -> str:
    """What stands at a point: signs of its records' notes, and its count if turns are missing."""
    signs = of_notes(point.noted)
    if not point.gap_turns:
        return signs
    return f"{signs}{LACKS} {counted(point.estimate.n, point.planned_turns)}"


def _trends(summary: Summary) -> dict[str, Any]:
    """First turn, later turns, their difference and the slope, of every task."""
    places = {setting: place for place, setting in enumerate(summary.settings)}
    found = summary.trends
    return {
        "setting": [places[one.setting] for one in found],
        "mode": coded(one.mode for one in found),
        "method": coded(one.method for one in found),
        "what": coded(_what_of_trend(summary, one) for one in found),
        "beside": coded(_beside_trend(one) for one in found),
        **_estimates([one.first for one in found], "first"),
        **_estimates([one.later for one in found], "later"),
        **_estimates([one.change.estimate for one in found], "change"),
        **_estimates([one.slope for one in found], "slope"),
    }


def _what_of_trend(summary: Summary, trend: Trend) -> str:
    title = summary.book.title_of(trend.task)
    is_weak = not summary.is_measurable(trend.setting, trend.mode, trend.task)
    return f"{title} {WEAK}" if is_weak else title


def _beside_trend(trend: Trend) -> str:
    return of_notes(trend.noted) + (LACKS if trend.has_gaps else "")


def _lengths(summary: Summary) -> list[dict[str, Any]]:
    """A line for each method, mode and model over lengths, with its effective length."""
    lines: dict[tuple[object, ...], list[Any]] = {}
    for point in summary.lengths:
        lines.setdefault((*point.family, point.mode, point.method), []).append(point)
    return [
        {
            "model": key[0],
            "protocol": key[1],
            "form": key[2],
            "mode": key[3],
            "method": key[4],
            "what": OVERALL,
            "tokens": [point.setting.length_tokens for point in line],
            "changed": [sorted(point.changed) for point in line],
            **_estimates([point.estimate for point in line]),
            "effective": effective_length(
                [(point.setting.length_tokens, point.estimate.value) for point in line]
            ),
        }
        for key, line in lines.items()
    ]


def effective_length(scores: Sequence[tuple[int, float | None]]) -> int | None:
    """The longest length up to which no score is below 85 % of that at the shortest one.

    None where the shortest has no score, or one of 0.

    >>> effective_length([(1024, 0.9), (2048, 0.8), (4096, 0.5), (8192, 0.8)])
    2048
    """
    ordered = sorted(scores)
    first = ordered[0][1] if ordered else None
    if not first or first <= 0.0:
        return None
    reached = None
    for tokens, score in ordered:
        if score is None or score < SHORT_SHARE * first:
            break
        reached = tokens
    return reached


def _cost(row: CostRow) -> dict[str, Any]:
    """A row of the cost pass: medians, with the smallest and the largest."""
    found: dict[str, Any] = {
        "model": row.model,
        "method": row.method,
        "tokens": row.length_tokens,
        "form": row.form,
        "failure": row.failure,
        "is_simulated": row.simulated,
        "estimated": list(row.estimated),
    }
    for name in MEASURED:
        spread = getattr(row, name)
        if spread is not None:
            found[name] = rounded((spread.median, spread.low, spread.high), 7)
    return found


def _answer_tokens(source: PageSource) -> float | None:
    """How long answers were, in tokens, over all turns: what a question costs depends on it."""
    counts = [len(one.answer.ids) for one in source.records if one.answer is not None]
    return round(mean(counts), 1) if counts else None


def _manifest(manifest: Mapping[str, object]) -> dict[str, Any]:
    return {
        "commands": [[what, command] for what, command in commands(manifest)],
        "lines": lines_of(newest_of(manifest)),
        "whole": readable(manifest) if manifest else "",
    }


def lines_of(value: object, name: str = "") -> list[list[str]]:
    """A nested value as (name, text), names joined by dots; lists of plain values on one line.

    >>> lines_of({"a": {"b": [1, 2]}, "c": None})
    [['a.b', '1, 2'], ['c', 'none']]
    """
    if isinstance(value, Mapping):
        found = []
        for key, one in value.items():
            found += lines_of(one, f"{name}.{key}" if name else str(key))
        return found
    if isinstance(value, (list, tuple)):
        if not any(isinstance(one, (Mapping, list, tuple)) for one in value):
            return [[name, ", ".join(map(_plain, value)) or "none"]]
        found = []
        for place, one in enumerate(value, start=1):
            found += lines_of(one, f"{name} {place}")
        return found
    return [[name, _plain(value)]]


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
