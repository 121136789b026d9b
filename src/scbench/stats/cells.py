"""One cell of the paper's tables: a method on a task in a mode.

It has an interval, a difference to the baseline, and gaps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from scbench.stats.clusters import SessionClusters
from scbench.stats.difference import Difference, difference_of
from scbench.stats.frame import SETTING
from scbench.stats.intervals import GAP, Estimate, mean_of
from scbench.stats.paired import Changes
from scbench.stats.paper import PAPER_BOOK, TaskBook
from scbench.stats.rates import Indices, evidence, shared
from scbench.types import (
    BEYOND_TRAINED,
    KEPT_OLD,
    LOOPS,
    NOT_BINDING,
    THOUGHT_CLOSED,
    THOUGHT_OPEN,
    USES_GOLD,
    Form,
)

NOT_RUN = "not run"
NOTED = (
    KEPT_OLD,
    USES_GOLD,
    BEYOND_TRAINED,
    NOT_BINDING,
    THOUGHT_CLOSED,
    THOUGHT_OPEN,
    LOOPS,
)  # notes of a record that mark the numbers it enters
EVIDENCE = ("evidence_kept", "evidence_held", "evidence_loaded")
KEPT_WHOLE = (pl.col("truncated_tokens") == 0) | pl.col("evidence_survives").fill_null(False)
CUT = "cut"  # a side value: the share of answers that ended at their limit


@dataclass(frozen=True, slots=True, order=True)
class Setting:
    """What must be equal for two numbers to stand in one table."""

    model: str
    length_tokens: int
    protocol: str
    form: str = "full"

    @property
    def label(self) -> str:
        length = f"{self.length_tokens:,} tokens" if self.length_tokens else "own lengths"
        form = "" if self.form == Form.FULL else f", form: {self.form}"
        return f"{self.model}, {length}, {self.protocol}{form}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreCell:
    """`part` is empty for the task itself; the sub-tasks of a mix have a cell each besides.

    `strict` is over all turns that the method has a score for; `shared` and `baseline_shared` are
    over those that the baseline has a score for too, and their difference is `difference`.
    """

    setting: Setting
    mode: str
    method: str
    task: str
    part: str
    strict: Estimate
    official: Estimate
    failed_as_zero: Estimate
    survived: Estimate  # only turns whose evidence outlived truncation
    difference: Difference | None = None  # None for the baseline itself, and where it did not run
    shared: Estimate = GAP
    baseline_shared: Estimate = GAP
    gaps: Mapping[str, int] = field(default_factory=dict)  # turns without a strict score, by reason
    truncated_turns: int = 0
    simulated: bool = False
    estimated: tuple[str, ...] = ()
    evidence: Mapping[str, float] = field(default_factory=dict)  # means of shares that are known
    sides: Mapping[str, float] = field(
        default_factory=dict
    )  # means of the scorer's side values (floor, fact_recall, ...)
    # False: the baseline stays under the gate, so a method's score says nothing about the method
    is_measurable: bool = True
    traces: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # reason -> tracebacks
    noted: Mapping[str, int] = field(default_factory=dict)  # scored turns with a note of NOTED
    format_failures: float = 0.0  # turns that score 0 though an accepted answer stands in them
    samples: int = 1  # answers of a turn, whose mean is its score

    @property
    def gap_turns(self) -> int:
        return sum(self.gaps.values())

    @property
    def planned_turns(self) -> int:
        """The turns that would all have a score if nothing were missing."""
        return self.strict.n + self.gap_turns

    @property
    def has_gaps(self) -> bool:
        return self.gap_turns > 0 or self.strict.is_gap

    @property
    def counts(self) -> bool:
        """Whether averages may use it."""
        return self.is_measurable and not self.strict.is_gap


def cells(
    table: pl.DataFrame,
    *,
    baseline: str,
    gate: float | None,
    resamples: int,
    book: TaskBook = PAPER_BOOK,
) -> list[ScoreCell]:
    """All cells of a frame.

    With a `gate` (0..1), tasks on which the baseline scores less, or did not run, are not
    measurable.
    """
    found: list[ScoreCell] = []
    for key, rows in table.partition_by(
        [*SETTING, "mode", "task"], as_dict=True, maintain_order=True
    ).items():
        setting, (mode, task) = Setting(*key[:-2]), map(str, key[-2:])
        parts = part_names(task, rows, book)
        planned = int(rows.group_by("session").agg(pl.col("turns").max())["turns"].sum())
        for part in ("", *parts) if len(parts) > 1 else ("",):
            chosen = parts if part == "" else (part,)
            seen = rows if part == "" else rows.filter(pl.col("subtask") == part)
            found += _column(
                setting,
                mode,
                task,
                part,
                seen,
                chosen,
                planned if part == "" else seen.select("session", "turn").n_unique(),
                baseline,
                gate,
                resamples,
            )
    return found


def part_names(task: str, rows: pl.DataFrame, book: TaskBook = PAPER_BOOK) -> tuple[str, ...]:
    """The sub-tasks of a mix in the paper's order; one empty name for a plain task."""
    known = book.parts_of(task)
    if not known:
        return ("",)
    return (*known, *sorted(set(rows["subtask"].to_list()) - set(known)))


def _column(
    setting: Setting, mode: str, task: str, part: str, rows: pl.DataFrame, parts: tuple[str, ...],
    planned: int, baseline: str, gate: float | None, resamples: int,
) -> list[ScoreCell]:  # fmt: skip
    """The cells of all methods on one task: they met the same sessions, and share what these say
    of the correlation within sessions."""
    by_method = {
        str(key[0]): mine
        for key, mine in rows.partition_by(["method"], as_dict=True, maintain_order=True).items()
    }
    base = by_method.get(baseline)
    told = _told([clusters_of(mine, "strict", parts) for mine in by_method.values()])
    column = [
        _cell(setting, mode, method, task, part, mine, parts, planned, resamples, one)
        for (method, mine), one in zip(by_method.items(), told, strict=True)
    ]
    if gate is not None:
        reached = next((cell.strict.value for cell in column if cell.method == baseline), None)
        column = [
            replace(cell, is_measurable=reached is not None and reached >= gate) for cell in column
        ]
    if base is None:
        return column
    both = {
        cell.method: pairs(by_method[cell.method], base)
        for cell in column
        if cell.method != baseline
    }
    found = dict(zip(both, _differences(list(both.values()), parts, resamples), strict=True))
    return [
        _compared(cell, found[cell.method], both[cell.method], parts)
        if cell.method in found
        else cell
        for cell in column
    ]


def _told(column: Sequence[SessionClusters]) -> list[tuple[float, ...]]:
    """What the other methods say of the correlation; graded scores and mixes tell nothing."""
    plain = [place for place, one in enumerate(column) if one.is_complete and one.is_plain]
    told: list[tuple[float, ...]] = [()] * len(column)
    for place, one in zip(
        plain, shared([evidence(column[at].counts) for at in plain]), strict=True
    ):
        told[place] = one
    return told


def _differences(
    column: Sequence[pl.DataFrame], parts: tuple[str, ...], resamples: int
) -> list[Difference]:
    """Of each method to the baseline, over the turns that both have a score for."""
    changes = [changes_of(both, parts) for both in column]
    gains = _told([one.gains for one in changes])
    losses = _told([one.losses for one in changes])
    return [
        difference_of(
            one,
            told=(gain, loss),
            base=clusters_of(both, "strict_base", parts),
            same_turns=same_answers(both),
            resamples=resamples,
        )
        for both, one, gain, loss in zip(column, changes, gains, losses, strict=True)
    ]


def _compared(
    cell: ScoreCell, difference: Difference, both: pl.DataFrame, parts: tuple[str, ...]
) -> ScoreCell:
    """With both means over the turns that method and baseline have a score for."""
    return replace(
        cell,
        difference=difference,
        shared=mean_of(clusters_of(both, "strict", parts)),
        baseline_shared=mean_of(clusters_of(both, "strict_base", parts)),
    )


def _cell(
    setting: Setting, mode: str, method: str, task: str, part: str, rows: pl.DataFrame,
    parts: tuple[str, ...], planned: int, resamples: int, told: tuple[float, ...],
) -> ScoreCell:  # fmt: skip
    strict = mean_of(clusters_of(rows, "strict", parts), resamples=resamples, told=told)
    failed = rows.with_columns(
        pl.when(pl.col("failure").is_not_null())
        .then(0.0)
        .otherwise(pl.col("strict"))
        .alias("strict")
    )
    gaps = {
        str(reason): int(count)
        for reason, count in rows["gap"].drop_nulls().value_counts(sort=True).iter_rows()
    }
    if planned > rows.height:
        gaps[NOT_RUN] = planned - rows.height
    failed_rows = rows.filter(pl.col("trace").is_not_null())
    traces = failed_rows.group_by("gap").agg(pl.col("trace").unique().sort()).sort("gap")
    truncated = rows.filter(pl.col("truncated_tokens") > 0).height
    sides = {
        name.removeprefix("side_"): rows[name].mean()
        for name in rows.columns
        if name.startswith("side_")
    }
    if cut := rows["cut"].sum():
        sides[CUT] = cut / rows.height
    return ScoreCell(
        setting=setting,
        mode=mode,
        method=method,
        task=task,
        part=part,
        strict=strict,
        official=mean_of(clusters_of(rows, "official", parts)),
        failed_as_zero=mean_of(clusters_of(failed, "strict", parts))
        if rows["failure"].count()
        else strict,
        survived=mean_of(clusters_of(rows.filter(KEPT_WHOLE), "strict", parts))
        if truncated
        else strict,
        gaps=gaps,
        traces={str(why): tuple(map(str, files)) for why, files in traces.iter_rows()},
        noted=noted(rows),
        format_failures=float(rows["format_failure"].sum()),
        samples=max(rows["samples"].to_list(), default=1),
        truncated_turns=truncated,
        simulated=bool(rows["simulated"].any()),
        estimated=tuple(
            sorted(
                {name for line in rows["estimated"].unique() for name in line.split("; ") if name}
            )
        ),
        evidence=_evidence(rows),
        sides={name: float(mean) for name, mean in sides.items() if isinstance(mean, float)},
    )


def _evidence(rows: pl.DataFrame) -> dict[str, float]:
    """Means of the turns' evidence shares. Where dense was not played a share is known only if all
    is held, and a mean over those turns alone would mislead: there is none."""
    has_evidence = rows.filter(pl.col("evidence_held").is_not_null())
    if has_evidence.is_empty():
        return {}
    return {
        name: float(column.mean())  # type: ignore[arg-type]
        for name in EVIDENCE
        if (column := has_evidence[name]).null_count() == 0
    }


def noted(rows: pl.DataFrame) -> dict[str, int]:
    """How many scored turns carry each note that marks a number."""
    if not (rows["notes"] != "").any():
        return {}  # the usual case
    scored = rows.filter(pl.col("strict").is_not_null())
    notes = {
        name: scored.filter(pl.col("notes").str.split("; ").list.contains(name)).height
        for name in NOTED
    }
    return {name: count for name, count in notes.items() if count}


def clusters_of(rows: pl.DataFrame, column: str, parts: tuple[str, ...]) -> SessionClusters:
    """The non-empty values of a column, by session and by part."""
    scored = rows.filter(pl.col(column).is_not_null())
    return SessionClusters.of(
        scored[column].to_numpy(),
        session_index(scored),
        part_index(scored, parts),
        part_count=len(parts),
    )


def session_index(rows: pl.DataFrame) -> Indices:
    index: Indices = rows["session"].rank("dense").cast(pl.Int64).to_numpy() - 1
    return index


def part_index(rows: pl.DataFrame, parts: tuple[str, ...]) -> Indices:
    if len(parts) == 1:
        return np.zeros(rows.height, dtype=np.int64)
    return np.array([parts.index(name) for name in rows["subtask"].to_list()], dtype=np.int64)


def changes_of(both: pl.DataFrame, parts: tuple[str, ...]) -> Changes:
    """Gains and losses of a method against another, from their turns side by side (`pairs`)."""
    return Changes.of(
        (both["strict"] - both["strict_base"]).to_numpy(),
        session_index(both),
        part_index(both, parts),
        part_count=len(parts),
    )


def same_answers(both: pl.DataFrame) -> int:
    """Turns whose answers are the same tokens, and were scored alike."""
    is_same = (both["answer"] == both["answer_base"]) & (both["strict"] == both["strict_base"])
    return int(is_same.sum())


def pairs(rows: pl.DataFrame, base: pl.DataFrame) -> pl.DataFrame:
    """Turns scored under both, with the baseline's columns suffixed `_base`."""
    scored = pl.col("strict").is_not_null()
    theirs = base.filter(scored).select("task", "session", "turn", "strict", "answer")
    return (
        rows.filter(scored)
        .join(theirs, on=["task", "session", "turn"], how="inner", suffix="_base")
        .sort("session", "turn")
    )
