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
from scbench.report.markdown import markdown
from scbench.stats import summarise
from scbench.tasks import names
from scbench.types import Mode

MODEL = "lab-transformer"
SHARES = ("1/2", "1/4", "1/8")
READING = ("a-shape", "tri-shape", "minference", "xattention", "flexprefill", "infllm", "llmlingua-2")
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
CODECS = (*(f"{name}[bits={bits}]" for name in ("kivi", "rtn", "turboquant") for bits in (8, 4, 2)), "fp8")
WHOLE = ("prefix", "cacheblend", "tier")
REPORT = Path(__file__).parents[1] / "docs" / "results" / "lab-grid.md"


def grid() -> tuple[str, ...]:
    """`dense`, three budgets of all that has one, three widths of the codecs, and what has neither."""
    budgets = tuple(f"{name}[tau={share}]" for name in (*READING, *DROPPING, *LOADING) for share in SHARES)
    return ("dense", *budgets, *CODECS, *WHOLE)


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--length", type=int, default=512, help="tokens of context")
    words.add_argument("--sessions", type=int, default=6)
    words.add_argument("--turns", type=int, default=3)
    words.add_argument("--out", type=Path, default=Path("runs/lab-grid"))
    given = words.parse_args()
    tasks = [name for name in names() if any(solves(MODEL, name, given.length, str(mode)) for mode in Mode)]
    if not tasks:
        raise SystemExit(f"{MODEL} solves no task at {given.length} tokens by its card; take another --length")
    result = scbench.run(
        model=MODEL,
        tasks=tasks,
        methods=grid(),
        length=str(given.length),
        sessions=given.sessions,
        turns=given.turns,
        cost_sessions=1,
        cost_repeats=1,
        out=given.out,
    )
    summary = summarise(result.records(), result.costs(), stages=scbench.api.stages_of(result.records()), solves=solves)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    head = (
        f"<!-- written by benchmarks/lab_grid.py on {datetime.now(UTC).date()}: --length {given.length} --sessions {given.sessions} "
        f"--turns {given.turns}, on 2 CPU cores -->\n\n"
    )
    REPORT.write_text(
        head + markdown(summary).replace("# scbench report", f"# {MODEL}, every method at three budgets", 1), encoding="utf-8"
    )
    print(REPORT)


if __name__ == "__main__":
    main()
