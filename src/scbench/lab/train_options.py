"""The options of `scbench lab train`, each a kind with its help; defaults stand at the command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

LEARNS, RUNS = "How it learns", "Where it runs"


def _of(panel: str | None, about: str, *flags: str) -> Any:
    return typer.Option(*flags, help=about, rich_help_panel=panel)


Arch = Annotated[
    str,
    _of(None, "transformer, mamba2 or hybrid; all see the same tokens in the same order"),
]
To = Annotated[Path, _of(None, "folder of the run; the same command resumes it", "--out")]
Data = Annotated[
    Path | None,
    _of(
        None,
        "folder with phase-0/shard-*.npz, ...; default: OUT/data, written first if it is not there",
    ),
]
Course = Annotated[
    int, _of(None, "data to write: 1 all tasks; 2 what is learned last (with --start)")
]
Start = Annotated[
    Path | None,
    _of(
        None,
        "folder of a model to go on from (OUT/model of an earlier run); default: drawn weights",
    ),
]
Size = Annotated[str, _of(None, "size of the model: base, tiny")]
Seed = Annotated[int, _of(None, "of the first weights and of the order of the rows")]
Steps = Annotated[int | None, _of(LEARNS, "default: to the end of the data")]
StepTokens = Annotated[int, _of(LEARNS, "tokens of one step, padding included")]
Rate = Annotated[float, _of(LEARNS, "rate of Muon (matrices inside blocks)")]
AdamRate = Annotated[float, _of(LEARNS, "rate of AdamW (everything else)")]
WeightDecay = Annotated[float, _of(LEARNS, "on matrices and embeddings")]
Warmup = Annotated[int, _of(LEARNS, "steps until the full rate", "--warmup")]
Decay = Annotated[str, _of(LEARNS, "of the rate, to a twentieth: cosine or linear")]
Schedule = Annotated[
    Path | None, _of(LEARNS, "JSON with doses per phase; default: the data's schedule.json")
]
Device = Annotated[str, _of(RUNS, "auto, cpu, cuda, cuda:N")]
Precision = Annotated[str, _of(RUNS, "of products: float32, bfloat16; auto is bfloat16 on a GPU")]
StopAfter = Annotated[
    int | None, _of(RUNS, "end this call after so many steps, with a checkpoint; default: never")
]
Threads = Annotated[int | None, _of(RUNS, "CPU threads; default: torch's own")]
CheckpointSeconds = Annotated[float, _of(RUNS, "seconds between checkpoints")]
Quiet = Annotated[bool, _of(RUNS, "no progress", "--quiet")]
