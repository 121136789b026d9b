"""The golden run by hand.

PYTHONPATH=src:tests python -m golden                     # what moved since it was recorded
PYTHONPATH=src:tests python -m golden --write             # record it anew, with a reason
... --only held:lab-transformer --methods 'h2o[tau=1/4]'  # a part, some methods, some tasks
"""

from __future__ import annotations

import argparse
import re
import sys
import time

from golden.compare import told
from golden.record import NAMES, check, record


def several(text: str) -> list[str]:
    return [part for part in re.split(r",(?![^\[]*\])", text) if part]


def main() -> int:
    words = argparse.ArgumentParser(prog="python -m golden", description=__doc__)
    words.add_argument("--write", action="store_true")
    words.add_argument("--only", default="", help="parts, joined by commas")
    words.add_argument("--methods", default="")
    words.add_argument("--tasks", default="")
    given = words.parse_args()
    moves = []
    for name in several(given.only) or NAMES:
        began = time.monotonic()
        if given.write:
            rows, ties, loose = record(name)
            print(f"{name}: {rows} rows, {ties} near ties, {loose} loose numbers", end="")
        else:
            found = check(name, methods=several(given.methods), tasks=several(given.tasks))
            moves += found
            print(f"{name}: {len(found)} moved", end="")
        print(f" ({time.monotonic() - began:.1f} s)", flush=True)
    if moves:
        print(told(moves))
    return int(bool(moves))


if __name__ == "__main__":
    sys.exit(main())
