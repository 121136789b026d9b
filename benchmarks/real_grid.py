"""A real language model, methods of every category at two budgets: tables and figures in
docs/results/real-model.

    python benchmarks/real_grid.py --length 1024 --sessions 4      # from the root of the tree
    python benchmarks/real_grid.py --length 1024 --write-only      # of what --out holds so far

Qwen2.5-Coder-0.5B-Instruct (`scbench get-model qwen2.5-coder-0.5b`), on the tasks that it solves
under dense. The run can be killed; the same command goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import scbench
from scbench import api
from shown import REQUEST, Shown

MODEL = "qwen2.5-coder-0.5b"
HERE = Path(__file__).parent
NEEDLES = tuple(f"benchmarks/needles.py:{name}" for name in ("DIGITS", "WORDS", "CODES"))
TASKS = ("kv", *NEEDLES)  # dense scores 80 or more on these (docs/results/real-model.md)
METHODS = (
    "dense",
    "closed-book",
    "oracle[tau=1/4|1/8]",
    "snapkv[tau=1/4|1/8]",
    "pyramidkv[tau=1/4]",
    "h2o[tau=1/4]",
    "streaming-llm[tau=1/4|1/8]",
    "kvzip[tau=1/4|1/8]",
    "kivi[bits=4|2]",
    "rtn[bits=2]",
    "exact-topk[tau=1/4|1/8]",
    "quest[tau=1/4|1/8]",
    "retroinfer[tau=1/4]",
    "a-shape[tau=1/4]",
    "a-shape[init_tokens=1,local_tokens=3]",  # the control that must lose by reading
    "minference[tau=1/4]",
    "llmlingua-2[tau=1/4]",
    "cacheblend",
)
TURN_BY_TURN = (
    "dense",
    "oracle[tau=1/4]",
    "kvzip[tau=1/4]",
    "snapkv[tau=1/4]",
    "h2o[tau=1/4]",
    "streaming-llm[tau=1/4]",
    "kivi",
    "quest[tau=1/4]",
)
FOLDER = HERE.parent / "docs" / "results" / "real-model"


def main() -> None:
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("--length", type=int, default=1024, help="tokens of context")
    words.add_argument("--sessions", type=int, default=4)
    words.add_argument("--turns", type=int, default=4)
    words.add_argument("--tasks", default=",".join(TASKS), help="those that dense solves")
    words.add_argument("--cost-sessions", type=int, default=0)
    words.add_argument(
        "--write-only", action="store_true", help="tables of what --out holds so far; plays nothing"
    )
    words.add_argument("--out", type=Path, default=None)
    given = words.parse_args()
    name = f"{given.length // 1024}k"
    folder = given.out or Path("runs") / f"real-{name}"
    if given.write_only:
        result = api.open_run(folder)
    else:
        result = scbench.run(
            model=MODEL,
            tasks=given.tasks,
            methods=",".join(METHODS),
            length=str(given.length),
            sessions=given.sessions,
            turns=given.turns,
            cost_sessions=given.cost_sessions,
            cost_repeats=1,
            out=folder,
        )
    summary = result.summary()
    (setting,) = summary.settings
    shown = Shown(summary, setting)
    FOLDER.mkdir(parents=True, exist_ok=True)
    table = shown.table("benchmarks/real_grid.py")
    (FOLDER / f"table-{name}.md").write_text(table, encoding="utf-8")
    (FOLDER / f"table-{name}.csv").write_text(shown.csv(), encoding="utf-8")
    known = [one for one in TURN_BY_TURN if one in shown.names]
    shown.by_turn(FOLDER / f"turns-{name}.svg", known, tasks=("kv",))
    shown.by_bytes(FOLDER / f"bytes-{name}.svg", REQUEST)
    print(FOLDER)


if __name__ == "__main__":
    main()
