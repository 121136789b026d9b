"""Means over scored lines: ours with n and gaps, and the numbers the released runner would
print.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scbench.scoring.grade import Rule, short
from scbench.scoring.lines import FAILED, MIXES, NOT_UNDERSTOOD
from scbench.task_cards import PAPER
from scbench.types import Mode

RULES: tuple[Rule, ...] = ("strict", "official")
NO_ITEMS = "no items"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """The mean of one task, mode and rule. `subtask` is set on the parts of a Mix, whose own row is
    the mean of its two parts.

    `mean` leaves gaps out and is None where nothing is left; `mean_failed_as_zero` counts failed
    turns as 0. For a Mix `n` and `gaps` are sums over its parts.
    """

    task: str
    subtask: str | None
    mode: Mode
    rule: Rule
    mean: float | None
    n: int
    gaps: Mapping[str, int] = field(default_factory=dict)
    mean_failed_as_zero: float | None = None


def means(lines: Iterable[Mapping[str, Any]]) -> list[Mean]:
    """Per task, mode and rule over scored lines, in order of first appearance; strict before
    official. Lines that do not even say of which task and mode they are stand in none.
    """
    groups: dict[tuple[str, Mode], list[Mapping[str, Any]]] = {}
    for line in lines:
        if _says_where(line):
            groups.setdefault((short(line["task"]), Mode(line["mode"])), []).append(line)
    rows: list[Mean] = []
    for (task, mode), members in groups.items():
        for rule in RULES:
            if task not in MIXES:
                rows.append(_mean(task, None, mode, rule, members))
                continue
            parts = [
                _mean(
                    task,
                    subtask,
                    mode,
                    rule,
                    [line for line in members if short(line["subtask"]) == subtask],
                )
                for subtask in MIXES[task]
            ]
            rows += [*parts, _mix(task, mode, rule, parts)]
    return rows


def _says_where(line: Mapping[str, Any]) -> bool:
    """Whether a line that may not have been understood names its task, sub-task and mode."""
    if not _is_not_understood(line):
        return True
    task, subtask, mode = (str(line.get(name)) for name in ("task", "subtask", "mode"))
    parts = MIXES.get(short(task), (short(subtask),))
    return short(task) in PAPER and short(subtask) in parts and mode in set(Mode)


def _is_not_understood(line: Mapping[str, Any]) -> bool:
    return str(line.get("why", {}).get("strict")).startswith(NOT_UNDERSTOOD)


def _mean(
    task: str, subtask: str | None, mode: Mode, rule: Rule, members: list[Mapping[str, Any]]
) -> Mean:
    values = [line["scores"][rule] for line in members if line["scores"][rule] is not None]
    gaps = Counter(
        line.get("why", {}).get(rule, "no reason given")
        for line in members
        if line["scores"][rule] is None
    )
    if not members:
        gaps[NO_ITEMS] = 1
    counted = len(values) + gaps[FAILED] if FAILED in gaps else len(values)
    return Mean(
        task=task,
        subtask=subtask,
        mode=mode,
        rule=rule,
        mean=sum(values) / len(values) if values else None,
        n=len(values),
        gaps=dict(gaps),
        mean_failed_as_zero=sum(values) / counted if counted else None,
    )


def _mix(task: str, mode: Mode, rule: Rule, parts: list[Mean]) -> Mean:
    gaps: Counter[str] = Counter()
    for part in parts:
        gaps.update(part.gaps)
    return Mean(
        task=task,
        subtask=None,
        mode=mode,
        rule=rule,
        mean=_average([part.mean for part in parts]),
        n=sum(part.n for part in parts),
        gaps=dict(gaps),
        mean_failed_as_zero=_average([part.mean_failed_as_zero for part in parts]),
    )


def _average(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(values) if known and len(known) == len(values) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What the released runner reports of one file. `values[i]` belongs to turn index `turns[i]`:
    one mean, or for a Mix a pair.

    In multi-request mode there is one entry, of turn None. Values are in 0..1; `text` is the
    runner's own line, times 100. A value is None where the runner would have stopped with an
    exception.
    """

    task: str
    mode: Mode
    turns: tuple[int | None, ...]
    values: tuple[tuple[float | None, ...], ...]
    text: str


def official_table(lines: Iterable[Mapping[str, Any]]) -> list[Published]:
    """The released aggregation over scored lines: multi-turn per turn index in order of appearance,
    multi-request all in one.

    Failed turns have no record there. A Mix part without items at a turn counts 0, as released.
    """
    groups: dict[tuple[str, Mode], dict[int | None, list[Mapping[str, Any]]]] = {}
    for line in lines:
        if line.get("why", {}).get("official") != FAILED and not _is_not_understood(line):
            mode = Mode(line["mode"])
            turn = line.get("turn_idx", line.get("turn")) if mode is Mode.MULTI_TURN else None
            groups.setdefault((short(line["task"]), mode), {}).setdefault(turn, []).append(line)
    return [_published(task, mode, by_turn) for (task, mode), by_turn in groups.items()]


def _published(
    task: str, mode: Mode, by_turn: Mapping[int | None, list[Mapping[str, Any]]]
) -> Published:
    values: list[tuple[float | None, ...]] = []
    for members in by_turn.values():
        if task in MIXES:
            values.append(
                tuple(
                    _official([line for line in members if short(line["subtask"]) == part])
                    for part in MIXES[task]
                )
            )
        else:
            values.append((_official(members),))
    flat = [value for row in values for value in row]
    text = ",".join("stopped" if value is None else f"{value * 100:.3f}" for value in flat)
    return Published(task=task, mode=mode, turns=tuple(by_turn), values=tuple(values), text=text)


def _official(members: list[Mapping[str, Any]]) -> float | None:
    scores = [line["scores"]["official"] for line in members]
    if not scores:
        return 0.0
    return None if None in scores else sum(scores) / len(scores)
