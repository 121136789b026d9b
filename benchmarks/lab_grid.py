"""Every method at three budgets on the lab transformer: table, CSV and figure in docs/results.

`python benchmarks/lab_grid.py`. The tasks are those that can tell (docs/defaults.md). The run
can be killed; the same command goes on. The page and the tables for papers are in the run's folder.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import altair
import polars as pl
import vl_convert

import scbench
from scbench import api
from scbench.defaults import LAB
from scbench.engines.lab_models import solves
from scbench.engines.load import shape_of_model
from scbench.errors import Mismatch
from scbench.grid import pairing
from scbench.methods import parse
from scbench.stats import OVERALL, Average, Summary
from scbench.types import Mode

MODEL = "lab-transformer"
SHARES = ("1/2", "1/4", "1/8")
READING = (
    "a-shape",
    "tri-shape",
    "minference",
    "xattention",
    "flexprefill",
    "infllm",
    "llmlingua-2",
    "selective-context",
)
DROPPING = (
    "streaming-llm",
    "snapkv",
    "pyramidkv",
    "adakv",
    "h2o",
    "tova",
    "knorm",
    "keydiff",
    "expected-attention",
    "kvzip",
    "duo-attention",
)
LOADING = ("quest", "retrieval-attention", "retroinfer", "exact-topk")
CODECS = (
    *(f"{name}[bits={bits}]" for name in ("kivi", "rtn", "turboquant") for bits in (8, 4, 2)),
    "fp8",
)
WHOLE = ("prefix", "cacheblend", "tier")
FOLDER = Path(__file__).parents[1] / "docs" / "results" / "lab-grid"
TALK, REQUEST = str(Mode.MULTI_TURN), str(Mode.MULTI_REQUEST)


def grid() -> tuple[str, ...]:
    """`dense`, three budgets of all that has one, three widths of the codecs, and what has
    neither.
    """
    budgets = tuple(
        f"{name}[tau={share}]" for name in (*READING, *DROPPING, *LOADING) for share in SHARES
    )
    return ("dense", *budgets, *CODECS, *WHOLE)


def possible(length_tokens: int) -> tuple[list[str], list[str]]:
    """The spellings that the model can take at this length, and why it cannot take the others."""
    shapes = {MODEL: shape_of_model(MODEL)}
    taken, refused = list[str](), list[str]()
    for spelled in grid():
        try:
            pairing.check([parse(spelled)], shapes, (length_tokens,))
            taken.append(spelled)
        except Mismatch as error:
            refused.append(str(error))
    return taken, refused


def main() -> None:
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("--length", type=int, default=512, help="tokens of context")
    words.add_argument("--sessions", type=int, default=6)
    words.add_argument("--tasks", default=",".join(LAB["tasks"]), help="those that can tell")
    words.add_argument("--turns", type=int, default=3)
    words.add_argument(
        "--write-only", action="store_true", help="tables of what --out holds so far; plays nothing"
    )
    words.add_argument("--out", type=Path, default=Path("runs/lab-grid"))
    given = words.parse_args()
    tasks = [
        name
        for name in given.tasks.split(",")
        if any(solves(MODEL, name, given.length, str(mode)) for mode in Mode)
    ]
    if not tasks:
        raise SystemExit(
            f"{MODEL} solves no task at {given.length} tokens by its card; take another --length"
        )
    methods, refused = possible(given.length)
    if given.write_only:
        result = api.open_run(given.out)
    else:
        result = played(given, tasks, methods)
    summary = result.summary()
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "table.md").write_text(table(summary, given, refused), encoding="utf-8")
    (FOLDER / "table.csv").write_text(csv(summary), encoding="utf-8")
    figure(summary, FOLDER / "figure.svg")
    print(FOLDER)


def played(given: argparse.Namespace, tasks: list[str], methods: list[str]) -> scbench.Result:
    return scbench.run(
        model=MODEL,
        tasks=tasks,
        methods=methods,
        length=str(given.length),
        sessions=given.sessions,
        turns=given.turns,
        cost_sessions=1,
        cost_repeats=1,
        out=given.out,
    )


def rows(summary: Summary) -> list[dict[str, Any]]:
    """A row a method, best first: scores free of chance by mode and turn, agreement, bytes."""
    (setting,) = summary.settings
    found = []
    for info in summary.methods_in(setting):
        share = summary.share(setting, info.name)
        row: dict[str, Any] = {"method": info.name, "category": info.category}
        for mode in summary.modes_in(setting):
            average = summary.average(setting, mode, info.name, OVERALL)
            agreement = summary.agreement(setting, mode, info.name)
            row |= {
                mode: average.strict.value if average else None,
                f"{mode} verdict": verdict(average),
                f"{mode} kl": agreement.kl.value if agreement else None,
            }
        row |= turns(summary, info.name)
        row["held"] = share.ratio if share else None
        row["loaded"] = share.loaded if share else None
        found.append(row)
    return sorted(found, key=lambda row: (row["method"] != "dense", -(row[REQUEST] or 0.0)))


def verdict(average: Average | None) -> str:
    judged = average.difference.judged if average and average.difference else None
    return judged.text if judged else ""


def turns(summary: Summary, method: str) -> dict[str, float | None]:
    """Plain mean of a conversation's first turns and of its later ones, over all its tasks."""
    mine = summary.turns.filter((pl.col("method") == method) & (pl.col("mode") == TALK))
    first, later = (
        mine.filter(choose).group_by("task").agg(pl.col("strict").mean())["strict"].mean()
        for choose in (pl.col("turn") == 0, pl.col("turn") > 0)
    )
    return {"first turn": first, "later turns": later}


def table(summary: Summary, given: argparse.Namespace, refused: list[str]) -> str:
    """The rows as Markdown, with the command behind them."""
    tasks = ", ".join(summary.tasks)
    counts = sorted({cell.strict.sessions for cell in summary.cells})
    sessions = " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))
    lines = [
        f"<!-- written by benchmarks/lab_grid.py on {datetime.now(UTC).date()}, on 2 CPU cores -->",
        f"`{MODEL}`, {given.length} tokens, {sessions} sessions x {given.turns} turns of "
        f"{tasks}; score: Overall, free of chance, in points; bytes in % of dense's.",
        "",
        "| method | multi-turn | verdict | first turn | later | multi-request | verdict | KL "
        "| held | loaded |",
        "|---|---:|---|---:|---:|---:|---|---:|---:|---:|",
    ]
    for row in rows(summary):
        cells = [
            row["method"],
            points(row[TALK]),
            row[f"{TALK} verdict"],
            points(row["first turn"]),
            points(row["later turns"]),
            points(row[REQUEST]),
            row[f"{REQUEST} verdict"],
            "" if row[f"{REQUEST} kl"] is None else f"{row[f'{REQUEST} kl']:.3f}",
            points(row["held"]),
            points(row["loaded"]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", *(f"- not played: {why}" for why in refused)]
    return "\n".join(lines) + "\n"


def csv(summary: Summary) -> str:
    return pl.DataFrame(rows(summary)).write_csv()


def points(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def figure(summary: Summary, path: Path) -> None:
    """Score against bytes held (droppers, codecs) or loaded per step (loading), multi-request."""
    shown = [
        {
            "method": row["method"].partition("[")[0],
            "bytes": 100 * row["loaded" if row["category"] == "KV loading" else "held"],
            "score": 100 * row[REQUEST],
            "category": row["category"],
        }
        for row in rows(summary)
        if row["category"] in ("KV dropping", "quantization", "KV loading")
        and row["held"] is not None
        and row["loaded"] is not None
        and row[REQUEST] is not None
    ]
    base = altair.Chart(altair.Data(values=shown)).encode(
        x=altair.X("bytes:Q", title="bytes held (loading: loaded per step), % of dense's"),
        y=altair.Y("score:Q", title="score free of chance, multi-request"),
        color=altair.Color("category:N", title=None),
        detail="method:N",
    )
    label = base.mark_text(align="left", dx=6, fontSize=10).encode(text="method:N")
    chart = (base.mark_line(opacity=0.3) + base.mark_point(filled=True) + label).properties(
        width=720, height=460
    )
    path.write_text(vl_convert.vegalite_to_svg(chart.to_json()), encoding="utf-8")


if __name__ == "__main__":
    main()
