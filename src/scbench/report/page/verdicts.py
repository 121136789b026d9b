"""The sentences at the head of a page: who loses what, who is best at a share of the bytes, who
loses after the first turn. All from numbers that the tables have too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from scbench.console import counted
from scbench.modes import Mode
from scbench.report.headline import Headline
from scbench.report.sentence import SHARES, sentence
from scbench.report.words import percent, signed
from scbench.stats import Standing, Summary, Trend

NEAR = 1.2  # bytes within this factor of a share are that share
MOST_NAMED = 3
MOST_FALLS = 2
HARMLESS = {str(one) for one in (Standing.EQUIVALENT, Standing.BETTER)}  # surely


def clearest(found: Sequence[Headline]) -> tuple[int, str]:
    """The setting, by place, and the mode in which most is decided: what a page opens with."""
    best, most = (0, ""), -1
    for place, one in enumerate(found):
        for at, mode in enumerate(one.modes):
            rulings = [line.scores[at].ruling for line in one.lines]
            decided = sum(ruling is not None and ruling.is_decided for ruling in rulings)
            if decided > most:
                best, most = (place, mode), decided
    return best


def verdicts(
    summary: Summary, one: Headline, mode: str, found: Sequence[Mapping[str, Any]]
) -> list[dict[str, str]]:
    """Sentences of a setting and mode, each under the question that it answers; `found` are its
    points."""
    said = [{"asks": "Who loses what?", "says": sentence(summary, of_mode(one, mode))}]
    if cheapest := _cheapest(summary, found):
        said.append({"asks": "What is cheapest?", "says": cheapest})
    for share, word in SHARES.items():
        for measure, verb in (("held", "held"), ("loaded", "loaded")):
            if line := _at_share(found, share, measure):
                asks = f"At {word} of the bytes {verb}?"
                said.append({"asks": asks, "says": line})
    if line := _later(summary, one, mode):
        said.append({"asks": "Are later turns lost?", "says": line})
    return said


def of_mode(one: Headline, mode: str) -> Headline:
    """The same headline with one of its modes alone, so that its sentence is about that one."""
    place = one.modes.index(mode)
    lines = tuple(replace(line, scores=(line.scores[place],)) for line in one.lines)
    return replace(one, modes=(mode,), lines=lines)


def _candidates(found: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [
        one
        for one in found
        if not one["is_baseline"] and not one["is_reference"] and one["loss"] is not None
    ]


def _cheapest(summary: Summary, found: Sequence[Mapping[str, Any]]) -> str:
    """The methods with fewest bytes that surely lose less than the margin, or, said as what they
    are, those whose answers are the same so far."""
    margin = f"{100.0 * summary.margin:g} points"
    measured = [one for one in _candidates(found) if one["held"] is not None]
    kept = [one for one in measured if one["standing"] in HARMLESS]
    if parts := _savings(kept):
        return f"Surely within {margin} of {summary.baseline}: {'; '.join(parts)} of its bytes."
    if kept:
        return f"Nothing that surely loses less than {margin} saves bytes."
    if parts := _savings([one for one in measured if one["standing"] == str(Standing.SAME)]):
        return (
            f"Nothing surely within {margin} yet; of those with the same answers so far "
            f"{'; '.join(parts)} of {summary.baseline}'s bytes."
        )
    return ""


def _savings(kept: Sequence[Mapping[str, Any]]) -> list[str]:
    """Who holds, and who loads, the fewest bytes of these; empty where none saves any."""
    saving = sorted((one for one in kept if one["held"] < 95.0), key=lambda one: one["held"])
    loading = sorted(
        (one for one in kept if one["loaded"] is not None and one["loaded"] < 95.0),
        key=lambda one: one["loaded"],
    )
    parts = [f"{one['name']} holds {one['held']:.0f} %" for one in saving[:1]]
    return parts + [f"{one['name']} loads {one['loaded']:.0f} %" for one in loading[:1]]


def _at_share(found: Sequence[Mapping[str, Any]], share: float, measure: str) -> str:
    """The best method at about a share of the bytes, and those after it; one that is better with
    fewer bytes stands before them."""
    at = 100.0 * share
    here = [
        one
        for one in _candidates(found)
        if one[measure] is not None and at / NEAR < one[measure] < at * NEAR
    ]
    if measure == "loaded":  # who holds no more than that was named already
        here = [one for one in here if one["held"] is None or one["held"] > at * NEAR]
    if not here:
        return ""
    best = max(one["loss"] for one in here)
    fewer = [
        one
        for one in _candidates(found)
        if one[measure] is not None and one[measure] <= at / NEAR and one["loss"] > best
    ]
    ranked = sorted([*here, *fewer], key=lambda one: -one["loss"])
    first, *others = ranked
    verdict = f", {first['verdict']}" if first["verdict"] else ""
    line = f"{first['name']} is best: {_loss(first)} {first['reach']}{verdict}".replace("  ", " ")
    named = [f"{one['name']} {_loss(one)}" for one in others[:MOST_NAMED]]
    if len(others) > MOST_NAMED:
        last = others[-1]
        named[-1] = f"{len(others) - MOST_NAMED + 1} more down to {last['name']} {_loss(last)}"
    return f"{line}; then {', '.join(named)}." if named else f"{line}."


def _loss(one: Mapping[str, Any]) -> str:
    return signed(one["loss"] / 100.0)


def _later(summary: Summary, one: Headline, mode: str) -> str:
    """Who falls after the first turn, where the order of turns means something."""
    talks = [name for name in one.modes if has_history(name)]
    if not talks:
        return ""
    asked = mode if mode in talks else talks[0]
    falls: list[tuple[float, str]] = []
    holds: list[str] = []
    for line in one.lines:
        mine = [
            trend
            for trend in summary.trends
            if (trend.setting, trend.mode, trend.method) == (one.setting, asked, line.method)
            and not trend.change.is_gap
        ]
        if not mine:
            continue
        sure = [trend for trend in mine if _falls(trend)]
        if not sure:
            holds.append(line.name)
            continue
        worst = min(sure, key=lambda trend: trend.change.value or 0.0)
        title = summary.book.title_of(worst.task)
        scores = f"{percent(worst.first.value)} → {percent(worst.later.value)} on {title}"
        count = f", {len(sure)} of {len(mine)} tasks fall" if len(mine) > 1 else ""
        falls.append((worst.change.value or 0.0, f"{line.name} {scores}{count}"))
    if not falls and not holds:
        return ""
    falls.sort()
    named = [words for _, words in falls[:MOST_FALLS]]
    named += [counted(len(falls) - MOST_FALLS, "more method")] if len(falls) > MOST_FALLS else []
    parts = [f"After the first turn ({asked}): {'; '.join(named)}"] if named else []
    if holds:
        few = ", ".join(holds[:MOST_NAMED])
        few += f" and {len(holds) - MOST_NAMED} more" if len(holds) > MOST_NAMED else ""
        parts.append(f"{few}: no fall that is sure")
    return f"{'. '.join(parts)}."


def has_history(mode: str) -> bool:
    """Whether later turns see earlier ones, so that their order means something."""
    return mode in {str(one) for one in Mode} and Mode(mode).has_history


def _falls(trend: Trend) -> bool:
    high = trend.change.estimate.high
    return high is not None and high < 0.0
