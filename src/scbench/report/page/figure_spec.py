"""The specification of the headline figure, for the drawing in the file and for the live one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scbench.report.page.figure import SIZES, TYPE, rows

THEMES = {  # every ink of a text has a contrast of 4.5 and more to the paper
    "light": {
        "ink": "#24292f",
        "soft": "#57606a",
        "line": "#d0d7de",
        "front": "#0b57d0",
        "paper": "#ffffff",
    },
    "dark": {
        "ink": "#e6e8eb",
        "soft": "#a3adb8",
        "line": "#3a424c",
        "front": "#7fb3ff",
        "paper": "#14171b",
    },
}
INK = [
    {"test": "datum.is_front", "signal": "front"},
    {"test": "datum.kind === 'baseline'", "signal": "ink"},
    {"signal": "soft"},
]
HOLLOW = [{"test": "!datum.is_decided || datum.kind === 'reference'", "signal": "paper"}, *INK]
SHAPE = [
    {"test": "datum.kind === 'baseline'", "value": "diamond"},
    {"test": "datum.kind === 'reference'", "value": "triangle-up"},
    {"value": "circle"},
]
X, Y = {"scale": "x", "field": "x"}, {"scale": "y", "field": "y"}


def specification(size: str) -> dict[str, Any]:
    """The picture without its points: `filled` puts them in."""
    width, height = SIZES[size]
    return {
        "width": width,
        "height": height,
        "padding": 5,
        "autosize": "pad",
        "background": None,
        "signals": [
            *({"name": name, "value": value} for name, value in THEMES["light"].items()),
            {"name": "xDomain", "value": [10, 100]},
            {"name": "yDomain", "value": [-100, 0]},
            {"name": "xTicks", "value": []},
            {"name": "yTicks", "value": []},
            {"name": "xTitle", "value": ""},
            {"name": "yTitle", "value": ""},
        ],
        "data": [
            {"name": "points", "values": []},
            {
                "name": "front",
                "source": "points",
                "transform": [
                    {"type": "filter", "expr": "datum.is_front"},
                    {"type": "collect", "sort": {"field": "x"}},
                ],
            },
        ],
        "scales": [
            {
                "name": "x",
                "type": "log",
                "base": 2,
                "domain": {"signal": "xDomain"},
                "range": "width",
                "nice": False,
            },
            {
                "name": "y",
                "domain": {"signal": "yDomain"},
                "range": "height",
                "nice": False,
                "zero": False,  # names were placed on exactly these axes
            },
        ],
        "axes": [_drawn_axis("bottom", "x"), _drawn_axis("left", "y")],
        "marks": _marks(),
    }


def _drawn_axis(orient: str, scale: str) -> dict[str, Any]:
    return {
        "orient": orient,
        "scale": scale,
        "title": {"signal": f"{scale}Title"},
        "values": {"signal": f"{scale}Ticks"},
        "format": ".3~f",
        "grid": True,
        "gridColor": {"signal": "line"},
        "domainColor": {"signal": "line"},
        "tickColor": {"signal": "line"},
        "labelColor": {"signal": "soft"},
        "titleColor": {"signal": "soft"},
        "titleFontWeight": "normal",
        "titleFontSize": TYPE,
        "labelFontSize": TYPE - 1,
        "labelFont": "system-ui, sans-serif",
        "titleFont": "system-ui, sans-serif",
    }


def _marks() -> list[dict[str, Any]]:
    """From the lowest to the highest layer."""
    return [_frontier(), _interval(), _line_to_name(), _point(), _name()]


def _mark(kind: str, data: str, **encoded: object) -> dict[str, Any]:
    return {"type": kind, "from": {"data": data}, "encode": {"enter": encoded}}


def _frontier() -> dict[str, Any]:
    return _mark(
        "line",
        "front",
        x=X,
        y=Y,
        stroke={"signal": "front"},
        strokeWidth={"value": 1.5},
        strokeDash={"value": [5, 3]},
    )


def _interval() -> dict[str, Any]:
    """Limits, cut at the frame; none where there is no interval."""
    ends = [
        "datum.low === null ? datum.y : datum.low",
        "datum.high === null ? datum.y : datum.high",
    ]
    low, high = ({"signal": f"clamp(scale('y', {end}), 0, height)"} for end in ends)
    return _mark("rule", "points", x=X, y=low, y2=high, stroke=INK, opacity={"value": 0.55})


def _line_to_name() -> dict[str, Any]:
    """Where a name does not stand right beside its point."""
    is_far = "datum.lx !== null && abs(datum.ly - scale('y', datum.y)) > 9"
    near = "datum.lx + (datum.align === 'left' ? -2 : 2)"
    return _mark(
        "rule",
        "points",
        x=X,
        y=Y,
        x2={"signal": f"datum.lx === null ? scale('x', datum.x) : {near}"},
        y2={"signal": "datum.ly === null ? scale('y', datum.y) : datum.ly"},
        stroke={"signal": "soft"},
        strokeWidth={"value": 0.7},
        opacity={"signal": f"{is_far} ? 0.6 : 0"},
    )


def _point() -> dict[str, Any]:
    return _mark(
        "symbol",
        "points",
        x=X,
        y=Y,
        size={"value": 75},
        shape=SHAPE,
        fill=HOLLOW,
        stroke=INK,
        strokeWidth={"value": 1.6},
        tooltip={"field": "told"},
    )


def _name() -> dict[str, Any]:
    return _mark(
        "text",
        "points",
        x={"signal": "datum.lx === null ? scale('x', datum.x) : datum.lx"},
        y={"signal": "datum.ly === null ? scale('y', datum.y) : datum.ly"},
        align={"field": "align"},
        baseline={"value": "middle"},
        text={"signal": "datum.lx === null ? '' : datum.name"},
        fontSize={"value": TYPE},
        font={"value": "system-ui, sans-serif"},
        fontWeight={"signal": "datum.is_front ? 'bold' : 'normal'"},
        fill=INK,
        tooltip={"field": "told"},
    )


def filled(
    found: Sequence[Mapping[str, Any]],
    layout: Mapping[str, Any],
    key: str,
    titles: Mapping[str, str],
    theme: str,
) -> dict[str, Any]:
    """The whole specification of one picture (`held/loss/wide`), for the drawing in the file."""
    across, up, size = key.split("/")
    spec = specification(size)
    given = {
        **THEMES[theme],
        "xDomain": layout["x"]["domain"],
        "yDomain": layout["y"]["domain"],
        "xTicks": layout["x"]["ticks"],
        "yTicks": layout["y"]["ticks"],
        "xTitle": titles[across],
        "yTitle": titles[up],
    }
    spec["signals"] = [{"name": name, "value": value} for name, value in given.items()]
    spec["data"][0]["values"] = rows(found, layout, across, up)
    return spec
