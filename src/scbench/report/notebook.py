"""Tables inline in a notebook: plain HTML without styles or scripts, every text escaped."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from scbench.console import visible
from scbench.report import marks
from scbench.report.words import percent, signed, signed_interval
from scbench.stats import OVERALL, Average, Setting, Summary


@dataclass(frozen=True, slots=True)
class InlineFigure:
    """A figure that a notebook shows; `why` says why it cannot be drawn."""

    title: str
    svg: str = ""
    why: str = ""

    def _repr_html_(self) -> str:
        """The picture as an image, in which no script of it would run."""
        if not self.svg:
            return str(Markup("<p>{}: {}</p>").format(_shown(self.title), _shown(self.why)))
        data = base64.b64encode(self.svg.encode()).decode()
        return str(
            Markup('<img alt="{}" src="data:image/svg+xml;base64,{}">').format(
                _shown(self.title), data
            )
        )


HEADS = ("method", "mode", "Overall", "95 %", "Δ to dense", "95 %", "verdict", "held, % of dense")


def inline(summary: Summary) -> str:
    """The overall averages, a table a setting and a row a method and mode."""
    if not summary.settings:
        return str(Markup("<p>{}</p>").format("no records, nothing to show"))
    return "".join(html_table(HEADS, _rows(summary, one), one.label) for one in summary.settings)


def html_table(heads: Sequence[str], rows: Iterable[Sequence[str]], caption: str) -> str:
    """One table; whatever the texts hold, they are shown and not obeyed."""
    head = Markup("").join(Markup("<th>{}</th>").format(_shown(one)) for one in heads)
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(
            Markup("").join(Markup("<td>{}</td>").format(_shown(one)) for one in row)
        )
        for row in rows
    )
    return str(
        Markup(
            "<table><caption>{}</caption><thead><tr>{}</tr></thead><tbody>{}</tbody></table>"
        ).format(_shown(caption), head, body)
    )


def _shown(text: str) -> Markup:
    return escape(visible(text))


def _rows(summary: Summary, setting: Setting) -> list[list[str]]:
    found = []
    for method in summary.methods_in(setting):
        share = summary.share(setting, method.name)
        held = percent(share.ratio if share else None)
        for mode in summary.modes_in(setting):
            average = summary.average(setting, mode, method.name, OVERALL)
            if average is not None:
                found.append([method.label, mode, *_numbers(average), held])
    return found


def _numbers(average: Average) -> list[str]:
    paired = average.difference
    score = f"{percent(average.strict.value)}{marks.of_average(average)}"
    limits = _limits(average)
    if paired is None:
        return [score, limits, "", "", ""]
    verdict = paired.judged.text if paired.judged is not None else ""
    return [score, limits, signed(paired.value), signed_interval(paired.estimate), verdict]


def _limits(average: Average) -> str:
    one = average.strict
    if one.low is None or one.high is None:
        return ""
    return f"[{percent(one.low)}, {percent(one.high)}]"
