"""`scbench doctor`: the exam of a method or a task."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from scbench.console import out, plain, say

Examined = tuple[str, list[tuple[str, str, str, str]]]  # of what; law, model, verdict, why


def doctor(
    what: Annotated[
        str,
        typer.Argument(
            metavar="METHOD|TASK",
            help="a method: its spelling, path/to/file.py:ClassName, or an installed package's "
            "name; or a task: its name, path/to/file.py:TASK, or path/to/data.jsonl",
        ),
    ],
    verbose: Annotated[
        bool, typer.Option("--verbose", help="also show the laws that hold")
    ] = False,
) -> None:
    """Examine a method, every law on tiny random models with MHA, GQA and MQA; or a task, without
    a model. Says which law fails and how."""
    from scbench.grid.task_places import is_task

    head, rows = _examined_task(what) if is_task(what) else _examined_method(what)
    table = Table("law", "model", "verdict", "why")
    colour = {"holds": "green", "idle": "dim", "broken": "red"}
    for law, model, verdict, why in rows:
        if verbose or verdict != "holds":
            table.add_row(law, model, plain(verdict, colour[verdict]), plain(why))
    if table.row_count:
        out.print(table)
    counts = {word: sum(row[2] == word for row in rows) for word in colour}
    say(f"{head}: {counts['holds']} hold, {counts['broken']} broken, {counts['idle']} do not apply")
    if counts["broken"]:
        raise typer.Exit(1)


def _examined_method(spelling: str) -> Examined:
    from scbench.exam.doctor import doctor as examine

    method, findings = examine(spelling)
    return str(method), [(one.law, one.model, one.verdict, one.why) for one in findings]


def _examined_task(written: str) -> Examined:
    from scbench.exam.task_laws import examine_task
    from scbench.grid.task_places import task_at

    found = task_at(written)
    findings = examine_task(found)
    return found.written, [(one.law, "–", one.verdict, one.why) for one in findings]
