"""Overall averages against the context's length, with a mark where a method's units changed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import altair as alt

from scbench.report.chart_parts import Chart, colours, finished, limits, made
from scbench.report.shown import chart_text
from scbench.report.words import interval
from scbench.stats import LengthPoint, Summary
from scbench.types import Form

TITLE = "Overall against context length"
CAPTION = (
    "Overall average at each context length; hover for the 95 % interval and the units. "
    "A diamond: pages, blocks or windows are not those of the length before, so this is another "
    "method than one length earlier (--units fixed holds them)."
)


def length_charts(summary: Summary) -> list[Chart]:
    """One for each model, protocol and form that was played at two lengths or more."""
    families: dict[tuple[str, str, str], list[LengthPoint]] = {}
    for point in summary.lengths:
        families.setdefault(point.family, []).append(point)
    found = []
    for (model, _, form), points in families.items():
        mark = "" if form == Form.FULL else f", form: {form}"
        title = f"{TITLE}, {model}{mark}"
        found.append(made(title, partial(_lengths, summary, points, title)))
    return [chart for chart in found if chart is not None]


def units_text(point: LengthPoint) -> str:
    """The units with what they were one length before: `quest.page_tokens 4 → 16`."""
    words = []
    for name in sorted({*point.units, *point.changed}):
        before, here = point.changed.get(name, (None, point.units.get(name)))
        value = "none" if here is None else f"{here}"
        came = f"{'none' if before is None else before} → " if name in point.changed else ""
        words.append(f"{name} {came}{value}")
    return ", ".join(words) or "none"


def _lengths(summary: Summary, points: Sequence[LengthPoint], title: str) -> Chart:
    labels = {info.name: chart_text(info.label) for info in summary.methods}
    rows = [
        {
            "mode": point.mode,
            "method": labels[point.method],
            "length": point.setting.length_tokens,
            "score": None if point.estimate.value is None else 100.0 * point.estimate.value,
            **limits(point.estimate),
            "reach": interval(point.estimate),
            "units": chart_text(units_text(point)),
            "changed": bool(point.changed),
        }
        for point in points
    ]
    played = {point.method for point in points}
    names = [labels[info.name] for info in summary.methods if info.name in played]
    colour, dash = colours(names, labels.get(summary.baseline, ""))
    lengths = sorted({point.setting.length_tokens for point in points})
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X(
            "length:Q",
            title="context, tokens",
            scale=alt.Scale(type="log", base=2, nice=False, padding=16),
            axis=alt.Axis(values=lengths, format="~s"),
        ),
        y=alt.Y("score:Q", title="overall average, %", scale=alt.Scale(domain=[0, 100])),
        color=colour,
        tooltip=[
            "method:N",
            "length:Q",
            alt.Tooltip("score:Q", format=".1f"),
            "reach:N",
            "units:N",
        ],
    )
    same = base.mark_point(filled=True, size=45).transform_filter("!datum.changed")
    other = base.mark_point(filled=False, shape="diamond", size=110).transform_filter(
        "datum.changed"
    )
    drawn = (
        alt.layer(base.mark_line().encode(strokeDash=dash), same, other)
        .properties(width=320, height=220)
        .facet(alt.Facet("mode:N", title=None, sort=list(summary.modes)), columns=2)
    )
    return Chart(title=title, caption=CAPTION, spec=finished(drawn))
