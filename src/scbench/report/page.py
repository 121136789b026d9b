"""The report as one HTML file that opens offline: no address is fetched, and its content security policy forbids it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from scbench.report import charts
from scbench.report.costs import cost_tables, facts
from scbench.report.gaps import gap_table
from scbench.report.scores import score_table
from scbench.report.trends import trend_table
from scbench.report.words import flat
from scbench.stats import Setting, Summary

RERUN = ("command", "rerun")  # manifest entries that say how to run it again


def page(
    summary: Summary, manifest: Mapping[str, object] | None = None, *, title: str = "scbench report"
) -> str:
    """`manifest` holds versions, hashes, settings and host; its entry `command` is shown as the way to run this again."""
    known = dict(manifest or {})
    rerun = next((known.pop(name) for name in RERUN if name in known), "")
    specs: list[Mapping[str, object]] = []
    blocks = [_block(summary, setting, specs) for setting in summary.settings]
    return _template().render(
        title=title,
        css=Markup(_own("page.css")),
        facts=facts(summary),
        blocks=blocks,
        costs=cost_tables(summary),
        gaps=gap_table(summary),
        rerun=" ".join(map(str, rerun)) if isinstance(rerun, (list, tuple)) else str(rerun),
        manifest=flat(known),
        specs=_script_json(specs) if specs else "",
        vega=_script(charts.bundle()) if specs else "",
    )


def _block(
    summary: Summary, setting: Setting, specs: list[Mapping[str, object]]
) -> dict[str, object]:
    """What the page shows of one setting; its charts' specifications are appended to `specs`."""
    drawn = []
    for chart in charts.charts(summary, setting):
        drawn.append(
            {
                "title": chart.title,
                "caption": chart.caption,
                "number": len(specs),
                "picture": _data_uri(charts.svg(chart)),
            }
        )
        specs.append(chart.spec)
    modes = summary.modes_in(setting)
    return {
        "label": setting.label,
        "scores": [(mode, score_table(summary, setting, mode)) for mode in modes],
        "charts": drawn,
        "trends": [trend_table(summary, setting, mode) for mode in modes],
    }


def _template() -> Template:
    return Environment(autoescape=True, undefined=StrictUndefined).from_string(
        _own("page.html.jinja")
    )


def _own(name: str) -> str:
    return files("scbench.report").joinpath(name).read_text(encoding="utf-8")


def _data_uri(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _script_json(value: object) -> Markup:
    """JSON that cannot end its script element: every < is written as an escape."""
    return Markup(json.dumps(value, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c"))


def _script(code: str) -> Markup:
    """Code with any closing script tag inside its strings written so that HTML does not see it."""
    return Markup(code.replace("</script", "<\\/script"))
