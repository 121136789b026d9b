"""The specification of the headline figure, for the drawing in the file and for the live one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scbench.report.page.figure import SIZES, TYPE, layouts, rows

THEMES = {
    "light": {"ink": "#24292f", "soft": "#57606a", "line": "#d0d7de", "front": "#0b57d0", "paper": "#ffffff"},
    "dark": {"ink": "#e6e8eb", "soft": "#a3adb8", "line": "#3a424c", "front": "#7fb3ff", "paper": "#14171b"},
}  # fmt: skip


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
            {"name": "y", "domain": {"signal": "yDomain"}, "range": "height", "nice": False},
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
    """Frontier, zero line, intervals, lines to names, points, names."""
    x, y = {"scale": "x", "field": "x"}, {"scale": "y", "field": "y"}
    ink = [
        {"test": "datum.is_front", "signal": "front"},
        {"test": "datum.kind === 'baseline'", "signal": "ink"},
        {"signal": "soft"},
    ]
    hollow = [{"test": "!datum.is_decided || datum.kind === 'reference'", "signal": "paper"}, *ink]
    shape = [
        {"test": "datum.kind === 'baseline'", "value": "diamond"},
        {"test": "datum.kind === 'reference'", "value": "triangle-up"},
        {"value": "circle"},
    ]
    named = "datum.lx === null ? scale('x', datum.x) : datum.lx"
    middle = "datum.ly === null ? scale('y', datum.y) : datum.ly"
    near = "datum.lx + (datum.align === 'left' ? -2 : 2)"
    is_far = "datum.lx !== null && abs(datum.ly - scale('y', datum.y)) > 9"
    inside = "clamp({}, 0, height)"
    low = {"signal": inside.format("scale('y', datum.low === null ? datum.y : datum.low)")}
    high = {"signal": inside.format("scale('y', datum.high === null ? datum.y : datum.high)")}
    source = {"data": "points"}
    return [
        {
            "type": "line",
            "from": {"data": "front"},
            "encode": {
                "enter": {
                    "x": x,
                    "y": y,
                    "stroke": {"signal": "front"},
                    "strokeWidth": {"value": 1.5},
                    "strokeDash": {"value": [5, 3]},
                }
            },
        },
        {
            "type": "rule",
            "from": source,
            "encode": {
                "enter": {"x": x, "y": low, "y2": high, "stroke": ink, "opacity": {"value": 0.55}}
            },
        },
        {
            "type": "rule",
            "from": source,
            "encode": {
                "enter": {
                    "x": x,
                    "y": y,
                    "x2": {"signal": f"datum.lx === null ? scale('x', datum.x) : {near}"},
                    "y2": {"signal": middle},
                    "stroke": {"signal": "soft"},
                    "strokeWidth": {"value": 0.7},
                    "opacity": {"signal": f"{is_far} ? 0.6 : 0"},
                }
            },
        },
        {
            "type": "symbol",
            "from": source,
            "encode": {
                "enter": {
                    "x": x,
                    "y": y,
                    "size": {"value": 75},
                    "shape": shape,
                    "fill": hollow,
                    "stroke": ink,
                    "strokeWidth": {"value": 1.6},
                    "tooltip": {"field": "told"},
                }
            },
        },
        {
            "type": "text",
            "from": source,
            "encode": {
                "enter": {
                    "x": {"signal": named},
                    "y": {"signal": middle},
                    "align": {"field": "align"},
                    "baseline": {"value": "middle"},
                    "text": {"signal": "datum.lx === null ? '' : datum.name"},
                    "fontSize": {"value": TYPE},
                    "font": {"value": "system-ui, sans-serif"},
                    "fontWeight": {"signal": "datum.is_front ? 'bold' : 'normal'"},
                    "fill": ink,
                    "tooltip": {"field": "told"},
                }
            },
        },
    ]


def filled(
    found: Sequence[Mapping[str, Any]], key: str, titles: Mapping[str, str], theme: str
) -> dict[str, Any]:
    """The whole specification of one picture, for the drawing in the file."""
    across, up, size = key.split("/")
    layout = layouts(found)[key]
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
