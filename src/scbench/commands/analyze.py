"""`scbench analyze`: attention over the life of a cache, of a model or of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scbench.analysis_words import ANSWER_TOKENS, LENGTH, METHODS, SESSIONS, SHARES, TASKS, TURNS
from scbench.console import out, say


def analyze(
    what: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|RUN",
            help="a model as of `scbench run --model`, or the folder of a run, whose model, tasks, "
            "methods and seed are taken",
        ),
    ],
    tasks: Annotated[
        str | None,
        typer.Option("--tasks", help=f"joined by commas; default: {TASKS}, or the run's"),
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(
            "--methods",
            help="whose keys are held against exact top-k; default: the run's, or "
            + ",".join(METHODS).replace("[", "\\["),
        ),
    ] = None,
    length: Annotated[
        str | None,
        typer.Option("--length", help=f"context in tokens; default: {LENGTH}, or the run's least"),
    ] = None,
    turns: Annotated[
        int | None, typer.Option("--turns", help=f"of a session; default: {TURNS}, or the run's")
    ] = None,
    sessions: Annotated[
        int | None, typer.Option("--sessions", help=f"of each task; default: {SESSIONS}")
    ] = None,
    share: Annotated[
        str, typer.Option("--share", help="of the keys that count as most-attended, in commas")
    ] = SHARES,
    answer_tokens: Annotated[
        int,
        typer.Option(
            "--answer-tokens", help="of the long answer that keys are followed along; 0: none"
        ),
    ] = ANSWER_TOKENS,
    to: Annotated[
        Path | None, typer.Option("--out", help="folder to write; default: runs/analyze-...")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="of a run that has several; default: its first")
    ] = None,
    seed: Annotated[
        str | None, typer.Option("--seed", help="of the sessions; default: 0, or the run's")
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="auto, cpu, cuda; default: auto, or the run's")
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            "--dtype", help="auto, float32, bfloat16, float16; default: auto, or the run's"
        ),
    ] = None,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="run code that the model's folder brings")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="no progress")] = False,
) -> None:
    """Show how attention moves over turns and along an answer, how sparse it is, what methods keep.

    Dense plays multi-turn sessions; nothing is scored and no run is touched.
    """
    from scbench.analysis import analyze as looked_at
    from scbench.report.attention import terminal

    found = looked_at(
        what,
        shares=share,
        answer_tokens=answer_tokens,
        out=to,
        quiet=quiet,
        words={
            "model": model,
            "tasks": tasks,
            "methods": methods,
            "length": length,
            "turns": turns,
            "sessions": sessions,
            "seed": seed,
            "device": device,
            "dtype": dtype,
            "trust_remote_code": trust_remote_code or None,
        },
    )
    out.print(terminal(found.tables, found.facts))
    say(f"page: {found.folder / 'analysis.md'}")
