"""The paper's figures from any run: by turn, by budget, by bytes held, query seen or hidden."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import altair as alt

from scbench.report.chart_parts import PALETTE, Chart, colours, finished, made
from scbench.report.paper.tables import budget_of, budget_order
from scbench.report.shown import chart_text
from scbench.stats import ABILITIES, OVERALL, Estimate, MethodInfo, Setting, Summary
from scbench.stats.awareness import SEEN, awareness

MOST_LINES = 16  # more than there are colours: the tables have them all
BLUE, RED = PALETTE[:2]
Rows = list[dict[str, object]]


def paper_figures(summaries: Sequence[Summary]) -> dict[str, Chart]:
    """Figure's file name to chart; one that cannot be made has no specification, and says why."""
    found: dict[str, Chart] = {}
    placed = [(summary, setting) for summary in summaries for setting in summary.settings]
    for place, (summary, setting) in enumerate(placed, start=1):
        end = "" if len(placed) == 1 else f"-{place}"
        for name, title, make in _makers(summary, setting):
            chart = made(f"{title}, {setting.label}", make)
            if chart is not None:
                found[f"{name}{end}"] = chart
    return found


def _makers(summary: Summary, setting: Setting) -> Iterator[tuple[str, str, Any]]:
    yield "turns", "Scores by turn", partial(_turns, summary, setting)
    yield "budgets", "Overall by budget", partial(_budgets, summary, setting)
    yield "bytes", "Overall by bytes held", partial(_bytes, summary, setting)
    yield "query-awareness", "The first question", partial(_aware, summary, setting)


def _limits(one: Estimate) -> dict[str, float | None]:
    return {
        "low": None if one.low is None else 100.0 * one.low,
        "high": None if one.high is None else 100.0 * one.high,
    }


def _score(one: Estimate) -> dict[str, object]:
    return {"score": None if one.value is None else 100.0 * one.value, **_limits(one)}


def _names(summary: Summary, setting: Setting) -> dict[str, str]:
    """Method -> its name in a picture: of many, each with its largest budget alone."""
    infos = list(summary.methods_in(setting))
    if len(infos) > MOST_LINES:
        largest: dict[str, MethodInfo] = {}
        for info in sorted(infos, key=lambda info: budget_order(budget_of(info.name)[1])):
            largest.setdefault(budget_of(info.name)[0], info)
        infos = [info for info in infos if info in largest.values()][:MOST_LINES]
    return {info.name: chart_text(info.label) for info in infos}


def _chart(drawn: alt.TopLevelMixin, title: str, caption: str) -> Chart:
    """On white, for print."""
    spec: Mapping[str, Any] = {**finished(drawn), "background": "white"}
    return Chart(title=title, caption=caption, spec=spec)


def _turns(summary: Summary, setting: Setting) -> Chart | None:
    names = _names(summary, setting)
    rows: Rows = [
        {
            "panel": point.task,
            "method": names[point.method],
            "turn": point.turn + 1,
            **_score(point.estimate),
        }
        for point in summary.ability_curves
        if (point.setting, point.mode) == (setting, SEEN) and point.method in names
    ]
    if len({row["turn"] for row in rows}) < 2:
        return None
    colour, dash = colours(list(names.values()), names.get(summary.baseline, ""))
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("turn:O", title="turn", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("score:Q", title="score, %", scale=alt.Scale(domain=[0, 100])),
        color=colour,
    )
    lines = base.mark_line().encode(strokeDash=dash)
    drawn = (
        alt.layer(lines, base.mark_point(filled=True, size=36))
        .properties(width=220, height=150)
        .facet(alt.Facet("panel:N", title=None, sort=list(ABILITIES)), columns=2)
    )
    caption = "Mean of each turn over sessions, multi-turn (the paper's Figure 6)."
    return _chart(drawn, "Scores by turn", caption)


def _budgets(summary: Summary, setting: Setting) -> Chart | None:
    rows: Rows = []
    for mode in summary.modes_in(setting):
        for info in summary.methods_in(setting):
            base, budget = budget_of(info.name)
            one = summary.average(setting, mode, info.name, OVERALL)
            if budget.startswith("tau=") and one is not None and one.strict.value is not None:
                row = {
                    "mode": mode,
                    "method": chart_text(base),
                    "budget": budget.removeprefix("tau="),
                    **_score(one.strict),
                }
                rows.append(row)
    several = {
        str(row["method"])
        for row in rows
        if len({other["budget"] for other in rows if other["method"] == row["method"]}) > 1
    }
    rows = [row for row in rows if row["method"] in several]
    if not rows:
        return None
    colour, dash = colours(sorted(several), "")
    base_chart = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X(
            "budget:O",
            title="budget, share of the context",
            sort=sorted({str(row["budget"]) for row in rows}, key=_fraction),
            axis=alt.Axis(labelAngle=0),
        ),
        y=alt.Y("score:Q", title="overall average, %", scale=alt.Scale(domain=[0, 100])),
        color=colour,
    )
    lines = base_chart.mark_line().encode(strokeDash=dash)
    drawn = (
        alt.layer(lines, base_chart.mark_point(filled=True, size=45))
        .properties(width=260, height=200)
        .facet(alt.Facet("mode:N", title=None, sort=list(summary.modes)), columns=2)
    )
    return _chart(drawn, "Overall by budget", "Overall average by budget (the paper's Figure 4).")


def _fraction(text: str) -> float:
    top, _, bottom = text.partition("/")
    return float(top) / float(bottom or 1.0)


def _bytes(summary: Summary, setting: Setting) -> Chart | None:
    names = _names(summary, setting)
    rows: Rows = []
    for mode in summary.modes_in(setting):
        for method, name in names.items():
            one = summary.average(setting, mode, method, OVERALL)
            share = summary.share(setting, method)
            if one is not None and share is not None and one.strict.value is not None:
                held = 100.0 * share.ratio
                rows.append({"mode": mode, "method": name, "held": held, **_score(one.strict)})
    if not rows:
        return None
    colour, _ = colours(list(names.values()), names.get(summary.baseline, ""))
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("held:Q", title="bytes held, % of dense", scale=alt.Scale(zero=True, padding=20)),
        color=colour,
    )
    bars = base.mark_rule(opacity=0.4).encode(
        y=alt.Y("low:Q", title="overall average, %", scale=alt.Scale(domain=[0, 100])), y2="high:Q"
    )
    dots = base.mark_point(filled=True, size=70).encode(y="score:Q")
    drawn = (
        alt.layer(bars, dots)
        .properties(width=300, height=220)
        .facet(alt.Facet("mode:N", title=None, sort=list(summary.modes)), columns=2)
    )
    return _chart(drawn, "Overall by bytes held", "Bars: 95 % intervals.")


def _aware(summary: Summary, setting: Setting) -> Chart | None:
    labels = {info.name: chart_text(info.label) for info in summary.methods_in(setting)}
    found = [one for one in awareness(summary) if one.setting == setting]
    rows: Rows = [
        {"method": labels[one.method], "query": word, **_score(estimate)}
        for one in found
        for word, estimate in (("seen", one.seen), ("hidden", one.hidden))
    ]
    if not rows:
        return None
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("score:Q", title="score, %", scale=alt.Scale(domain=[0, 100])),
        y=alt.Y(
            "method:N",
            title=None,
            sort=[labels[one.method] for one in found],
            axis=alt.Axis(labelLimit=260),
        ),
    )
    links = base.mark_line(color="#8a8a8a").encode(detail="method:N")
    query = alt.Color(
        "query:N", title="query", scale=alt.Scale(domain=["seen", "hidden"], range=[BLUE, RED])
    )
    # A ring around a dot: both are seen where they are equal.
    rings = base.mark_point(filled=False, size=130, opacity=1.0, strokeWidth=2)
    dots = base.mark_point(filled=True, size=50, opacity=1.0)
    drawn = alt.layer(
        links,
        rings.encode(color=query).transform_filter("datum.query == 'seen'"),
        dots.encode(color=query).transform_filter("datum.query == 'hidden'"),
    ).properties(width=320)
    caption = "The first question, seen before compression or hidden (the paper's Table 5)."
    return _chart(drawn, "The first question", caption)
