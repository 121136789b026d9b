"""The figure that says it: quality lost against what a method holds, loads or takes.

Names are placed here, so that the drawing in the file and the live one are the same picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log2, log10
from typing import Any

from scbench.report.headline import Headline
from scbench.report.marks import LACKS
from scbench.report.page.labels import NamePlace, placed
from scbench.report.shown import chart_text
from scbench.report.words import signed_interval
from scbench.stats import CostRow, MethodInfo, Setting, Summary

ACROSS = {  # measure -> title of the axis
    "held": "bytes held, % of {baseline}'s (log scale)",
    "loaded": "bytes loaded in a decode step, % of {baseline}'s (log scale)",
    "tpot": "time per token, ms (log scale)",
    "ttft": "time to first token of a question, cache ready, ms (log scale)",
}
UP = {
    "loss": "{what}, points against {baseline}",
    "top1": "gold tokens with the likeliest one as {baseline}'s, %",
}
SHARES = ("held", "loaded")  # in percent; the others are milliseconds
SIZES = {"wide": (700, 330), "narrow": (300, 340)}
TYPE = 12.0
MOST_TICKS = 9
REFERENCE = "reference"  # a category: floors and ceilings that nobody can serve


@dataclass(frozen=True, slots=True)
class Axis:
    """The ends of an axis, and where it has numbers."""

    low: float
    high: float
    ticks: tuple[float, ...]
    is_log: bool

    def at(self, value: float) -> float:
        """0 at the low end, 1 at the high one."""
        if self.is_log:
            return log2(value / self.low) / log2(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def points(summary: Summary, one: Headline, mode: str) -> list[dict[str, Any]]:
    """What the figure has of each method, in the order of the short table; None: not measured.

    Losses are those of the headline (Overall, or the one task), in points.
    """
    place = one.modes.index(mode)
    infos = {info.name: info for info in summary.methods}
    costs = {row.method: row for row in _costs(summary, one.setting)}
    return [
        _point(summary, one, line.method, line.name, place, infos[line.method], costs)
        for line in one.lines
    ]


def _costs(summary: Summary, setting: Setting) -> list[CostRow]:
    at = (setting.model, setting.length_tokens, setting.form)
    return [
        row
        for row in summary.costs
        if not row.failure and (row.model, row.length_tokens, row.form) == at
    ]


def _point(
    summary: Summary,
    one: Headline,
    method: str,
    name: str,
    place: int,
    info: MethodInfo,
    costs: Mapping[str, CostRow],
) -> dict[str, Any]:
    line = next(line for line in one.lines if line.method == method)
    signs = (LACKS if line.has_gaps else "") + line.notes
    score = line.scores[place]
    share = summary.share(one.setting, method)
    agreement = summary.agreement(one.setting, one.modes[place], method)
    paired = score.difference
    estimate = paired.estimate if paired is not None else None
    cost = costs.get(method)
    ruling = score.ruling
    loss = 0.0 if line.is_baseline and score.value is not None else _points(estimate, "value")
    top1 = agreement.top1 if agreement is not None else None
    return {
        "method": chart_text(method),
        "name": chart_text(name),
        "label": chart_text(f"{name} {signs}" if signs else name),
        "is_baseline": line.is_baseline,
        "is_reference": info.category == REFERENCE and not line.is_baseline,
        "has_gaps": line.has_gaps,
        "score": None if score.value is None else round(100.0 * score.value, 4),
        "loss": loss,
        "loss_low": _points(estimate, "low"),
        "loss_high": _points(estimate, "high"),
        "reach": signed_interval(estimate) if estimate is not None else "",
        "verdict": ruling.text if ruling is not None else "",
        "standing": str(ruling.standing) if ruling is not None else "",
        "is_decided": line.is_baseline or (ruling is not None and ruling.is_decided),
        "top1": _points(top1, "value"),
        "top1_low": _points(top1, "low"),
        "top1_high": _points(top1, "high"),
        "kl": None if agreement is None else agreement.kl.value,
        "held": _share(share.ratio if share is not None else None),
        "loaded": _share(share.loaded if share is not None else None),
        "tpot": _milliseconds(share.tpot_s if share is not None else None),
        "ttft": _milliseconds(cost.ttft_warm_s.median if cost and cost.ttft_warm_s else None),
    }


def _points(estimate: object, end: str) -> float | None:
    value = getattr(estimate, end, None)
    return None if value is None else round(100.0 * value, 4)


def _share(value: float | None) -> float | None:
    return None if value is None or value <= 0.0 else round(100.0 * value, 4)


def _milliseconds(value: float | None) -> float | None:
    return None if value is None or value <= 0.0 else round(1e3 * value, 4)


def frontier(found: Sequence[Mapping[str, Any]], across: str, up: str) -> list[int]:
    """Places of the methods that none beats in both; floors and ceilings are left out.

    >>> pairs = ((9, -1), (5, -3), (6, -4))
    >>> here = [{"is_reference": False, "held": x, "loss": y} for x, y in pairs]
    >>> frontier(here, "held", "loss")  # the last holds more than the second, and loses more
    [1, 0]
    """
    known = [
        at
        for at, one in enumerate(found)
        if one[across] is not None and one[up] is not None and not one["is_reference"]
    ]
    known.sort(key=lambda at: (found[at][across], -found[at][up]))
    best: list[int] = []
    for at in known:
        if not best or found[at][up] > found[best[-1]][up]:
            best.append(at)
    return best


def layouts_or_why(found: Sequence[Mapping[str, Any]]) -> tuple[dict[str, dict[str, Any]], str]:
    """The layouts, or why there are none: no picture may cost a report its tables."""
    try:
        return layouts(found), ""
    except Exception as err:
        return {}, f"this picture cannot be made: {type(err).__name__}: {err}"[:500]


def layouts(found: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """By `held/loss/wide` and the like: axes, frontier, and the place of each name."""
    made = {}
    for across in ACROSS:
        for up in UP:
            for size in SIZES:
                layout = _layout(found, across, up, SIZES[size])
                if layout is not None:
                    made[f"{across}/{up}/{size}"] = layout
    return made


def _layout(
    found: Sequence[Mapping[str, Any]], across: str, up: str, size: tuple[int, int]
) -> dict[str, Any] | None:
    known = [at for at, one in enumerate(found) if one[across] is not None and one[up] is not None]
    if not known:
        return None
    width, height = size
    unit = 100.0 if across in SHARES else 1.0
    horizontal = _log_axis([found[at][across] for at in known], unit)
    vertical = _loss_axis(found, known) if up == "loss" else _share_axis(found, known)
    best = frontier(found, across, up)
    baseline = [at for at in known if found[at]["is_baseline"]]
    first = dict.fromkeys([*baseline, *best, *known])
    spots = {
        at: (
            width * horizontal.at(found[at][across]),
            height * (1.0 - vertical.at(found[at][up])),
            found[at]["label"],
        )
        for at in first
    }
    line = [spots[at][:2] for at in best]
    names = dict(zip(first, placed([*spots.values()], width, height, TYPE, line), strict=True))
    return {
        "x": _axis(horizontal),
        "y": _axis(vertical),
        "front": best,
        "names": [_spot(names.get(at)) for at in range(len(found))],
    }


def _spot(name: NamePlace | None) -> list[object] | None:
    return None if name is None else [round(name.x, 1), round(name.y, 1), name.align]


def _axis(axis: Axis) -> dict[str, Any]:
    return {"domain": [axis.low, axis.high], "ticks": list(axis.ticks)}


def _log_axis(values: Sequence[float], unit: float) -> Axis:
    """A log axis with some room to the right, where names stand; numbers are `unit` times powers
    of two, or round ones where fewer than two of these are on it."""
    low, high = min(values), max(values)
    if high / low < 1.5:
        low, high = low / 1.3, high * 1.3
    ratio = high / low
    low, high = low / ratio**0.14, high * ratio**0.16
    ticks = [unit * 2.0**power for power in range(-24, 25)]
    inside = [one for one in ticks if low <= one <= high]
    inside = inside[:: ceil(len(inside) / MOST_TICKS) or 1]
    if len(inside) < 2:
        inside = _round_ticks(low, high)
    return Axis(low, high, tuple(float(f"{one:.4g}") for one in inside), True)


def _round_ticks(low: float, high: float) -> list[float]:
    """Between two and five numbers, of the widest round step that has two."""
    power = 10.0 ** floor(log10(high - low))
    for step in (power, power / 2.0, power / 4.0, power / 10.0):
        inside = [step * at for at in range(ceil(low / step), floor(high / step) + 1)]
        if len(inside) >= 2:
            return inside
    return [low, high]


def _loss_axis(found: Sequence[Mapping[str, Any]], known: Sequence[int]) -> Axis:
    """From the worst limit to a little above 0, in round steps."""
    lows = [found[at]["loss_low"] for at in known if found[at]["loss_low"] is not None]
    highs = [found[at]["loss_high"] for at in known if found[at]["loss_high"] is not None]
    low = min([*lows, *(found[at]["loss"] for at in known), -5.0])
    high = max([*highs, *(found[at]["loss"] for at in known), 0.0])
    step = next((one for one in (1, 2, 5, 10, 20, 25) if (high - low) / one <= 7), 50)
    ticks = [step * at for at in range(int(low // step), int(high // step) + 2)]
    return Axis(min(low - step / 4, -1.0), high + step / 2, tuple(map(float, ticks)), False)


def _share_axis(found: Sequence[Mapping[str, Any]], known: Sequence[int]) -> Axis:
    low = min(found[at]["top1_low"] or found[at]["top1"] for at in known)
    start = 10.0 * (min(low, 90.0) // 10.0)
    step = 10.0 if start < 60 else 5.0
    count = int((100.0 - start) / step)
    return Axis(start - 2.0, 104.0, tuple(start + step * at for at in range(count + 1)), False)


def rows(
    found: Sequence[Mapping[str, Any]], layout: Mapping[str, Any], across: str, up: str
) -> list[dict[str, Any]]:
    """The points of one picture, as `specification` draws them."""
    made = []
    for at, one in enumerate(found):
        if one[across] is None or one[up] is None:
            continue
        name = layout["names"][at]
        kind = "front" if at in layout["front"] else "reference" if one["is_reference"] else "other"
        made.append(
            {
                "name": one["label"],
                "x": one[across],
                "y": one[up],
                "low": one[f"{up}_low"],
                "high": one[f"{up}_high"],
                "kind": "baseline" if one["is_baseline"] else kind,
                "is_front": at in layout["front"],
                "is_decided": (one["is_decided"] or up != "loss") and not one["has_gaps"],
                "lx": None if name is None else name[0],
                "ly": None if name is None else name[1],
                "align": "left" if name is None else name[2],
                "told": told(one),
            }
        )
    return made


def told(one: Mapping[str, Any]) -> str:
    """A point in words."""
    parts = [one["name"]]
    if one["loss"] is not None and not one["is_baseline"]:
        parts.append(f"{one['loss']:+.1f} points {one['reach']} {one['verdict']}".rstrip())
    parts += [f"holds {one['held']:.1f} %"] if one["held"] is not None else []
    parts += [f"loads {one['loaded']:.1f} %"] if one["loaded"] is not None else []
    return "; ".join(parts)
