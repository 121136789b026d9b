"""The plots of a report as Vega-Lite specifications: scores over turns, quality against bytes.

Data is inlined; nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import altair as alt

from scbench.report import marks
from scbench.report.chart_parts import Chart, colours, finished, limits, made
from scbench.report.marks import LACKS, WEAK, count
from scbench.report.shown import chart_text
from scbench.report.words import interval
from scbench.stats import (
    OVERALL,
    Average,
    CurvePoint,
    MethodInfo,
    Setting,
    Summary,
)

QUALITY = "Quality against bytes held"
HOLLOW = " Hollow points are over fewer turns than were planned, with their count."
BANDS_UP_TO = 3  # with more methods the bands hide the lines; hovering shows the limits


def charts(summary: Summary, setting: Setting) -> list[Chart]:
    """The plots of one setting that its records have data for.

    One that cannot be made has no `spec`, and its caption says why.
    """
    found = []
    for mode in summary.modes_in(setting):
        category, task = "Scores over turns, by category", "Scores over turns, by task"
        curves = partial(_curves, summary, setting, mode)
        found.append(made(category, partial(curves, summary.ability_curves, category)))
        found.append(made(task, partial(curves, summary.curves, task)))
    found.append(made(QUALITY, partial(_quality, summary, setting)))
    return [chart for chart in found if chart is not None]


def _labels(summary: Summary, setting: Setting) -> dict[str, str]:
    """Method -> its name in pictures."""
    return {method.name: chart_text(method.label) for method in summary.methods_in(setting)}


def _points(
    points: Iterable[CurvePoint], summary: Summary, setting: Setting, mode: str
) -> list[dict[str, object]]:
    labels = _labels(summary, setting)
    return [
        {
            "panel": _panel(summary, point),
            "method": labels[point.method],
            "turn": point.turn + 1,
            "score": 100.0 * point.estimate.value,
            **limits(point.estimate),
            "reach": interval(point.estimate),
            "n": point.estimate.n,
            "gaps": point.gap_turns,
            "count": _beside(point),
        }
        for point in points
        if (point.setting, point.mode) == (setting, mode) and point.estimate.value is not None
    ]


def _panel(summary: Summary, point: CurvePoint) -> str:
    title = chart_text(summary.book.title_of(point.task, point.part))
    is_weak = not summary.is_measurable(point.setting, point.mode, point.task)
    return f"{title} {WEAK}" if is_weak else title


def _beside(point: CurvePoint) -> str:
    """What stands at a point: signs of its records' notes, and its count if turns are missing."""
    signs = marks.of_notes(point.noted)
    if not point.gap_turns:
        return signs
    return f"{signs}{LACKS} {count(point.estimate.n, point.planned_turns)}"


def _curves(
    summary: Summary, setting: Setting, mode: str, points: Sequence[CurvePoint], title: str
) -> Chart | None:
    labels = _labels(summary, setting)
    rows = _points(points, summary, setting, mode)
    if not rows or max(int(str(row["turn"])) for row in rows) < 2:
        return None
    names = list(labels.values())
    colour, dash = colours(names, labels.get(summary.baseline, ""))
    chosen = alt.selection_point(fields=["method"], bind="legend", name="chosen")
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("turn:O", title="turn", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("score:Q", title="score, %", scale=alt.Scale(domain=[0, 100])),
        color=colour,
        opacity=alt.condition(chosen, alt.value(1.0), alt.value(0.12)),
        tooltip=[
            "panel:N",
            "method:N",
            "turn:O",
            alt.Tooltip("score:Q", format=".1f"),
            "reach:N",
            "n:Q",
            "gaps:Q",
            "count:N",
        ],
    )
    whole = base.mark_point(filled=True, size=45).transform_filter("datum.gaps == 0")
    lacking = base.mark_point(filled=False, size=45).transform_filter("datum.gaps > 0")
    layers = [base.mark_line().encode(strokeDash=dash), whole]
    has_gaps = any(row["gaps"] for row in rows)
    if has_gaps:
        layers.append(lacking)
    if any(row["count"] for row in rows):
        layers.append(base.mark_text(dy=-9, fontSize=8).encode(text="count:N"))
    if len(names) <= BANDS_UP_TO:
        band = base.mark_area(opacity=0.14).encode(
            y=alt.Y("low:Q", title="score, %"),
            y2="high:Q",
            opacity=alt.condition(chosen, alt.value(0.14), alt.value(0.02)),
        )
        layers.insert(0, band)
    panels = list(dict.fromkeys(str(row["panel"]) for row in rows))
    drawn = (
        alt.layer(*layers)
        .add_params(chosen)
        .properties(width=190, height=130)
        .facet(alt.Facet("panel:N", title=None, sort=_panel_order(panels, summary)), columns=4)
    )
    caption = (
        "Mean of each turn over sessions; hover for the 95 % interval, n and gaps, click a method "
        "in the legend to single it out."
    )
    if points is summary.ability_curves:
        caption += " In Multi-task a turn is the n-th of each sub-task."
    caption += HOLLOW if has_gaps else ""
    if mode == "multi-request":
        caption += " In multi-request mode the order of turns means nothing."
    return Chart(title=f"{title}, {mode}", caption=caption, spec=finished(drawn))


def _panel_order(panels: Sequence[str], summary: Summary) -> list[str]:
    titles = [chart_text(summary.book.title_of(task)) for task in summary.tasks]

    def place(panel: str) -> tuple[int, str]:
        task = panel.removesuffix(f" {WEAK}").split(" / ")[0]
        return (titles.index(task) if task in titles else -1), panel

    known = [panel for panel in panels if place(panel)[0] >= 0]
    return sorted(known, key=place) if known else list(panels)


def _quality_rows(summary: Summary, setting: Setting) -> list[dict[str, object]]:
    """A point for each mode and method that has an average and a byte share."""
    rows: list[dict[str, object]] = []
    for mode in summary.modes_in(setting):
        for method in summary.methods_in(setting):
            average = summary.average(setting, mode, method.name, OVERALL)
            share = summary.share(setting, method.name)
            if share is None or average is None or average.strict.value is None or share.ratio <= 0:
                continue
            facts = {
                "mode": mode,
                "method": chart_text(method.label),
                "share": 100.0 * share.ratio,
                "score": 100.0 * average.strict.value,
            }
            tasks = f"{len(average.tasks)} tasks" + (
                f", {len(average.missing)} missing" if average.missing else ""
            )
            rows.append(
                {
                    **facts,
                    **limits(average.strict),
                    "reach": interval(average.strict),
                    "basis": chart_text(share.basis),
                    "tasks": tasks,
                    "gaps": average.planned_turns - average.strict.n,
                    "label": _label(method, average),
                }
            )
    return rows


def _label(method: MethodInfo, average: Average) -> str:
    """A method's name with the marks of its average, and the count where turns are missing."""
    counted = count(average.strict.n, average.planned_turns) if average.has_gaps else ""
    words = (chart_text(method.label), marks.of_average(average), counted)
    return " ".join(word for word in words if word)


def _quality(summary: Summary, setting: Setting) -> Chart | None:
    """Held bytes as a share of dense against the overall average."""
    rows = _quality_rows(summary, setting)
    if not rows:
        return None
    labels = _labels(summary, setting)
    colour, _ = colours(list(labels.values()), labels.get(summary.baseline, ""))
    measured = [float(str(row["share"])) for row in rows]
    scale = (
        alt.Scale(type="log", base=2, nice=False, padding=24)
        if max(measured) > 8 * min(measured)
        else alt.Scale(zero=True, padding=24)
    )
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("share:Q", title="bytes held, % of dense", scale=scale, axis=alt.Axis(format="~g")),
        color=colour,
        tooltip=[
            "method:N",
            "mode:N",
            alt.Tooltip("score:Q", format=".1f"),
            "reach:N",
            alt.Tooltip("share:Q", format=".2f"),
            "basis:N",
            "tasks:N",
        ],
    )
    y = alt.Y("score:Q", title="overall average, %", scale=alt.Scale(domain=[0, 100]))
    bars = base.mark_rule(opacity=0.5).encode(
        y=alt.Y("low:Q", title="overall average, %"), y2="high:Q"
    )
    whole = base.mark_point(filled=True, size=90).transform_filter("datum.gaps == 0")
    lacking = base.mark_point(filled=False, size=90).transform_filter("datum.gaps > 0")
    dots = [whole.encode(y=y), lacking.encode(y=y)]
    words = base.mark_text(align="left", dx=8, dy=-7, fontSize=10).encode(y=y, text="label:N")
    drawn = (
        alt.layer(bars, *dots, words)
        .properties(width=400, height=260)
        .facet(alt.Facet("mode:N", title=None, sort=list(summary.modes)), columns=2)
    )
    basis = "; ".join(sorted({str(row["basis"]) for row in rows}))
    return Chart(
        title=QUALITY,
        caption=f"Upper left is better. Bars: 95 % intervals. Share of: {basis}."
        + (HOLLOW if any(row["gaps"] for row in rows) else ""),
        spec=finished(drawn),
    )
