"""`scbench score`: answers that were made anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from scbench.console import out, plain, say, tell
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
            "my_task.py:TASK,my.jsonl or a package's name; default: the paper's alone",
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

    - mode: multi-turn, multi-request; turn_idx, if known: the turn's number, from 0

    - prediction: the answer as the model gave it, thoughts and all; null for a turn that failed

    - gold: a text, a number, or a list of accepted ones; an empty one is a gap under both rules

    - question: what was asked; what stands in it is no answer

    - generated: true for turns that scbench made, whose strict rules know more than published ones

    These decide by which strict rule a line is scored:

    - numeric (qa_eng, qa_chn; generated): true where the answer is a number

    - vocabulary (qa_eng, qa_chn; generated): all names that an answer may be; without it and
      numeric, F1 over words

    - options (choice_eng, many_shot): their texts, in the order of the letters

    - asked_key, shape (kv): the key asked for, which is no answer; uuid or digits

    - name, lang, repo, candidates (repoqa): the function asked for, its language and repository,
      and the sources of all functions by name

    - facts, rival_facts, rival_golds (summary; generated): the values of the asked report, those
      of others, and their summaries

    For data of `scbench make-data` all of these stand in <config>.evidence.jsonl beside the rows,
    under each turn's "wanted" ("golds" there is "gold" here).

    A line that is not understood is a gap under both rules, which names line and field.
    """
    from scbench import scoring
    from scbench.files import write_atomically
    from scbench.scoring.fields import notes

    _check(file)
    if tasks is not None:
        from scbench.grid.task_places import written_tasks
        from scbench.grid.words import several

        written_tasks(several(tasks))  # loaded, they bring their cards and scorers along
    lines = scoring.score_file(file)
    target = to or file.with_suffix(".scored.jsonl")
    write_atomically(target, b"".join(map(scoring.written, lines)))
    out.print(_table(lines))
    for told in _not_understood(lines):
        say(told)
    for note in notes(lines):
        tell(note, label="note")
    say(f"written: {target}")


def _check(file: Path) -> None:
    if not file.is_file():
        raise Unknown(
            f"there is no file {str(file)!r}; give a file of JSON lines (see `scbench score "
            f"--help`)"
        )


def _table(lines: list[dict[str, Any]]) -> Table:
    from scbench import scoring

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
    return table


def _not_understood(lines: list[dict[str, Any]]) -> Iterator[str]:
    """How many lines were not, and why the first was not."""
    from scbench.scoring.lines import NOT_UNDERSTOOD

    odd = [why for line in lines if (why := _gap(line)).startswith(NOT_UNDERSTOOD)]
    if odd:
        yield f"{len(odd):,} of {len(lines):,} lines were {odd[0]}"


def _gap(line: dict[str, Any]) -> str:
    return str(line.get("why", {}).get("strict", ""))
