"""How often somebody who reads a session's text and question alone finds another answer than the
gold: `PYTHONPATH=src:tests python benchmarks/gold.py --sessions 200`.

The readers stand in `tests/readers` and know nothing of how sessions are made. A row is a task, a
column a length of the context in bytes; a cell is turns that disagree, of all turns. Each
disagreement is listed below the table.
"""

from __future__ import annotations

import argparse

from readers.table import LENGTHS, TASKS, Disagreement, disagreements, sessions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=20, help="of each task and length")
    parser.add_argument("--tasks", nargs="*", default=TASKS)
    parser.add_argument("--lengths", nargs="*", type=int, default=LENGTHS, help="in bytes")
    given = parser.parse_args()
    print("| task | " + " | ".join(f"{length:,}" for length in given.lengths) + " | in all |")
    print("|---" * (len(given.lengths) + 2) + "|")
    every = list[tuple[str, Disagreement]]()
    for name in given.tasks:
        cells, turns, bad = list[str](), 0, 0
        for length in given.lengths:
            asked, found = disagreements(sessions(name, target=length, count=given.sessions))
            cells.append(f"{len(found)} of {asked:,}")
            turns, bad = turns + asked, bad + len(found)
            every += [(f"{name}, {length:,}", one) for one in found]
        print(f"| {name} | " + " | ".join(cells) + f" | {100 * bad / turns:.2f} % |", flush=True)
    for where, one in every:
        ask = " ".join(one.ask.split())[:80]
        print(f"{where}, seed {one.seed}: {ask!r}: gold {one.gold[:60]!r}, read {one.read!r:.60}")


if __name__ == "__main__":
    main()
