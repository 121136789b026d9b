"""`scbench choose`: which methods of a run surely keep a bound on loss and bytes, which do not."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from scbench.console import counted, out, plain, say
from scbench.errors import BadConfig
from scbench.system import command_line
from scbench.types import Mode

if TYPE_CHECKING:
    from scbench.stats.choice import Chosen

HEADINGS = {
    "keeps": "surely keep it",
    "same": "same answers so far",
    "breaks": "surely do not",
    "unknown": "nobody can tell yet",
    "too large": "use more bytes",
    "not measured": "were not measured",
}


def choose(
    run: Annotated[Path, typer.Argument(help="folder of a finished run")],
    max_loss: Annotated[
        float, typer.Option("--max-loss", help="points of the score that may be lost, 0 to 100")
    ] = 3.0,
    max_bytes: Annotated[
        str | None,
        typer.Option(
            "--max-bytes", help="share of dense's bytes that may be held: 1/4; default: any"
        ),
    ] = None,
    max_loaded: Annotated[
        str | None,
        typer.Option(
            "--max-loaded", help="share of dense's bytes that a decode step may load; default: any"
        ),
    ] = None,
    mode: Annotated[
        str | None, typer.Option("--mode", help=f"{', '.join(Mode)}; default: the worst")
    ] = None,
) -> None:
    """Name the methods of a run that surely keep a bound, those that surely do not, and those
    nobody can tell, with the command that would.

    "Surely" holds for all methods and modes of a table at once, at 95 %; the interval of a row is
    its own.
    """
    from scbench import api
    from scbench.stats.choice import Bounds, choose, more_sessions

    if not 0 < max_loss <= 100:
        raise BadConfig(
            f"--max-loss {max_loss}: it is points of the score, above 0 and at most 100"
        )
    bounds = Bounds(
        max_loss=max_loss / 100,
        max_held=_share(max_bytes, "--max-bytes"),
        max_loaded=_share(max_loaded, "--max-loaded"),
        mode="" if mode is None else _mode(mode),
    )
    result = api.open_run(run)
    rows = choose(result.summary(), bounds)
    if not rows:
        raise BadConfig(f"{str(run)!r} has no method beside dense; extend it: scbench run --extend")
    for setting in dict.fromkeys(row.setting for row in rows):
        mine = [row for row in rows if row.setting == setting]
        say(_title(setting.label, bounds.max_loss, max_bytes, max_loaded, bounds.mode))
        out.print(_table(mine))
    more = more_sessions(rows)
    sessions = result.settings().sessions
    if more:
        words = ["scbench", "run", "--extend", str(run), "--sessions", str(sessions + more)]
        say(f"to tell more of them: {command_line(words)}")


def _title(
    label: str, max_loss: float, max_bytes: str | None, max_loaded: str | None, mode: str
) -> str:
    bounds = [f"at most {100 * max_loss:g} points lost"]
    if max_bytes is not None:
        bounds.append(f"at most {max_bytes} of dense's bytes held")
    if max_loaded is not None:
        bounds.append(f"at most {max_loaded} of them loaded per step")
    return f"{label}: {', '.join(bounds)}{f', {mode}' if mode else ''}"


def _table(rows: Sequence[Chosen]) -> Table:
    heads = ("method", "", "loses", "95 %, this row alone", "held", "loaded", "why")
    table = Table(*heads, pad_edge=False)
    for row in rows:
        table.add_row(
            plain(row.method),
            HEADINGS[row.choice],
            _points(row.loss),
            "" if row.low is None else f"{_points(row.low)} to {_points(row.high)}",
            _percent(row.held),
            _percent(row.loaded),
            plain("; ".join(filter(None, (row.mode, row.why, _missing(row))))),
        )
    return table


def _points(value: float | None) -> str:
    return "" if value is None else f"{round(100 * value, 1) + 0.0:.1f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def _missing(row: Chosen) -> str:
    return f"about {counted(row.more_sessions, 'session')} more" if row.more_sessions else ""


def _share(text: str | None, flag: str) -> float | None:
    if text is None:
        return None
    try:
        is_percent = text.strip().endswith("%")
        share = float(Fraction(text.strip().rstrip("%"))) / (100.0 if is_percent else 1.0)
    except (ValueError, ZeroDivisionError):
        share = 0.0
    if not 0 < share <= 2:  # an index may hold more than dense does
        raise BadConfig(
            f"{flag} {text}: it is a share of what dense uses, at most 2, such as 1/4, 0.25 or 25%"
        )
    return share


def _mode(text: str) -> str:
    if text not in list(Mode):
        raise BadConfig(f"--mode {text}: it is one of {', '.join(Mode)}")
    return text
