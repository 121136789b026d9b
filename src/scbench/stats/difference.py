"""A difference to another method with all that is said of it: intervals, p-values, standing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from scbench.stats.clusters import SessionClusters
from scbench.stats.intervals import ALPHA, Estimate
from scbench.stats.paired import Changes, Paired, estimate
from scbench.stats.standing import MARGIN, Evidence, Ruling, judge


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Method minus the other, usually the baseline.

    `p` asks whether there is any difference, `p_within` whether there is one beyond the margin.
    Both are corrected (Holm) over a family: all cells of a setting, or all averages of one name.
    `joint_low` and `joint_high` hold for the whole family at once (Bonferroni), `estimate` for
    this comparison alone. Before `corrected` has seen the family, these are None.
    """

    estimate: Estimate
    p: float | None = None
    p_holm: float | None = None
    p_within: float | None = None
    p_within_holm: float | None = None
    joint_low: float | None = None
    joint_high: float | None = None
    family: int = 1
    same_turns: int = 0  # of `estimate.n`, turns whose answers are the same tokens
    judged: Ruling | None = None
    paired: Paired | None = field(default=None, compare=False, repr=False)

    @property
    def value(self) -> float | None:
        return self.estimate.value

    @property
    def is_gap(self) -> bool:
        return self.estimate.is_gap

    @property
    def is_significant(self) -> bool:
        return self.p_holm is not None and self.p_holm < ALPHA


def difference_of(
    changes: Changes,
    *,
    told: tuple[tuple[float, ...], tuple[float, ...]] = ((), ()),
    base: SessionClusters | None = None,
    room: tuple[float, float] | None = None,
    scale: float = 1.0,
    same_turns: int = 0,
    resamples: int = 0,
) -> Difference:
    """Of gains and losses; `base` are the other method's scores, which say how far there is room,
    or `room` does: how far up and down.

    A method cannot gain more than the other lacks, nor lose more than the other has.
    """
    if not changes.gains.is_complete or changes.gains.sessions < 2:
        return Difference(estimate=estimate(changes, None), same_turns=same_turns)
    level = base.mean if base is not None else 0.0
    up, down = room or (1.0 - level, level if base is not None else 1.0)
    known = changes.paired(told=told, scale=scale, most_up=scale * up, most_down=scale * down)
    return Difference(
        estimate=estimate(changes, known, resamples=resamples),
        p=known.p,
        same_turns=same_turns,
        paired=known,
    )


def holm(p_values: Sequence[float | None], *, size: int | None = None) -> list[float | None]:
    """Corrected over all that are not None, in the order given (Holm 1979)."""
    order = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    found, reached = list(p_values), 0.0
    for rank, (p, place) in enumerate(order):
        reached = max(reached, min(1.0, ((size or len(order)) - rank) * p))
        found[place] = reached
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A difference with what its verdict needs besides: sessions a task, and the room to lose."""

    difference: Difference
    sessions: int
    headroom: float | None


def corrected(
    family: Sequence[Case], *, margin: float = MARGIN, size: int | None = None
) -> list[Difference]:
    """The differences of a family with corrected p-values, joint limits and verdicts.

    That something differs, and that it is within the margin, are two kinds of claim; each kind is
    corrected over the whole family. `size` is that of a family of which only some are at hand: they
    are corrected as its first, at the strictest step.
    """
    within = [_within(case.difference, margin) for case in family]
    differs_holm = holm([case.difference.p for case in family], size=size)
    within_holm = holm(within, size=size)
    size = size or max(1, sum(case.difference.paired is not None for case in family))
    return [
        _judged(case, p, p_holm, near, size=size, margin=margin)
        for case, p_holm, p, near in zip(family, differs_holm, within, within_holm, strict=True)
    ]


def _within(one: Difference, margin: float) -> float | None:
    return None if one.paired is None else one.paired.p_within(margin)


def _judged(
    case: Case,
    p_within: float | None,
    p_holm: float | None,
    p_within_holm: float | None,
    *,
    size: int,
    margin: float,
) -> Difference:
    one, known = case.difference, case.difference.paired
    low, high = known.limits(ALPHA / size) if known is not None else (None, None)
    found = replace(
        one,
        p_holm=p_holm,
        p_within=p_within,
        p_within_holm=p_within_holm,
        joint_low=None if low is None else float(low),
        joint_high=None if high is None else float(high),
        family=size,
    )
    if one.estimate.value is None:
        return found
    seen = Evidence(
        value=one.estimate.value,
        error=known.error if known is not None else None,
        sessions=case.sessions,
        p_differs=p_holm,
        p_within=p_within_holm,
        same_turns=one.same_turns,
        turns=one.estimate.n,
        headroom=case.headroom,
        alpha=ALPHA / size,
        margin=margin,
    )
    return replace(found, judged=judge(seen))


def families(keys: Iterable[object]) -> list[list[int]]:
    """Places of equal keys, in the order of their first."""
    found: dict[object, list[int]] = {}
    for place, key in enumerate(keys):
        found.setdefault(key, []).append(place)
    return list(found.values())
