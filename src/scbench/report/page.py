"""The report as one HTML file that opens offline: its security policy forbids it to fetch."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from scbench.console import visible
from scbench.report.again import commands, readable
from scbench.report.chart_parts import Chart
from scbench.report.charts import charts
from scbench.report.costs import cost_tables, facts
from scbench.report.drawing import Drawing, bundle, drawings
from scbench.report.equal import equal_facts
from scbench.report.gaps import gap_table
from scbench.report.length_charts import length_charts
from scbench.report.scores import score_table
from scbench.report.trends import trend_table
from scbench.stats import Setting, Summary

POLICY = (  # nothing is fetched or sent; only the page's own scripts run
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart on the page; `number` is its place among the live specifications, if it has one."""

    chart: Chart
    address: Markup | None = None  # holds the drawing itself
    number: int | None = None
    why: str = ""  # there is no picture


def page(
    summary: Summary, manifest: Mapping[str, object] | None = None, *, title: str = "scbench report"
) -> str:
    """`manifest` is that of a run's folder: it says how to run this again, and is shown as it is.

    A chart that cannot be made or drawn is a line that says why; tables do not depend on it.
    """
    known = dict(manifest or {})
    drawn = [charts(summary, setting) for setting in summary.settings]
    over_lengths = length_charts(summary)
    figures, specs = _figures([*over_lengths, *(chart for some in drawn for chart in some)])
    scripts = [_script(code) for code in (bundle(), _own("page.js"))] if specs else []
    if not all(scripts):
        scripts = []
    of_lengths, figures = figures[: len(over_lengths)], figures[len(over_lengths) :]
    blocks = []
    for setting, some in zip(summary.settings, drawn, strict=True):
        mine, figures = figures[: len(some)], figures[len(some) :]
        blocks.append(_block(summary, setting, mine))
    return _template().render(
        title=title,
        policy=Markup("; ".join([POLICY, *_allowed(scripts)])),
        css=Markup(_own("page.css")),
        facts=[*facts(summary), *equal_facts(known)],
        over_lengths=of_lengths,
        blocks=blocks,
        costs=cost_tables(summary),
        gaps=gap_table(summary),
        commands=commands(known),
        manifest=readable(known) if known else "",
        specs=_script_json(specs) if scripts else "",
        scripts=scripts,
    )


def _figures(some: Sequence[Chart]) -> tuple[list[Picture], list[Mapping[str, object]]]:
    """Each chart with its picture, and the specifications of those that have one."""
    specs = [chart.spec for chart in some if chart.spec]
    pictures = iter(drawings(specs))
    figures: list[Picture] = []
    live: list[Mapping[str, object]] = []
    for chart in some:
        drawing = next(pictures) if chart.spec else Drawing(why=chart.caption)
        if drawing.text:
            figures.append(Picture(chart, _data_uri(drawing.text), len(live)))
            live.append(chart.spec)
        else:
            figures.append(Picture(chart, why=drawing.why or "nothing was drawn"))
    return figures, live


def _allowed(scripts: Sequence[str]) -> list[str]:
    """The part of the policy that lets exactly these scripts run."""
    digests = [hashlib.sha256(script.encode()).digest() for script in scripts]
    names = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
    return [f"script-src {' '.join(names)}"] if names else []


def _block(summary: Summary, setting: Setting, figures: Sequence[Picture]) -> dict[str, object]:
    """What the page shows of one setting."""
    modes = summary.modes_in(setting)
    return {
        "label": setting.label,
        "scores": [(mode, score_table(summary, setting, mode)) for mode in modes],
        "figures": figures,
        "trends": [trend_table(summary, setting, mode) for mode in modes],
    }


def _template() -> Template:
    surroundings = Environment(autoescape=True, undefined=StrictUndefined, finalize=_shown)
    return surroundings.from_string(_own("page.html.jinja"))


def _shown(value: object) -> object:
    """Every text that the page prints, with control signs and turns of direction made visible."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _own(name: str) -> str:
    return files("scbench.report").joinpath(name).read_text(encoding="utf-8")


def _data_uri(svg: str) -> Markup:
    return Markup("data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode())


def _script_json(value: object) -> Markup:
    """JSON that cannot end its script element: every < is written as an escape."""
    return Markup(json.dumps(value, allow_nan=False).replace("<", "\\u003c"))


def _script(code: str) -> Markup:
    """Code with any closing script tag inside its strings written so that HTML does not see it."""
    return Markup(code.replace("</script", "<\\/script"))
