"""`scbench run`: a grid, its page, and the one table that sums up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from scbench.commands.shown import show
from scbench.console import say, tell
from scbench.system import command_line


def run(words: dict[str, Any]) -> None:
    """Run a grid of tasks, modes and methods on one model or several, and write its page.

    With no arguments: ten methods at a quarter of the budget on two small models that come along,
    in about five minutes; --preset all plays everything. Kill it at any time; the same command goes
    on.
    """
    from scbench import api

    is_full = bool(words.pop("full", False))
    given = sorted(set(words) - {"quiet"})
    statuses = [_run(one, given=given, is_full=is_full) for one in api.embedded(words)]
    if any(statuses):
        raise typer.Exit(max(statuses))


def _run(words: dict[str, Any], *, given: list[str], is_full: bool) -> int:
    """One run from words to the end of its output; the status that it ends with."""
    from scbench import api

    try:
        result = api.run(given=given, **words)
    except KeyboardInterrupt:  # before the first turn, or a second time while the run was closed
        tell("all that was answered is kept; the same command goes on", label="stopped")
        raise typer.Exit(130) from None
    outcome = result.outcome
    assert outcome is not None
    if outcome.outcome == "interrupted":
        _tell_stopped(result.folder, outcome)
        raise typer.Exit(130)
    show(result, outcome, is_full=is_full)
    for line in outcome.superseded:
        tell(line, label="changed")
    if outcome.rescored_turns:
        tell(
            f"{outcome.rescored_turns:,} kept answers, by rules that changed", label="scored again"
        )
    for line in outcome.does_not_apply if is_full else ():
        tell(line, label="does not apply", style="dim")
    for gap in outcome.gaps if is_full else ():
        tell(gap, label="gap")
    if is_full and outcome.turns_answered + outcome.turns_failed:
        say(f"page: {result.folder / 'index.html'}")  # last, where people look
    if outcome.is_mostly_gaps:
        _tell_gaps(result.folder, outcome)
    return 1 if outcome.is_mostly_gaps or not outcome.turns_answered else 0


def _tell_gaps(folder: Path, outcome: Any) -> None:
    """One line, after all others, since it is why the command ends with 1."""
    tell(
        f"{outcome.turns_missing:,} of {outcome.turns_planned:,} planned turns have no answer; "
        f"what was written stays in {folder}, report.md there says why under Gaps, and "
        "--retry-failed plays them again",
        label="mostly gaps",
        style="red",
    )


def _tell_stopped(folder: Path, outcome: Any) -> None:
    """Three lines: what is kept, how to see it, how to go on."""
    from scbench.grid.settings_file import NAME

    failed = f" and {outcome.turns_failed:,} failed" if outcome.turns_failed else ""
    tell(
        f"{outcome.turns_answered:,} turns answered{failed}, all kept in {folder}", label="stopped"
    )
    tell(
        command_line(["scbench", "report", str(folder)]), label="tables and page of it", style="dim"
    )
    tell(
        command_line(["scbench", "run", "--config", str(folder / NAME), "--out", str(folder)]),
        label="to go on",
        style="dim",
    )
