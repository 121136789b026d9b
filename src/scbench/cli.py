"""The command line: words to settings, settings to run, plan, list, report, score, make-data, doctor. Errors are printed without traceback."""

from __future__ import annotations

import inspect
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from scbench.console import out, plain, say, take_any_sign, tell
from scbench.errors import CannotWrite, ScbenchError
from scbench.options import OPTIONS

app = typer.Typer(
    name="scbench",
    help="Measure what happens to a long-context LLM when its KV cache is shared, compressed, fetched and reused.",
    epilog="Start with `scbench run` (no arguments, no network, minutes), then `scbench list methods` and `scbench run --help`.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def with_options(act: Callable[[dict[str, Any]], None]) -> Callable[..., None]:
    """A command with all OPTIONS, which hands on those the user gave, under the names of the settings."""

    def command(**words: Any) -> None:
        act({name: value for name, value in words.items() if value is not None})

    kind = inspect.Parameter.KEYWORD_ONLY
    command.__name__, command.__doc__ = act.__name__, act.__doc__
    command.__annotations__ = {name: hint | None for name, hint, *_ in OPTIONS}
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(
                name,
                kind,
                default=typer.Option(None, flag, help=about, rich_help_panel=panel),
                annotation=hint | None,
            )
            for name, hint, flag, panel, about in OPTIONS
        ]
    )
    return command


@app.command()
@with_options
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

    result = api.run(given=given, **words)
    outcome = result.outcome
    assert outcome is not None
    if outcome.outcome == "interrupted":
        _tell_stopped(result.folder, outcome)
        raise typer.Exit(130)
    _show(result, outcome, is_full=is_full)
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
        f"{outcome.turns_missing:,} of {outcome.turns_planned:,} planned turns have no answer; what "
        f"was written stays in {folder}, report.md there says why under Gaps, and --retry-failed "
        "plays them again",
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
    tell(shlex.join(["scbench", "report", str(folder)]), label="tables and page of it", style="dim")
    tell(
        shlex.join(["scbench", "run", "--config", str(folder / NAME), "--out", str(folder)]),
        label="to go on",
        style="dim",
    )


def main() -> None:
    """The program `scbench`; docs/protocol.md has its statuses."""
    from scbench import commands  # noqa: F401  (registers plan, list, report, score, ...)

    take_any_sign()
    try:
        app()
    except ScbenchError as error:
        tell(error, label="error", style="red")
        sys.exit(1 if isinstance(error, CannotWrite) else 2)
    except BrokenPipeError:
        sys.exit(141)


def _show(result: Any, outcome: Any = None, *, is_full: bool = False) -> None:
    """What a run comes to, in one table and a sentence; every table where `is_full`."""
    from scbench.report import brief, terminal

    if not result.records():
        tell("nothing was played; there is no report")
        return
    summary = result.summary()
    if is_full:
        out.print(terminal(summary))
        for one in result.equal_bytes():
            out.print(_equal_table(one))
    for line in result.torn():
        tell(line, label="torn")
    if outcome is not None and not is_full:
        _tell_left_out(outcome)
    if not is_full:
        out.print(brief(summary, page=result.folder / "index.html"))


MOST_LEFT_OUT = 3
LEFT_OUT_CHARS = 150


def _tell_left_out(outcome: Any) -> None:
    """What was not played, in a few lines; --full has each whole."""
    lines = [*outcome.gaps, *outcome.does_not_apply]
    for line in lines[:MOST_LEFT_OUT]:
        tell(
            line if len(line) < LEFT_OUT_CHARS else f"{line[:LEFT_OUT_CHARS]}...", label="left out"
        )
    if len(lines) > MOST_LEFT_OUT:
        tell(f"{len(lines) - MOST_LEFT_OUT:,} more; --full names each", label="left out")


def _of(row: Any, found: Any) -> str:
    return f"{100 * row.held_bytes / found.target_bytes:.1f} %"


EQUAL_WORDS = {
    "context": "holds after the context",
    "end": "holds at the session's end",
    "loaded": "loads per step",
}


def _equal_table(found: Any) -> Table:
    """What each method that was asked for became, and the bytes it held of the sample."""
    from scbench.report.words import bytes_text

    model, length = (
        f", {found.model}" * bool(found.model),
        f", {found.length_tokens:,} tokens" * bool(found.length_tokens),
    )
    table = Table(
        "asked for",
        "played",
        "held",
        "of target",
        "verdict",
        title=f"Equal bytes{model}{length}: {found.share} of what dense {EQUAL_WORDS[found.what]}, "
        f"{bytes_text(found.target_bytes)} of {bytes_text(found.reference_bytes)} at "
        f"{found.context_tokens:,} tokens (its cache takes {bytes_text(found.dense_bytes)} here)",
        title_justify="left",
    )
    for row in found.rows:
        is_fitted = row.held_bytes is not None and row.played is not None
        share = "–" if row.asked == "dense" or not is_fitted else _of(row, found)
        held = "–" if row.held_bytes is None else bytes_text(row.held_bytes)
        table.add_row(
            plain(row.asked),
            plain(row.played or "–"),
            held,
            share,
            plain(": ".join(filter(None, (row.verdict, row.why)))),
        )
    return table
