"""`scbench lab findings`: the paper's central findings, checked on the lab models. It stands above
the rooms because it runs a grid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from scbench.console import out, say, tell
from scbench.engines.lab_models import CARD, LAB_MODELS, lab_folder
from scbench.errors import BadConfig, BadRecord, DataError, Mismatch
from scbench.reading import read_json_file
from scbench.stats.checks import CellName
from scbench.stats.findings import DENSE, METHODS, RECALL, Roles, findings, passing
from scbench.types import PAPER_MODES, Form, Record

LENGTHS, SESSIONS, FOLDER = "256,512", 24, Path("runs/findings")
QUICK_LENGTHS, QUICK_SESSIONS, QUICK_FOLDER = "256", 4, Path("runs/findings-quick")


def findings_(
    models: Annotated[
        str,
        typer.Option(
            help="transformer, recurrent and hybrid, in this order; names or folders with a "
            "card.json"
        ),
    ] = ",".join(LAB_MODELS),
    length: Annotated[
        str | None, typer.Option(help=f"contexts in tokens, joined by commas; default: {LENGTHS}")
    ] = None,
    sessions: Annotated[
        int | None, typer.Option(help=f"per task and length; default: {SESSIONS}")
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option("--out", help=f"folder of the run, resumed if it is there; default: {FOLDER}"),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from", help="read this folder of an earlier run instead of playing anything"
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help=f"{QUICK_SESSIONS} sessions of {QUICK_LENGTHS} tokens: a look, too few to tell "
            f"much",
        ),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="no progress")] = False,
) -> None:
    """Check six central findings of the paper on three matched models: claim, numbers with
    intervals, and holds, does not hold or cannot tell.

    The rules were written before there were numbers (docs/decisions/0070-findings.md). Kill it at
    any time; the same command goes on.
    """
    from scbench.report import findings as report

    roles = roles_of(models)
    gate = gate_of(roles.transformer)
    if source is not None:
        if length or sessions or quick:
            raise BadConfig(
                "--from reads what was played; leave --length, --sessions and --quick out"
            )
        records, folder = read(source, roles), to or source
    else:
        folder = to or (QUICK_FOLDER if quick else FOLDER)
        lengths, count = (
            length or (QUICK_LENGTHS if quick else LENGTHS),
            sessions or (QUICK_SESSIONS if quick else SESSIONS),
        )
        records = play(roles, gate, lengths, count, folder, quiet=quiet)
    found = findings(records, gate, roles)
    out.print(report.terminal(found))
    for path in report.write(found, folder).values():
        say(path)


def roles_of(models: str) -> Roles:
    """Raises BadConfig unless three different models are named."""
    names = [name.strip() for name in models.split(",") if name.strip()]
    if len(set(names)) != 3:
        raise BadConfig(
            f"--models {models!r} names {len(set(names))} models; give three: transformer, "
            f"recurrent, hybrid, joined by commas"
        )
    return Roles(transformer=names[0], recurrent=names[1], hybrid=names[2])


def gate_of(model: str) -> frozenset[CellName]:
    """The cells that a model solves with full attention, by its card. Raises DataError without one;
    Unknown for a lab model without weights.
    """
    path = (lab_folder(model) if model in LAB_MODELS else Path(model)) / CARD
    try:
        return passing(read_json_file(path)["cells"])
    except (OSError, KeyError, TypeError, BadRecord) as error:
        raise DataError(
            f"{str(path)!r} does not say what the model solves ({type(error).__name__}: {error}); "
            f"only cells that full attention solves can tell "
            "something about a method, so name a transformer whose card.json has `cells`"
        ) from error


def read(folder: Path, roles: Roles) -> list[Record]:
    """The records of an earlier run. Raises Mismatch if the transformer has none."""
    from scbench.api import open_run

    records = open_run(folder).records()
    if roles.transformer not in (models := {one.model for one in records}):
        raise Mismatch(
            f"{str(folder)!r} has records of {', '.join(sorted(models)) or 'no model'}, not of "
            f"{roles.transformer!r}; name its models by --models"
        )
    return records


def play(
    roles: Roles,
    gate: frozenset[CellName],
    length: str,
    sessions: int,
    folder: Path,
    *,
    quiet: bool,
) -> list[Record]:
    """The records of the grid that the claims need, played where the folder lacks them; none where
    no task has a cell that counts.
    """
    from scbench import api
    from scbench.grid.runner import run

    lengths = api.settle({"length": length, "tasks": "kv"}).lengths_tokens
    planned = list(grids(roles, gate, lengths))
    for grid in planned:
        settings = api.settle(
            {**grid, "sessions": sessions, "form": Form.TINY, "cost_sessions": 0, "out": folder}
        )
        engines = (api.load(settings, name) for name in settings.models)
        outcome = run(settings, engines, given=("models", "length", "sessions"), quiet=quiet)
        for gap in outcome.gaps:
            tell(gap, label="gap")
        if outcome.outcome == "interrupted":
            tell("what was done is kept, and the same command goes on", label="stopped")
            raise typer.Exit(130)
    if not planned:
        tell(
            f"{roles.transformer} solves no task at {length} tokens, by its card",
            label="nothing played",
        )
        return []
    result = api.open_run(folder)
    result.report()
    return result.records()


def grids(
    roles: Roles, gate: frozenset[CellName], lengths_tokens: Sequence[int]
) -> Iterator[dict[str, Any]]:
    """All methods on the transformer, then dense alone on the two others; a task only at lengths
    where one of its cells counts.
    """
    from scbench.tasks import names

    solved = {
        name: tuple(
            tokens
            for tokens in lengths_tokens
            if any((name, tokens, mode) in gate for mode in PAPER_MODES)
        )
        for name in names()
    }
    played = (
        ((roles.transformer,), METHODS, names()),
        ((roles.recurrent, roles.hybrid), (DENSE,), RECALL),
    )
    for models, methods, tasks in played:
        for lengths in dict.fromkeys(solved[name] for name in tasks if solved[name]):
            together = tuple(name for name in tasks if solved[name] == lengths)
            yield {
                "models": models,
                "methods": methods,
                "modes": PAPER_MODES,
                "tasks": together,
                "lengths_tokens": lengths,
            }
