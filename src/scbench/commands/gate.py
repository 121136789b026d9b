"""`scbench gate`: whether a run surely loses no more than allowed, for CI."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from scbench.commands.compare import opened, points
from scbench.console import counted, out, plain, say, tell
from scbench.errors import BadConfig, CannotWrite
from scbench.files import write_atomically
from scbench.grid.words import several

if TYPE_CHECKING:
    from scbench.api import Result
    from scbench.stats.gate import GateRow

DROPS, BAD_INPUT, CANNOT_TELL = 1, 2, 3  # statuses; 0 passes
REFERENCE = "reference"  # a category: floors and ceilings, which nobody can serve


def gate(
    run: Annotated[Path, typer.Argument(help="folder of the run that is held to the bound")],
    baseline: Annotated[
        Path | None,
        typer.Option(
            "--baseline",
            help="folder of an earlier run, or a file of --write-baseline; default: none, for "
            "--write-baseline alone",
        ),
    ] = None,
    write_baseline: Annotated[
        Path | None,
        typer.Option(
            "--write-baseline",
            help="write RUN as a baseline into this file and end; default: gate it",
        ),
    ] = None,
    max_drop: Annotated[
        str, typer.Option("--max-drop", help="points of the score that may be lost: 1pp, 0.5pp")
    ] = "1pp",
    confidence: Annotated[
        float, typer.Option("--confidence", help="percent, for all rows together")
    ] = 95.0,
    methods: Annotated[
        str | None,
        typer.Option(
            "--methods",
            help="which to hold to it, joined by commas; default: all of the baseline but floors "
            "and ceilings",
        ),
    ] = None,
    allow_different: Annotated[
        bool,
        typer.Option(
            "--allow-different", help="go on with the items in common where the runs are unlike"
        ),
    ] = False,
    pass_same: Annotated[
        bool,
        typer.Option(
            "--pass-same", help="let a row pass whose answers are all the same tokens as before"
        ),
    ] = False,
    xml: Annotated[
        Path | None, typer.Option("--junit", help="JUnit XML file; default: none is written")
    ] = None,
    skip_untold: Annotated[
        bool,
        typer.Option(
            "--skip-untold", help="in the JUnit file, what nobody can tell is skipped, not failed"
        ),
    ] = False,
) -> None:
    """Say by its status whether a run surely loses no more than allowed against
    a baseline.

    Status 0: every method and mode surely loses less. 1: one surely loses
    more. 2: bad input, or runs that are unlike. 3: nobody can tell, and how
    many more sessions would.

    `scbench gate runs/main --write-baseline baseline.json` once, then in CI
    `scbench gate runs/pr --baseline baseline.json --max-drop 1pp --junit
    gate.xml`. docs/compare.md says what a bound of so many points takes in
    sessions.
    """
    from scbench import api
    from scbench.against.baseline import write_baseline as write

    later = api.open_run(run)
    if write_baseline is not None:
        one = later.baseline()
        _written(lambda: write(write_baseline, one))
        say(f"baseline of {counted(one.items.height, 'item')}: {write_baseline}")
        return
    if baseline is None:
        raise BadConfig(
            "--baseline is missing: name the folder of an earlier run, or write a file of one: "
            f"scbench gate {run} --write-baseline FILE"
        )
    rows = _gated(
        later,
        baseline,
        methods=methods,
        allow_different=allow_different,
        max_drop=_drop(max_drop),
        confidence=_share(confidence),
        passes_same=pass_same,
    )
    if xml is not None:
        from scbench.against.junit import junit

        text = junit(rows, skips_untold=skip_untold)
        _written(lambda: write_atomically(xml, text.encode("utf-8", "backslashreplace")))
    _end(rows, f"at most {max_drop} lost, at {confidence:g} % for all rows together")


def _gated(
    later: Result,
    baseline: Path,
    *,
    methods: str | None,
    allow_different: bool,
    max_drop: float,
    confidence: float,
    passes_same: bool,
) -> list[GateRow]:
    """The rows of the gate, the worst first."""
    from scbench.api import Result
    from scbench.stats.gate import Passage, gate

    earlier = opened(baseline)
    kept = earlier.baseline() if isinstance(earlier, Result) else earlier
    there = set(kept.items["method"])
    stages = later.places([*there])
    wanted = sorted(name for name in there if name == "dense" or stages[name][1] != REFERENCE)
    if methods is not None:
        wanted = list(several(methods))
        if strays := [name for name in wanted if name not in there]:
            raise BadConfig(
                f"--methods {', '.join(strays)}: the baseline has {', '.join(sorted(there))}"
            )
    found = later.against(kept, allow_different=allow_different, methods=wanted)
    lacking = [name for name in wanted if name in found.only_before]
    if lacking and not (allow_different and methods is None):
        raise BadConfig(
            f"the run lacks {', '.join(lacking)} of the baseline; play them too, name others with "
            "--methods, or say --allow-different"
        )
    rows = gate(found.overall(), max_drop=max_drop, confidence=confidence, passes_same=passes_same)
    order = list(Passage)
    return sorted(rows, key=lambda row: -order.index(row.passage))


def _end(rows: Sequence[GateRow], title: str) -> None:
    """Print the rows and the verdict, and end with its status."""
    from scbench.stats.gate import Passage, sessions_to_tell, worst

    say(title)
    out.print(_table(rows))
    counts = {word: sum(row.passage is word for row in rows) for word in Passage}
    verdict = worst(rows)
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    say(f"{verdict} ({told})")
    if verdict is Passage.DROPS:
        raise typer.Exit(DROPS)
    if verdict is Passage.CANNOT_TELL:
        if more := sessions_to_tell(rows):
            tell(
                f"about {counted(more, 'more session')} a task, in the run and in its baseline, "
                "would tell all of them",
                label="cannot tell",
            )
        raise typer.Exit(CANNOT_TELL)


def _table(rows: Sequence[GateRow]) -> Table:
    heads = ("method", "mode", "", "loses", "95 %, this row alone", "items", "why")
    table = Table(*heads, pad_edge=False)
    for gated in rows:
        row = gated.row
        estimate = row.difference.estimate
        value = None if estimate.value is None else -estimate.value
        has_limits = estimate.low is not None and estimate.high is not None
        table.add_row(
            plain(row.method),
            row.mode,
            str(gated.passage),
            points(value),
            f"{points(-(estimate.high or 0.0))} to {points(-(estimate.low or 0.0))}"
            if has_limits
            else "",
            f"{estimate.n:,}",
            plain(gated.why),
        )
    return table


def _drop(text: str) -> float:
    """1pp as 0.01."""
    try:
        value = float(text.strip().removesuffix("pp"))
    except ValueError:
        value = 0.0
    if not 0.0 < value <= 100.0:
        raise BadConfig(
            f"--max-drop {text}: it is points of the score above 0 and at most 100, such as 1pp"
        )
    return value / 100.0


def _share(percent: float) -> float:
    if not 50.0 <= percent < 100.0:
        raise BadConfig(f"--confidence {percent:g}: it is percent from 50 to below 100, such as 95")
    return percent / 100.0


def _written(act: Callable[[], None]) -> None:
    """Write a file; where that fails the status is that of bad input, not of a drop."""
    try:
        act()
    except CannotWrite as err:
        tell(err, label="error", style="red")
        raise typer.Exit(BAD_INPUT) from err
