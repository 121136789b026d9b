"""What looking beside the answers costs: the same grid with and without, in turn, on one engine.

`--of gold`: the gold answers fed through every stream; `--of masses`: of dense, the attention that
the gold pays the evidence. Prints a table and one JSON line with the ratio of seconds. No cost
pass, no report.

    PYTHONPATH=src python benchmarks/agreement_cost.py --model lab-transformer --repeats 3
    PYTHONPATH=src python benchmarks/agreement_cost.py --of masses --methods dense
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from statistics import median
from unittest import mock

from scbench import api
from scbench.grid.runner import run
from scbench.play.turn_evidence import TurnEvidence

WHAT = {"gold": "gold answers", "masses": "attention paid to the evidence"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--of", choices=list(WHAT), default="gold")
    parser.add_argument("--model", default="lab-transformer")
    parser.add_argument("--methods", default=None)
    parser.add_argument("--tasks", default="kv,vt,repoqa,qa_eng")
    parser.add_argument("--length", default="256")
    parser.add_argument("--sessions", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--max-new-tokens", type=int, default=None)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--processor", action="store_true", help="seconds of processor, for a machine that is busy"
    )
    given = parser.parse_args()
    words = {
        "model": given.model,
        "tasks": given.tasks,
        **({"methods": given.methods} if given.methods else {}),
        "length": given.length,
        "sessions": given.sessions,
        "turns": given.turns,
        "cost_sessions": 0,
        "max_new_tokens": given.max_new_tokens,
    }
    engine = api.load(api.settle(words), given.model)
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for at in range(2 * (given.repeats + 1)):
        is_with = at % 2 == 0
        clock = time.process_time if given.processor else time.perf_counter
        start = clock()
        if is_with:
            played(engine, words)
        else:
            without(given.of, engine, words)
        took = clock() - start
        if at > 1:  # the first of each warms up
            seconds[is_with].append(took)
    with_s, without_s = median(seconds[True]), median(seconds[False])
    print(f"| {WHAT[given.of]} | seconds, median | all |")
    print("|---|---|---|")
    for is_with, name in ((True, "with"), (False, "without")):
        every = ", ".join(f"{one:.2f}" for one in seconds[is_with])
        print(f"| {name} | {median(seconds[is_with]):.2f} | {every} |")
    row = {"of": given.of, "model": given.model, "with_s": with_s, "without_s": without_s}
    print(json.dumps({**row, "ratio": with_s / without_s}))


def without(what: str, engine: object, words: dict[str, object]) -> None:
    """The same run, without what costs."""
    if what == "gold":
        played(engine, {**words, "agreement": False})
        return
    with mock.patch.object(TurnEvidence, "pay", return_value=None):
        played(engine, words)


def played(engine: object, words: dict[str, object]) -> None:
    """A whole run, journal included."""
    with tempfile.TemporaryDirectory() as folder:
        settings = api.settle({**words, "out": Path(folder) / "run"})
        run(settings, [engine], quiet=True)  # type: ignore[list-item]


if __name__ == "__main__":
    main()
