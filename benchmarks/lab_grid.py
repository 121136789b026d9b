"""Every method at three budgets on the lab transformer, as docs/results/lab-grid.md: `python benchmarks/lab_grid.py`.

Only tasks with a cell that passes the model's card are played. The run can be killed; the same command goes on. The page and the tables for papers
are in the run's folder.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

import scbench
from scbench.engines.lab_models import solves
from scbench.engines.load import shape_of_model
from scbench.errors import Mismatch
from scbench.methods import parse
from scbench.report.markdown import markdown
from scbench.run import pairing
from scbench.stats import summarise
from scbench.tasks import names
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
REPORT = Path(__file__).parents[1] / "docs" / "results" / "lab-grid.md"


def grid() -> tuple[str, ...]:
    """`dense`, three budgets of all that has one, three widths of the codecs, and what has neither."""
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
    words.add_argument("--turns", type=int, default=3)
    words.add_argument("--out", type=Path, default=Path("runs/lab-grid"))
    given = words.parse_args()
    tasks = [
        name
        for name in names()
        if any(solves(MODEL, name, given.length, str(mode)) for mode in Mode)
    ]
    if not tasks:
        raise SystemExit(
            f"{MODEL} solves no task at {given.length} tokens by its card; take another --length"
        )
    methods, refused = possible(given.length)
    result = scbench.run(
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
    summary = summarise(
        result.records(),
        [*result.costs(), *result.cost_gaps()],
        stages=scbench.api.stages_of(result.records()),
        solves=solves,
    )
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    head = (
        f"<!-- written by benchmarks/lab_grid.py on {datetime.now(UTC).date()}: --length {given.length} --sessions {given.sessions} "
        f"--turns {given.turns}, on 2 CPU cores -->\n\n"
    )
    gaps = "".join(f"- not played: {why}\n" for why in refused)
    text = markdown(summary).replace(
        "# scbench report\n", f"# {MODEL}, every method at three budgets\n\n{gaps}", 1
    )
    REPORT.write_text(head + text, encoding="utf-8")
    print(REPORT)


if __name__ == "__main__":
    main()
