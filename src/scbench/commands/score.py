"""`scbench score`: answers that were made anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from scbench.console import out, plain, say
from scbench.errors import Unknown


def score(
    file: Annotated[
        Path,
        typer.Argument(
            help="JSON lines with task, prediction, gold, ...; or the published runner's "
            "prediction_*.jsonl"
        ),
    ],
    tasks: Annotated[
        str | None,
        typer.Option(
            help="tasks of your own that lines name, each scored by its own scorers: "
            "my_task.py:TASK,my.jsonl or a package's name; the paper's are known",
        ),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "--out", help="where to write the lines with scores; default: FILE with .scored.jsonl"
        ),
    ] = None,
) -> None:
    """Score answers made anywhere, by the strict and the published rules.

    A line is a JSON object.

    - task: kv or scbench_kv (scbench list tasks); of your own, with --tasks my_task.py:TASK, the
      name of its card

    - subtask: in the two Mix tasks alone, which of its two kinds of turn this is

    - mode: multi-turn, multi-request

    - prediction: the answer as the model gave it, thoughts and all; null for a turn that failed

    - gold: a text, a number, or a list of accepted ones

    - question, and options (choice_eng, many_shot) or name, lang, repo (repoqa)

    - where known: candidates, asked_key, shape, generated, vocabulary, numeric, facts, rival_facts

    A line that is not understood is a gap under both rules, which names line and field.
    """
    from scbench import scoring
    from scbench.files import write_atomically
    from scbench.scoring.lines import NOT_UNDERSTOOD

    if not file.is_file():
        raise Unknown(
            f"there is no file {str(file)!r}; give a file of JSON lines (see `scbench score "
            f"--help`)"
        )
    if tasks is not None:
        from scbench.grid.task_places import written_tasks
        from scbench.grid.words import several

        written_tasks(several(tasks))  # loaded, they bring their cards and scorers along
    lines = scoring.score_file(file)
    target = to or file.with_suffix(".scored.jsonl")
    write_atomically(target, b"".join(map(scoring.written, lines)))
    table = Table("task", "mode", "rule", "mean", "n", "gaps")
    for mean in scoring.means(lines):
        gaps = ", ".join(f"{count} {why}" for why, count in mean.gaps.items())
        table.add_row(
            plain(f"{mean.task}: {mean.subtask}" if mean.subtask else mean.task),
            plain(mean.mode),
            plain(mean.rule),
            "–" if mean.mean is None else f"{100 * mean.mean:.1f}",
            str(mean.n),
            plain(gaps),
        )
    out.print(table)
    odd = [
        line for line in lines if line.get("why", {}).get("strict", "").startswith(NOT_UNDERSTOOD)
    ]
    if odd:
        say(f"{len(odd):,} of {len(lines):,} lines were {odd[0]['why']['strict']}")
    say(f"written: {target}")
