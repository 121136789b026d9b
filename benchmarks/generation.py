"""How fast are contexts made? Megabytes of context text per second on one core, for each task,
token counting aside.

    python benchmarks/generation.py [--megabytes 4] [--tasks kv,vt] [--least 2.0]

The counter is the length of the text in characters, so that nearly all the time is the generator's
own. The digest of the session is part of it; loading a task (for the code tasks: reading the
standard library) is not. Ends in one JSON line, and with status 1 where a task is below --least.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time

from scbench.tasks import names, task


class Characters:
    """Counts in no time."""

    name = "characters"

    def __call__(self, text: str) -> int:
        return len(text)


def megabytes_per_s(name: str, megabytes: float, repeats: int) -> tuple[float, float]:
    """The median rate over repeats of different seeds, and the size made (a source may be smaller
    than asked for), in MB.
    """
    wanted = int(megabytes * 1e6)
    made = task(name)
    made.make(seed="warm", target=20_000, turns=made.turns, count=Characters())
    rates: list[float] = []
    size = 0.0
    for i in range(repeats):
        start = time.process_time()
        session = made.make(seed=f"speed:{i}", target=wanted, turns=made.turns, count=Characters())
        seconds = time.process_time() - start
        size = len(session.context.encode()) / 1e6
        rates.append(size / seconds)
    return statistics.median(rates), size


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--megabytes",
        type=float,
        default=3.0,
        help="of context text in each session, in millions of characters",
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tasks", default=",".join(names()))
    parser.add_argument("--least", type=float, default=2.0, help="MB/s every task must reach")
    given = parser.parse_args()
    found: dict[str, float] = {}
    print(f"{'task':22} {'MB/s':>7} {'MB made':>8}")
    for name in given.tasks.split(","):
        rate, size = megabytes_per_s(name, given.megabytes, given.repeats)
        found[name] = round(rate, 2)
        print(
            f"{name:22} {rate:7.1f} {size:8.1f}{'' if rate >= given.least else '   below ' + format(given.least, '.1f')}",
            flush=True,
        )
    slow = [name for name, rate in found.items() if rate < given.least]
    told = {
        "benchmark": "generation",
        "megabytes": given.megabytes,
        "mb_per_s": found,
        "least_mb_per_s": given.least,
        "slow": slow,
    }
    print(json.dumps({**told, "python": platform.python_version(), "machine": platform.machine()}))
    return bool(slow)


if __name__ == "__main__":
    sys.exit(main())
