"""Numbers for other programs: CSV and Parquet, scores in 0..1, seconds and bytes unrounded, one row
for each cell; `schema` says what the columns are.
"""

from __future__ import annotations

import io

import polars as pl

from scbench.report import marks
from scbench.report.schema import COST, RESULTS, SCHEMA, framed
from scbench.report.scores import stage_title
from scbench.report.shown import csv_text
from scbench.stats import (
    OVERALL,
    Agreement,
    Average,
    Difference,
    Estimate,
    Ruling,
    ScoreCell,
    Setting,
    Spread,
    Summary,
    Trend,
)
from scbench.stats.cells import EVIDENCE
from scbench.stats.costs import MEASURED


def csv(summary: Summary) -> str:
    """`table` as text."""
    return csv_text(table(summary))


def table(summary: Summary) -> pl.DataFrame:
    """Cells, sub-task cells (`kind` part) and averages; an average over fewer tasks names those
    that are missing."""
    stages = {method.name: stage_title(method) for method in summary.methods}
    rows: list[dict[str, object]] = []
    trends = {(one.setting, one.mode, one.method, one.task): one for one in summary.trends}
    every: list[ScoreCell | Average] = [*summary.cells, *summary.averages]
    for one in every:
        share = summary.share(one.setting, one.method)
        head = _head(one.setting, one.mode, one.method, stages[one.method])
        body = _cell(summary, one) if isinstance(one, ScoreCell) else _average(one)
        if isinstance(one, ScoreCell) and not one.part:
            body |= _trend(trends[one.setting, one.mode, one.method, one.task])
        rows.append(
            {
                **head,
                **body,
                **_agreement(_agreement_of(summary, one)),
                "held_share": share.ratio if share else None,
                "end_share": share.end if share else None,
                "loaded_share": share.loaded if share else None,
                "held_share_of": share.basis if share else None,
            }
        )
    return framed(rows, RESULTS)


def parquet(table: pl.DataFrame) -> bytes:
    """A table as Parquet; its metadata says which schema it follows (docs/schema.md)."""
    file = io.BytesIO()
    table.write_parquet(file, metadata={"scbench.schema": str(SCHEMA)})
    return file.getvalue()


def cost_csv(summary: Summary) -> str:
    """`cost_table` as text."""
    return csv_text(cost_table(summary))


def cost_table(summary: Summary) -> pl.DataFrame:
    """A row of the cost pass each, with the spread of its repeats."""
    rows: list[dict[str, object]] = []
    for row in summary.costs:
        spreads: dict[str, object] = {}
        for name in MEASURED:
            spread: Spread | None = getattr(row, name)
            spreads |= {
                name: spread.median if spread else None,
                f"{name}_min": spread.low if spread else None,
                f"{name}_max": spread.high if spread else None,
            }
        head = {
            "model": row.model,
            "method": row.method,
            "length_tokens": row.length_tokens,
            "form": row.form,
            "sessions": row.sessions,
        }
        rows.append(
            {
                **head,
                **spreads,
                "held_share": share.ratio if (share := summary.cost_share(row)) else None,
                "estimated": " ".join(row.estimated),
                "simulated": row.simulated,
                "failure": row.failure,
            }
        )
    return framed(rows, COST)


def turns_csv(summary: Summary) -> str:
    """One row a turn, as `stats.frame` makes them."""
    return csv_text(summary.turns)


def _head(setting: Setting, mode: str, method: str, stage: str) -> dict[str, object]:
    return {
        "model": setting.model,
        "length_tokens": setting.length_tokens,
        "protocol": setting.protocol,
        "form": setting.form,
        "mode": mode,
        "method": method,
        "stage": stage,
    }


def _estimate(name: str, estimate: Estimate | None, *, full: bool = True) -> dict[str, object]:
    """A mean with its limits; `full` adds how the interval was made and the bootstrap's."""
    one = estimate or Estimate(value=None)
    short: dict[str, object] = {
        name: one.value,
        f"{name}_low": one.low,
        f"{name}_high": one.high,
        f"{name}_n": one.n,
    }
    if not full:
        return short
    low, high = one.bootstrap or (None, None)
    prefix = "" if name == "strict" else f"{name}_"
    return {
        **short,
        f"{prefix}sessions": one.sessions,
        f"{prefix}interval": one.how,
        f"{prefix}bootstrap_low": low,
        f"{prefix}bootstrap_high": high,
    }


def _difference(paired: Difference | None) -> dict[str, object]:
    """The difference with both kinds of limits, p-values before and after correction, verdict."""
    judged = paired.judged if paired else None
    return {
        **_estimate("difference", paired.estimate if paired else None),
        "difference_joint_low": paired.joint_low if paired else None,
        "difference_joint_high": paired.joint_high if paired else None,
        "p": paired.p if paired else None,
        "p_holm": paired.p_holm if paired else None,
        "p_within": paired.p_within if paired else None,
        "p_within_holm": paired.p_within_holm if paired else None,
        "family": paired.family if paired else None,
        "same_turns": paired.same_turns if paired else None,
        "verdict": str(judged.standing) if judged else None,
        "more_sessions": judged.more_sessions or None if judged else None,
    }


def _agreement_of(summary: Summary, one: ScoreCell | Average) -> Agreement | None:
    """Of a task with that task's turns, of the overall average with all turns."""
    if isinstance(one, ScoreCell):
        found = summary.agreement(one.setting, one.mode, one.method, one.task)
        return found if not one.part else None
    if one.name != OVERALL:
        return None
    return summary.agreement(one.setting, one.mode, one.method)


def _agreement(one: Agreement | None) -> dict[str, object]:
    def word(judged: Ruling | None) -> str | None:
        return str(judged.standing) if judged else None

    return {
        **_estimate("kl_to_dense", one.kl if one else None, full=False),
        "kl_verdict": word(one.kl_judged) if one else None,
        **_estimate("top1_agreement", one.top1 if one else None, full=False),
        "top1_verdict": word(one.top1_judged) if one else None,
        **_estimate("gold_nll_difference", one.nll_difference if one else None, full=False),
        "agreement_missing": one.why if one else None,
    }


def _cell(summary: Summary, cell: ScoreCell) -> dict[str, object]:
    paired = cell.difference
    return {
        "kind": "part" if cell.part else "task",
        "task": cell.task,
        "part": cell.part,
        "title": summary.book.title_of(cell.task, cell.part),
        **_estimate("strict", cell.strict),
        **_estimate("official", cell.official, full=False),
        **_difference(paired),
        **_estimate("failed_as_zero", cell.failed_as_zero, full=False),
        **_estimate("survived", cell.survived, full=False),
        **_shared(cell),
        "planned_turns": cell.planned_turns,
        "gap_turns": cell.gap_turns,
        "gaps": "; ".join(f"{reason}: {count}" for reason, count in cell.gaps.items()),
        "truncated_turns": cell.truncated_turns,
        "measurable": cell.is_measurable,
        "simulated": cell.simulated,
        **{name: cell.evidence.get(name) for name in EVIDENCE},
        "missing": "",
        "marks": marks.in_words(marks.of_cell(cell)),
    }


def _shared(one: ScoreCell | Average) -> dict[str, object]:
    """Both means over the turns that method and baseline have a score for."""
    return {
        **_estimate("shared", one.shared, full=False),
        "shared_baseline": one.baseline_shared.value,
    }


def _trend(trend: Trend) -> dict[str, object]:
    return {
        **_estimate("first_turn", trend.first, full=False),
        **_estimate("later_turns", trend.later, full=False),
        **_estimate("later_minus_first", trend.change.estimate, full=False),
        "later_minus_first_p": trend.change.p,
        **_estimate("slope_per_turn", trend.slope, full=False),
    }


def _average(average: Average) -> dict[str, object]:
    return {
        "kind": "average",
        "task": average.name,
        "part": "",
        "title": average.name,
        **_estimate("strict", average.strict),
        **_estimate("official", average.official, full=False),
        "strict_raw": average.raw,
        **_difference(average.difference),
        **_shared(average),
        "planned_turns": average.planned_turns,
        "gap_turns": average.planned_turns - average.strict.n,
        "missing": "; ".join(f"{task}: {why}" for task, why in average.missing.items()),
        "marks": marks.in_words(marks.of_average(average)),
    }
