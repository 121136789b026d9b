"""Which cells of a model can tell methods apart: what is lost there by methods that must lose.

For each task and mode: dense, and one control a stage that keeps far too little. A cell counts for
a stage where its control loses at least 20 points; where dense itself is near chance nothing can
be told. The default run's tasks were chosen by this table (docs/defaults.md).

    PYTHONPATH=src python benchmarks/headroom.py --model lab-transformer --length 256 --sessions 8
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import scbench
from scbench.stats import summarise

LEAST_POINTS = 20.0
CONTROLS = {  # stage -> a method that must lose
    "generation": "a-shape[init_tokens=1,local_tokens=3]",
    "compression": "streaming-llm[tau=1/8]",
    "codec": "rtn[bits=2]",
    "loading": "quest[page_tokens=8,read_tokens=24]",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="lab-transformer")
    parser.add_argument("--length", default="256")
    parser.add_argument("--sessions", type=int, default=8)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--out", type=Path, default=None)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = scbench.run(
            model=words.model,
            tasks="all",
            length=words.length,
            sessions=words.sessions,
            turns=words.turns,
            methods=["dense", *CONTROLS.values()],
            cost_sessions=0,
            out=words.out or Path(folder) / "run",
        )
        rows = table(result)
    print("| task | mode | dense | " + " | ".join(CONTROLS) + " |")
    print("|---|---|---|" + "---|" * len(CONTROLS))
    for row in rows:
        losses = " | ".join(shown(row[stage]) for stage in CONTROLS)
        print(f"| {row['task']} | {row['mode']} | {row['dense']:.0f} | {losses} |")
    print(json.dumps(rows))


def table(result: scbench.Result) -> list[dict[str, object]]:
    """A row per task and mode: dense's score and what each control loses, in points."""
    found = summarise(result.records())
    (setting,) = found.settings
    rows: list[dict[str, object]] = []
    for task in found.tasks:
        for mode in found.modes:
            dense = found.cell(setting, mode, "dense", task)
            if dense is None or dense.strict.value is None:
                continue
            row: dict[str, object] = {"task": task, "mode": mode, "dense": 100 * dense.strict.value}
            for stage, control in CONTROLS.items():
                cell = found.cell(setting, mode, control, task)
                known = cell is not None and cell.strict.value is not None
                row[stage] = 100 * (dense.strict.value - cell.strict.value) if known else None
            rows.append(row)
    return rows


def shown(points: object) -> str:
    """Points lost, in bold where the cell can tell."""
    if not isinstance(points, float):
        return "-"
    return f"**{points:.0f}**" if points >= LEAST_POINTS else f"{points:.0f}"


if __name__ == "__main__":
    main()
