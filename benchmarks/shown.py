"""What the scripts beside this one write of a played grid: table, CSV and two figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import altair
import polars as pl
import vl_convert

from scbench.stats import OVERALL, Average, Summary
from scbench.types import Mode

TALK, REQUEST = str(Mode.MULTI_TURN), str(Mode.MULTI_REQUEST)
HOLDING = ("KV dropping", "quantization", "reference", "dense")
COLUMNS = (
    "multi-turn",
    "verdict",
    "first turn",
    "later",
    "multi-request",
    "verdict",
    "top-1",
    "KL",
    "held",
    "loaded",
)


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting of a run (a model at a length), to be written down."""

    summary: Summary
    setting: Any

    @property
    def names(self) -> list[str]:
        return [info.name for info in self.summary.methods_in(self.setting)]

    def rows(self) -> list[dict[str, Any]]:
        """A row a method, best first: scores free of chance by mode and turn, agreement, bytes."""
        found = []
        for info in self.summary.methods_in(self.setting):
            share = self.summary.share(self.setting, info.name)
            row: dict[str, Any] = {"method": info.name, "category": info.category}
            for mode in (TALK, REQUEST):
                average = self.summary.average(self.setting, mode, info.name, OVERALL)
                row[mode] = average.strict.value if average else None
                row[f"{mode} verdict"] = verdict(average)
            row |= self.turns(info.name) | self.agreed(info.name)
            row["held"] = share.ratio if share else None
            row["loaded"] = share.loaded if share and share.loaded else self.loaded(info.name)
            found.append(row)
        score = REQUEST if any(row[REQUEST] is not None for row in found) else TALK
        return sorted(found, key=lambda row: (row["method"] != "dense", -(row[score] or 0.0)))

    def mine(self, method: str) -> pl.DataFrame:
        return self.summary.turns.filter(
            (pl.col("method") == method)
            & (pl.col("length_tokens") == self.setting.length_tokens)
            & (pl.col("model") == self.setting.model)
        )

    def turns(self, method: str) -> dict[str, float | None]:
        """Plain mean of a conversation's first turns and of its later ones, over all its tasks."""
        talk = self.mine(method).filter(pl.col("mode") == TALK)
        first, later = (
            mean_of(talk.filter(choose), "strict")
            for choose in (pl.col("turn") == 0, pl.col("turn") > 0)
        )
        return {"first turn": first, "later turns": later}

    def agreed(self, method: str) -> dict[str, float | None]:
        """Along the gold answers, both modes: how often the likeliest token is dense's, and KL."""
        mine = self.mine(method)
        return {"top-1": mean_of(mine, "gold_top1"), "kl": mean_of(mine, "gold_kl")}

    def loaded(self, method: str) -> float | None:
        """Bytes of a decode step beside dense's, both modes, where no cost pass measured it."""
        mine, dense = (mean_of(self.mine(name), "loaded_bytes") for name in (method, "dense"))
        return None if mine is None or not dense else mine / dense

    def table(self, made_by: str, refused: Sequence[str] = ()) -> str:
        """The rows as Markdown, with the command behind them."""
        cells = [one for one in self.summary.cells if one.setting == self.setting]
        counts = sorted({cell.strict.sessions for cell in cells})
        sessions = " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))
        tasks = ", ".join(dict.fromkeys(cell.task for cell in cells))
        lines = [
            f"<!-- written by {made_by} on {datetime.now(UTC).date()}, on 2 CPU cores -->",
            f"`{self.setting.model}`, {self.setting.length_tokens:,} tokens, {sessions} sessions a "
            f"task of {tasks}; scores are free of chance, in points, bytes in % of dense's; top-1 "
            "and KL (nats) compare with dense along the gold answers.",
            "",
            f"| method | {' | '.join(COLUMNS)} |",
            "|---|---:|---|---:|---:|---:|---|---:|---:|---:|---:|",
        ]
        for row in self.rows():
            entries = [
                row["method"],
                points(row[TALK]),
                row[f"{TALK} verdict"],
                points(row["first turn"]),
                points(row["later turns"]),
                points(row[REQUEST]),
                row[f"{REQUEST} verdict"],
                points(row["top-1"]),
                "" if row["kl"] is None else f"{row['kl']:.3f}",
                points(row["held"]),
                points(row["loaded"]),
            ]
            lines.append(f"| {' | '.join(entries)} |")
        return "\n".join([*lines, "", *(f"- not played: {why}" for why in refused)]) + "\n"

    def csv(self) -> str:
        return pl.DataFrame(self.rows(), infer_schema_length=None).write_csv()

    def by_turn(self, path: Path, methods: Sequence[str], tasks: Sequence[str] = ()) -> None:
        """Multi-turn score turn by turn, a line a method, over all tasks or these."""
        rows = [
            {"method": name, "turn": turn + 1, "score": 100 * score}
            for name in methods
            for turn, score in self.mine(name)
            .filter((pl.col("mode") == TALK) & (pl.col("task").is_in(tasks or self.summary.tasks)))
            .group_by("turn", "task")
            .agg(pl.col("strict").mean())
            .group_by("turn")
            .agg(pl.col("strict").mean())
            .sort("turn")
            .iter_rows()
        ]
        last = max(row["turn"] for row in rows)
        ends = apart([row for row in rows if row["turn"] == last], x="turn", near=0.5, gap=5.0)
        x = altair.X("turn:O", title="turn of the conversation", axis=altair.Axis(labelAngle=0))
        color = altair.Color("method:N", title=None, legend=None)
        y = altair.Y("score:Q", title="score", scale=altair.Scale(domain=[0, 100]))
        lines = altair.Chart(altair.Data(values=rows)).mark_line(point=True)
        labels = altair.Chart(altair.Data(values=ends)).mark_text(align="left", dx=9, fontSize=11)
        chart = lines.encode(x=x, y=y, color=color) + labels.encode(
            x=x, y="label:Q", color=color, text="method:N"
        )
        _save(chart.properties(width=520, height=340), path)

    def by_bytes(self, path: Path, mode: str, value: str = "") -> None:
        """Quality against bytes held (loading: loaded a step); `value` is a column of `rows`."""
        column = value or mode
        rows = [
            {
                "method": row["method"].partition("[")[0],
                "bytes": 100 * row["loaded" if row["category"] == "KV loading" else "held"],
                "score": 100 * row[column],
                "category": row["category"],
            }
            for row in self.rows()
            if row["category"] in (*HOLDING, "KV loading")
            and None not in (row["held"], row["loaded"], row[column])
        ]
        what = "top-1 agreement with dense" if value else f"score free of chance, {mode}"
        base = altair.Chart(altair.Data(values=rows)).encode(
            x=altair.X("bytes:Q", title="bytes held (loading: loaded per step), % of dense's"),
            y=altair.Y("score:Q", title=what),
            color=altair.Color("category:N", title=None),
            detail="method:N",
        )
        named = altair.Chart(altair.Data(values=apart(rows, x="bytes", near=12.0, gap=3.0)))
        label = named.mark_text(align="left", dx=6, fontSize=10).encode(
            x="bytes:Q", y="label:Q", color="category:N", text="method:N"
        )
        marks = base.mark_line(opacity=0.3) + base.mark_point(filled=True) + label
        _save(marks.properties(width=720, height=460), path)


def apart(
    rows: Sequence[dict[str, Any]], *, x: str, near: float, gap: float
) -> list[dict[str, Any]]:
    """The rows with `label`, a height for their names: their own score, or as far from it as keeps
    names within `near` of each other `gap` apart.

    >>> same = [{"x": 1, "score": 50.0}, {"x": 1, "score": 50.0}]
    >>> [row["label"] for row in apart(same, x="x", near=1, gap=4.0)]
    [50.0, 46.0]
    """
    placed: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda row: -row["score"]):
        taken = [one["label"] for one in placed if abs(one[x] - row[x]) <= near]
        steps = (sign * gap * step / 2 for step in range(2 * len(rows) + 1) for sign in (-1, 1))
        label = next(
            row["score"] + step
            for step in steps
            if all(abs(row["score"] + step - other) >= gap for other in taken)
            and 0.0 <= row["score"] + step <= 100.0
        )
        placed.append({**row, "label": label})
    return placed


def mean_of(rows: pl.DataFrame, column: str) -> float | None:
    """The mean over tasks of the mean of each."""
    means = rows.group_by("task").agg(pl.col(column).mean())
    found = means[column].mean()
    return float(found) if isinstance(found, float) else None


def verdict(average: Average | None) -> str:
    judged = average.difference.judged if average and average.difference else None
    return judged.text if judged else ""


def points(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def _save(chart: Any, path: Path) -> None:
    path.write_text(vl_convert.vegalite_to_svg(chart.to_json()), encoding="utf-8")
