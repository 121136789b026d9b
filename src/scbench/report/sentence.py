"""The sentence that sums a run up: who loses how much, who nothing, what nobody can tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

from scbench.report.headline import Headline, MethodLine, ModeScore
from scbench.report.words import MINUS, nats, percent, signed
from scbench.stats import HEADROOM, KL_MARGIN, OVERALL, Standing, Summary

SHARES = {0.5: "half", 0.25: "a quarter", 0.125: "an eighth", 1 / 16: "a sixteenth"}
ALL_BYTES = 0.9  # who holds as much as this saves nothing
ALIKE = 1.2  # bytes within this factor of each other are called about the same
EQUAL = 1.02  # and within this one are one number


def sentence(summary: Summary, one: Headline, *, most_named: int = 3) -> str:
    """From the mode in which most is decided; by agreement where scores can tell nothing.

    Of each kind at most so many methods are named, the others are counted.
    """
    methods = [line for line in one.lines if not line.is_baseline]
    if not methods:
        return f"Only {summary.baseline} ran: nothing is compared."
    place = _clearest(one, methods)
    if place is None:
        return _by_agreement(summary, methods, most_named)
    parts = _by_score(summary, methods, place, most_named)
    mode = f", {one.modes[place]}" if len(one.modes) > 1 else ""
    apart = _apart(summary, one, methods, place)
    return f"{_lead(methods, summary.baseline, mode)} {'; '.join(parts)}.{apart}"


def _clearest(one: Headline, methods: Sequence[MethodLine]) -> int | None:
    """The place of the mode with most decided scores; None where none has any headroom."""
    known = [
        [line.scores[place].ruling for line in methods if line.scores[place].ruling is not None]
        for place in range(len(one.modes))
    ]
    open_modes = [
        place
        for place, rulings in enumerate(known)
        if _is_open([ruling.standing for ruling in rulings if ruling], _level(one, place))
        and all(line.scores[place].is_measurable for line in methods)
    ]
    return max(
        open_modes,
        key=lambda place: sum(ruling.is_decided for ruling in known[place] if ruling),
        default=None,
    )


def _level(one: Headline, place: int) -> float | None:
    """The baseline's score in a mode, free of chance."""
    return next((line.scores[place].value for line in one.lines if line.is_baseline), None)


def _is_open(standings: Sequence[Standing], level: float | None) -> bool:
    """Whether scores can tell something: not where dense has nothing to lose, and equal answers
    are those of a model that answers nothing."""
    has_headroom = level is None or level >= HEADROOM
    if Standing.NO_HEADROOM not in standings and has_headroom:
        return bool(standings)
    return any(one not in (Standing.NO_HEADROOM, Standing.SAME) for one in standings)


def _lead(methods: Sequence[MethodLine], baseline: str, mode: str) -> str:
    ratios = [line.share.ratio for line in methods if line.share is not None]
    start = f"Against {baseline}{mode}:"
    if len(ratios) < len(methods) or not ratios or max(ratios) > ALIKE * min(ratios):
        return start
    if min(ratios) > ALL_BYTES:
        return start
    middle = sorted(ratios)[len(ratios) // 2]
    words = next(
        (word for share, word in SHARES.items() if share / ALIKE < middle < share * ALIKE),
        f"{percent(middle)} %" if max(ratios) <= EQUAL * min(ratios) else "",
    )
    if not words:
        return start
    return f"At about {words} of the bytes, against {baseline}{mode}:"


def _by_score(
    summary: Summary, methods: Sequence[MethodLine], place: int, most_named: int
) -> list[str]:
    groups: dict[Standing, list[tuple[MethodLine, ModeScore]]] = {}
    for line in methods:
        score = line.scores[place]
        if score.ruling is not None:
            groups.setdefault(score.ruling.standing, []).append((line, score))
    parts = []
    if better := groups.get(Standing.BETTER):
        named = _few((f"{line.name} gains {_points(score)}" for line, score in better), most_named)
        parts.append(f"{named}{_surely(better)}")
    if worse := groups.get(Standing.WORSE):
        parts.append(_losses([(line.name, _points(score)) for line, score in worse], most_named))
    if same := groups.get(Standing.SAME):
        parts.append(f"{_few((line.name for line, _ in same), most_named)}: the same answers")
    if equal := groups.get(Standing.EQUIVALENT):
        margin = f"{100.0 * summary.margin:g}"
        parts.append(
            f"{_few((line.name for line, _ in equal), most_named)} surely within {margin} points"
        )
    if few := groups.get(Standing.TOO_FEW):
        parts.append(f"{_few((line.name for line, _ in few), most_named)} undecided")
    if flat := groups.get(Standing.NO_HEADROOM):
        parts.append(f"{_few((line.name for line, _ in flat), most_named)}: no headroom")
    return parts or ["nothing is compared"]


def _points(score: ModeScore) -> str:
    return signed(score.difference.value if score.difference else None).lstrip("+" + MINUS)


def _losses(worse: Sequence[tuple[str, str]], most_named: int) -> str:
    """Each by name, or the least and the largest where there are many."""
    if len(worse) > most_named:
        ranked = sorted(worse, key=lambda one: float(one[1]))
        (best, least), (last, most) = ranked[0], ranked[-1]
        return f"{len(worse)} lose {least} ({best}) to {most} ({last}) points, all surely"
    (first, points), *rest = worse
    others = "".join(f", {name} {more}" for name, more in rest)
    return f"{first} loses {points} points{others}{_surely(worse)}"


def _surely(group: Sequence[object]) -> str:
    return {1: ", surely", 2: ", both surely"}.get(len(group), ", all surely")


def _few(names: Iterable[str], most_named: int) -> str:
    found = list(names)
    if len(found) > most_named + 1:
        found = [*found[:most_named], f"{len(found) - most_named} others"]
    return ", ".join(found)


def _apart(summary: Summary, one: Headline, methods: Sequence[MethodLine], place: int) -> str:
    """Two methods that both differ from the baseline, and surely from each other.

    The best is held against the next ones, in order; corrected for all pairs there are.
    """
    lossy = [
        line
        for line in methods
        if not line.has_gaps
        and (ruling := line.scores[place].ruling) is not None
        and ruling.standing not in (Standing.SAME, Standing.NO_HEADROOM)
    ]
    if one.what != OVERALL:
        return ""
    pairs = list(combinations(lossy, 2))
    for best, other in pairs[: max(0, len(lossy) - 1)]:
        found = summary.compare(
            one.setting, one.modes[place], other.method, best.method, family=len(pairs)
        )
        if found is None or found.judged is None or found.judged.standing is not Standing.WORSE:
            continue
        points = signed(found.value).lstrip(MINUS)
        return f" {other.name} stays {points} points below {best.name}, surely."
    return ""


def _by_agreement(summary: Summary, methods: Sequence[MethodLine], most_named: int) -> str:
    """Where scores leave no headroom, token by token."""
    if not any(info.name == summary.baseline for info in summary.methods):
        return f"{summary.baseline} was not played: there is nothing to compare with."
    start = f"Scores tell nothing here ({summary.baseline} is too near to chance)."
    if all(score.value is None for line in methods for score in line.scores):
        start = f"Nobody but {summary.baseline} has a score here."
    measured = [line for line in methods if line.agreement is not None]
    if not measured:
        return f"{start} Agreement was not measured."
    groups: dict[Standing, list[str]] = {}
    for line in sorted(measured, key=lambda line: line.divergence):
        ruling = line.agreement.kl_judged if line.agreement else None
        if ruling is not None:
            groups.setdefault(ruling.standing, []).append(f"{line.name} ({nats(line.divergence)})")
    parts = []
    if agrees := groups.get(Standing.AGREES):
        parts.append(f"{_few(agrees, most_named)} surely below {KL_MARGIN:g}")
    if departs := groups.get(Standing.DEPARTS):
        parts.append(f"{_few(departs, most_named)} surely above")
    if few := groups.get(Standing.TOO_FEW):
        parts.append(f"{_few(few, most_named)} undecided")
    return f"{start} KL to {summary.baseline}, nats a token: {'; '.join(parts)}."
