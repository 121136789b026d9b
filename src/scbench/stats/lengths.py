"""How a method's overall average moves with the context's length, and where its units changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TypeAlias

import polars as pl

from scbench.stats.averages import Average
from scbench.stats.cells import Setting
from scbench.stats.frame import units_in
from scbench.stats.intervals import Estimate
from scbench.stats.paper import OVERALL

Units: TypeAlias = Mapping[str, int]  # such as {"quest.page_tokens": 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthPoint:
    """The overall average of a method at one length, in pages, blocks and windows of that length.

    `changed` names the units that are not those of the next shorter length: with another page size
    it is another method, so a line through such a point mixes two effects (docs/units.md).
    """

    setting: Setting
    mode: str
    method: str
    estimate: Estimate
    units: Units = field(default_factory=dict)
    changed: Mapping[str, tuple[int | None, int | None]] = field(default_factory=dict)

    @property
    def family(self) -> tuple[str, str, str]:
        """What the points of one picture share: model, protocol, form."""
        return self.setting.model, self.setting.protocol, self.setting.form


def length_points(averages: Sequence[Average], turns: pl.DataFrame) -> list[LengthPoint]:
    """Points of every method that has an overall average at two lengths or more, by length."""
    units = _units(turns)
    lines: dict[tuple[str, str, str, str, str], list[LengthPoint]] = {}
    for average in averages:
        if average.name != OVERALL or average.strict.is_gap:
            continue
        point = LengthPoint(
            setting=average.setting,
            mode=average.mode,
            method=average.method,
            estimate=average.strict,
            units=units.get((average.setting, average.method), {}),
        )
        lines.setdefault((*point.family, point.mode, point.method), []).append(point)
    return [point for line in lines.values() if len(line) > 1 for point in _with_changes(line)]


def _with_changes(line: Iterable[LengthPoint]) -> list[LengthPoint]:
    ordered = sorted(line, key=lambda point: point.setting.length_tokens)
    found = ordered[:1]
    for before, here in pairwise(ordered):
        found.append(replace(here, changed=_changes(before.units, here.units)))
    return found


def _changes(before: Units, here: Units) -> dict[str, tuple[int | None, int | None]]:
    names = sorted({*before, *here})
    both = {name: (before.get(name), here.get(name)) for name in names}
    return {name: pair for name, pair in both.items() if pair[0] != pair[1]}


def _units(turns: pl.DataFrame) -> dict[tuple[Setting, str], Units]:
    """The units that most turns of a method had; contexts of one length differ by a few tokens."""
    columns = [*Setting.__dataclass_fields__, "method", "units"]
    counted: dict[tuple[Setting, str], Counter[str]] = {}
    for *key, method, text in turns.select(columns).iter_rows():
        counted.setdefault((Setting(*key), method), Counter())[text] += 1
    return {place: units_in(counts.most_common(1)[0][0]) for place, counts in counted.items()}
