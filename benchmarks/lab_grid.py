"""Every method at three budgets on the lab transformer: table, CSV and figure in docs/results.

`python benchmarks/lab_grid.py`. The tasks are those that can tell (docs/defaults.md). The run
can be killed; the same command goes on. The page and the tables for papers are in the run's folder.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import scbench
from scbench import api
from scbench.defaults import LAB
from scbench.engines.lab_models import solves
from scbench.engines.load import shape_of_model
from scbench.errors import Mismatch
from scbench.grid import pairing
from scbench.methods import parse
from scbench.types import Mode
from shown import REQUEST, Shown

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
    "oracle",
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
TURN_BY_TURN = (
    "dense",
    "oracle[tau=1/4]",
    "kvzip[tau=1/4]",
    "snapkv[tau=1/4]",
    "streaming-llm[tau=1/4]",
    "kivi",
    "quest[tau=1/4]",
)


def grid() -> tuple[str, ...]:
    """`dense`, three budgets of all that has one, three widths of the codecs, and what has
    neither.
    """
    budgets = tuple(
        f"{name}[tau={share}]" for name in (*READING, *DROPPING, *LOADING) for share in SHARES
    )
    return ("dense", *budgets, *CODECS, *WHOLE)


def possible(model: str, methods: Sequence[str], length_tokens: int) -> tuple[list[str], list[str]]:
    """The spellings that a model can take at this length, and why it cannot take the others."""
    shapes = {model: shape_of_model(model)}
    taken, refused = list[str](), list[str]()
    for spelled in methods:
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
    methods, refused = possible(MODEL, grid(), given.length)
    if given.write_only:
        result = api.open_run(given.out)
    else:
        result = played(given, tasks, methods)
    summary = result.summary()
    (setting,) = summary.settings
    shown = Shown(summary, setting)
    FOLDER.mkdir(parents=True, exist_ok=True)
    made_by = "benchmarks/lab_grid.py"
    (FOLDER / "table.md").write_text(shown.table(made_by, refused), encoding="utf-8")
    (FOLDER / "table.csv").write_text(shown.csv(), encoding="utf-8")
    shown.by_bytes(FOLDER / "figure.svg", REQUEST)
    shown.by_turn(FOLDER / "turns.svg", TURN_BY_TURN)
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


if __name__ == "__main__":
    main()
