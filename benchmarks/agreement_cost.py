"""What feeding the gold answers costs: the same grid with and without, in turn, on one engine.

Prints a table and one JSON line with the ratio of seconds. No cost pass, no report.

    PYTHONPATH=src python benchmarks/agreement_cost.py --model lab-transformer --repeats 3
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from statistics import median

from scbench import api
from scbench.grid.runner import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="lab-transformer")
    parser.add_argument("--tasks", default="kv,vt,repoqa,qa_eng")
    parser.add_argument("--length", default="256")
    parser.add_argument("--sessions", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--max-new-tokens", type=int, default=None)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    words = {
        "model": given.model,
        "tasks": given.tasks,
        "length": given.length,
        "sessions": given.sessions,
        "turns": given.turns,
        "cost_sessions": 0,
        "max_new_tokens": given.max_new_tokens,
    }
    engine = api.load(api.settle(words), given.model)
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for at in range(2 * (given.repeats + 1)):
        fed = at % 2 == 0
        took = played(engine, {**words, "agreement": fed})
        if at > 1:  # the first of each warms up
            seconds[fed].append(took)
    with_s, without_s = median(seconds[True]), median(seconds[False])
    print("| gold answers | seconds, median | all |")
    print("|---|---|---|")
    for fed, name in ((True, "fed"), (False, "not fed")):
        every = ", ".join(f"{one:.2f}" for one in seconds[fed])
        print(f"| {name} | {median(seconds[fed]):.2f} | {every} |")
    row = {"model": given.model, "with_s": with_s, "without_s": without_s}
    print(json.dumps({**row, "ratio": with_s / without_s}))


def played(engine: object, words: dict[str, object]) -> float:
    """Seconds of a whole run, journal included."""
    with tempfile.TemporaryDirectory() as folder:
        settings = api.settle({**words, "out": Path(folder) / "run"})
        start = time.perf_counter()
        run(settings, [engine], quiet=True)  # type: ignore[list-item]
        return time.perf_counter() - start


if __name__ == "__main__":
    main()
