"""`scripts/mutants`: plays the planted faults, and writes who saw them to docs/results/mutants.md.

What was played is kept as JSON lines in the cache folder, so that a run that was killed goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from mutants.copies import TESTS, WITNESSES, Sighting, key
from mutants.mutant import Mutant
from mutants.planted import PLANTED

TABLE = TESTS.parent / "docs" / "results" / "mutants.md"


def main(words: list[str] | None = None) -> int:
    said = _parser().parse_args(words)
    chosen = [m for m in PLANTED if not said.only or any(part in m.name for part in said.only)]
    if not chosen:
        print(f"no planted fault has {', '.join(said.only)} in its name", file=sys.stderr)
        return 2
    witnesses = [said.by] if said.by else list(WITNESSES)
    for at, mutant in enumerate(chosen):
        for witness in witnesses:
            found = sighting(mutant, witness, said.journal)
            word = "seen" if found.is_seen else "NOT SEEN"
            print(
                f"{at + 1}/{len(chosen)} {mutant.name}: {word} by {witness} in "
                f"{found.seconds:.0f} s  {found.words[:160]}",
                flush=True,
            )
    rows = table(said.journal)
    print(rows.partition("\n|")[0].split("\n\n")[-1])
    if not said.only:
        TABLE.write_text(rows, encoding="utf-8")
        print(f"written to {TABLE.relative_to(TESTS.parent)}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/mutants", description=__doc__)
    parser.add_argument("--only", action="append", help="faults with this in their name")
    parser.add_argument("--by", choices=list(WITNESSES), help="one witness alone")
    cache = os.environ.get("SCBENCH_CACHE") or Path.home() / ".cache" / "scbench"
    parser.add_argument(
        "--journal", type=Path, default=Path(cache) / "mutants.jsonl", help="what was played"
    )
    return parser


def played(journal: Path) -> dict[str, Sighting]:
    """Sightings by key; a line that a kill has torn is played again."""
    found = {}
    for line in journal.read_text(encoding="utf-8").splitlines() if journal.is_file() else ():
        try:
            entry = json.loads(line)
            found[entry["key"]] = Sighting(entry["is_seen"], entry["words"], entry["seconds"])
        except (ValueError, KeyError):
            continue
    return found


def sighting(mutant: Mutant, witness: str, journal: Path) -> Sighting:
    """From the journal, or played now and added to it."""
    name = key(mutant, witness)
    known = played(journal).get(name)
    if known is not None:
        return known
    found = WITNESSES[witness](mutant)
    journal.parent.mkdir(parents=True, exist_ok=True)
    entry = {"key": name, "mutant": mutant.name, "witness": witness, "is_seen": found.is_seen}
    entry |= {"words": found.words, "seconds": round(found.seconds, 1)}
    with journal.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
    return found


def table(journal: Path) -> str:
    """The whole list as Markdown; what was not played under today's code is said to be open."""
    found = played(journal)
    rows, seen = [], dict.fromkeys(WITNESSES, 0)
    for mutant in PLANTED:
        cells = []
        for witness in WITNESSES:
            one = found.get(key(mutant, witness))
            seen[witness] += one is not None and one.is_seen
            cells.append("not played" if one is None else _cell(one, witness))
        rows.append(f"| {mutant.name} | `{mutant.method}` | {' | '.join(cells)} |")
    counts = ", ".join(f"{count} by {witness}" for witness, count in seen.items())
    return (
        "# Planted faults, and who sees them\n\n"
        "Each row is one line of a method made wrong (`tests/mutants/`), played by\n"
        "`scripts/mutants` in a copy of the package. *doctor*: the first law or promise that\n"
        "`scbench doctor` reports broken for the method; *tests*: the first of its own tests, or\n"
        "of the tests of the laws, that fails. A dash: it was not seen. Before there were\n"
        "promises, and laws of positions, budgets, siblings, pools and tiers, doctor saw\n"
        "19 of the same 115.\n\n"
        f"Of {len(PLANTED)} faults {counts}.\n\n"
        "| fault | method | doctor | tests |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def _cell(found: Sighting, witness: str) -> str:
    if not found.is_seen:
        return "–"
    words = found.words
    if witness == "doctor":
        words = words.partition(" (gqa): ")[0].partition(" (mqa): ")[0].partition(" (mha): ")[0]
    elif words.startswith(("FAILED", "ERROR")):
        words = words.partition("::")[2].partition(" - ")[0].partition("[")[0]
    return words.replace("|", "/")[:100]


if __name__ == "__main__":
    sys.exit(main())
