"""Attacks on a run folder, by hand.

scripts/fuzz                          # all three, whole: 3,000 bits, 60 kills, every disk call
scripts/fuzz bits --flips 100000      # one of them, larger
scripts/fuzz kill --kills 500 --seed 7
scripts/fuzz --short                  # what scripts/test runs of them
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
from pathlib import Path

from fuzz import bits, disk, kill
from fuzz.tally import table

ATTACKS = ("kill", "disk", "bits")  # bits plays in this process, so it comes after all forks


def main() -> int:
    words = argparse.ArgumentParser(
        prog="scripts/fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    words.add_argument("attacks", nargs="*", help="kill, disk, bits; default: all three")
    words.add_argument("--seed", type=int, default=None, help="default: a random one, printed")
    words.add_argument("--flips", type=int, default=None, help="bits to flip; default 3000")
    words.add_argument("--kills", type=int, default=None, help="kills; default 60")
    words.add_argument("--share", type=float, default=None, help="of the disk calls; default 1")
    words.add_argument("--short", action="store_true", help="some seconds in all")
    given = words.parse_args()
    if stray := set(given.attacks) - set(ATTACKS):
        words.error(
            f"there is no attack {', '.join(sorted(stray))}; there are {', '.join(ATTACKS)}"
        )
    seed = secrets.randbelow(1 << 31) if given.seed is None else given.seed
    flips = given.flips or (160 if given.short else 3000)
    kills = given.kills or (2 if given.short else 60)
    share = given.share or (0.01 if given.short else 1.0)
    sessions = 2 if given.short else 6
    print(f"seed {seed}", flush=True)
    tallies = []
    for name in [name for name in ATTACKS if not given.attacks or name in given.attacks]:
        with tempfile.TemporaryDirectory(prefix="scbench-fuzz-") as room:
            if name == "bits":
                tally = bits.attack(bits.make(Path(room)), flips=flips, seed=seed)
            elif name == "kill":
                tally = kill.attack(Path(room), kills=kills, seed=seed, sessions=sessions)
            else:
                tally = disk.attack(Path(room), seed=seed, share=share)
        tallies.append(tally)
        print(table([tally]), flush=True)
    failures = sum(len(tally.failures) for tally in tallies)
    print(f"seed {seed}: {failures:,} failures")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
