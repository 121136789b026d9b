"""What every plot is made of: colours, dashes, limits, a look that suits either theme."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
from altair.utils.schemapi import debug_mode

from scbench.report.drawing import LEFT_OUT, is_off

# Okabe and Ito's colours first (told apart by most colour-blind readers), then more of even
# weight; the baseline is always grey.
GREY = "#8a8a8a"
PALETTE = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7b61c9", "#a6761d", "#e7298a", "#66a61e",
    "#1b9e77", "#b2182b", "#5e4fa2", "#b8a000", "#3288bd", "#f46d43",
)  # fmt: skip
DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3])
INK = "#757575"  # readable on white and on near-black: static pictures do not know the theme


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    title: str
    caption: str
    spec: Mapping[str, Any]  # Vega-Lite, without a schema address


def made(title: str, make: Callable[[], Chart | None]) -> Chart | None:
    """A chart, or the reason why there is none: no picture may cost a report its tables."""
    if is_off():
        return Chart(title=title, caption=LEFT_OUT, spec={})
    try:
        # Every part would be held against Vega-Lite's schema several times, which takes longer than
        # making it; a test does it once.
        with debug_mode(False):
            return make()
    except Exception as err:
        why = f"This chart cannot be made: {type(err).__name__}: {err}"
        return Chart(title=title, caption=why[:500], spec={})


def colours(names: Sequence[str], baseline: str) -> tuple[alt.Color, alt.StrokeDash]:
    others = [name for name in names if name != baseline]
    colour = {name: PALETTE[place % len(PALETTE)] for place, name in enumerate(others)} | {
        baseline: GREY
    }
    dash = {
        name: DASHES[place // len(PALETTE) % len(DASHES)] for place, name in enumerate(others)
    } | {baseline: DASHES[0]}
    domain = list(names)
    return (
        alt.Color(
            "method:N",
            sort=domain,
            scale=alt.Scale(domain=domain, range=[colour[name] for name in domain]),
            title="method",
        ),
        alt.StrokeDash(
            "method:N",
            scale=alt.Scale(domain=domain, range=[dash[name] for name in domain]),
            title="method",
        ),
    )


def finished(drawn: alt.TopLevelMixin) -> dict[str, Any]:
    """A specification without the address of its schema, in colours for either theme."""
    spec: dict[str, Any] = drawn.to_dict()
    spec.pop("$schema", None)
    axis = {
        "labelColor": INK,
        "titleColor": INK,
        "gridColor": "#8a8a8a33",
        "domainColor": "#8a8a8a88",
        "tickColor": "#8a8a8a88",
        "titleFontWeight": "normal",
    }
    spec["background"] = "transparent"
    spec["config"] = {
        "view": {"stroke": "#8a8a8a44"},
        "axis": axis,
        "legend": {"labelColor": INK, "titleColor": INK, "labelLimit": 260, "symbolStrokeWidth": 2},
        "header": {"labelColor": INK, "labelFontSize": 11},
        "font": "system-ui, sans-serif",
    }
    return spec
