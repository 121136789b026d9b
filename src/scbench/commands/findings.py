"""`scbench findings`: the paper's six questions put to a model. It stands above the rooms, for it
runs grids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer

from scbench.console import out, say, tell
from scbench.engines.lab_models import LAB_MODELS
from scbench.errors import BadConfig, Mismatch
from scbench.extras import require_local
from scbench.ledger.facts import task_cards
from scbench.stats.claims import CLAIMS, RECALL, Roles
from scbench.stats.findings import Models, findings, judged_by
from scbench.stats.frame import frame
from scbench.stats.headroom import CONTROLS, DENSE, By, CellName
from scbench.stats.paper import TaskBook
from scbench.types import PAPER_MODES, Record

LAB = ("lab-transformer", "lab-mamba2", "lab-hybrid")
LAB_LENGTHS, LENGTHS = "256,512", "1k"
LAB_SESSIONS, SESSIONS, QUICK_SESSIONS = 12, 4, 3
STEP = 32  # shares at equal bytes are whole parts of this many
AUTO = "auto"


def findings_(
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help=f"anything that `scbench run --model` takes; default: {LAB[0]}; with --from the "
            "run's one model",
        ),
    ] = None,
    recurrent: Annotated[
        str | None,
        typer.Option(
            help="a gated linear RNN to match, for claim (d); default: none (lab-transformer: "
            "lab-mamba2)"
        ),
    ] = None,
    hybrid: Annotated[
        str | None,
        typer.Option(
            help="a hybrid to match, for claim (d); default: none (lab-transformer: lab-hybrid)"
        ),
    ] = None,
    tasks: Annotated[str, typer.Option(help="joined by commas; only what counts is played on")] = (
        "all"
    ),
    length: Annotated[
        str | None,
        typer.Option(help=f"in tokens, joined by commas; default: {LENGTHS} (lab: {LAB_LENGTHS})"),
    ] = None,
    sessions: Annotated[
        int | None,
        typer.Option(help=f"per task and length; default: {SESSIONS} (lab: {LAB_SESSIONS})"),
    ] = None,
    tau: Annotated[str, typer.Option(help="the share that every budget is")] = "1/4",
    by: Annotated[
        str,
        typer.Option(
            help="score; agreement (with dense, for models that solve nothing; answers of one "
            "token, so it is quick); auto: score where dense solves a cell"
        ),
    ] = AUTO,
    to: Annotated[
        Path | None,
        typer.Option("--out", help="folder of the run; default: runs/findings-MODEL"),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from", help="judge what this run holds instead of playing anything; default: play"
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help=f"{QUICK_SESSIONS} sessions: too few to tell much"),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="no progress")] = False,
) -> None:
    """Put the paper's six questions to a model: holds, does not hold, cannot tell, or no headroom.

    First dense and three controls that must lose are played; then, where they do, the methods of
    each claim. The rules were written before there were numbers
    (docs/decisions/0105-findings-on-any-model.md). Kill it at any time; the same command goes on.
    """
    from scbench.report import findings as report

    judged = by_of(by)
    tau = str(share(tau))
    if source is not None and (length or sessions or quick or tasks != "all"):
        raise BadConfig(
            "--from judges what was played; leave --tasks, --length, --sessions and --quick out"
        )
    model = model or (LAB[0] if source is None else model_in(source))
    models = models_of(model, recurrent, hybrid)
    if source is not None:
        records, folder = read(source, models), to or source
    else:
        require_local("`scbench findings` without --from")
        is_lab = model in LAB_MODELS
        default = QUICK_SESSIONS if quick else LAB_SESSIONS if is_lab else SESSIONS
        folder = to or Path("runs") / f"findings-{Path(model).name}"
        playing = Playing(
            models=models,
            tau=tau,
            by=judged,
            words={
                "tasks": tasks,
                "length": length or (LAB_LENGTHS if is_lab else LENGTHS),
                "sessions": sessions or default,
                "out": folder,
            },
            is_quiet=quiet,
        )
        records = playing.records()
    brought = task_cards(source or folder)
    found = findings(records, models, tau=tau, by=judged, task_cards=brought)
    out.print(report.terminal(found))
    for path in report.write(found, folder).values():
        say(path)


def models_of(model: str, recurrent: str | None, hybrid: str | None) -> Models:
    """The lab transformer has its two matched models at hand. Raises BadConfig unless both of them
    or neither are given, and all differ."""
    if model == LAB[0] and recurrent is None and hybrid is None:
        recurrent, hybrid = LAB[1:]
    if (recurrent is None) != (hybrid is None):
        raise BadConfig(
            "claim (d) compares three models; give --recurrent and --hybrid, or neither"
        )
    names = [name for name in (model, recurrent, hybrid) if name is not None]
    if len(set(names)) != len(names):
        raise BadConfig(f"{', '.join(names)}: claim (d) compares different models; name each once")
    return Models(transformer=model, recurrent=recurrent or "", hybrid=hybrid or "")


def by_of(word: str) -> By | None:
    """Raises BadConfig."""
    if word == AUTO:
        return None
    try:
        return By(word)
    except ValueError:
        raise BadConfig(f"--by {word!r}: it is {AUTO}, {' or '.join(By)}") from None


def share(tau: str) -> Fraction:
    """Raises BadConfig unless it is a share."""
    try:
        found = Fraction(tau)
    except (ValueError, ZeroDivisionError):
        found = Fraction(0)
    if not 0 < found < 1:
        raise BadConfig(f"--tau {tau!r}: it is a share of the cache between 0 and 1, such as 1/4")
    return found


def model_in(folder: Path) -> str:
    """The one model of a run; the lab's transformer where it has several."""
    from scbench.api import open_run

    known = {one.model for one in open_run(folder).records()}
    return known.pop() if len(known) == 1 else LAB[0]


def read(folder: Path, models: Models) -> list[Record]:
    """The records of an earlier run. Raises Mismatch if it has none of the model."""
    from scbench.api import open_run

    records = open_run(folder).records()
    if models.transformer not in (known := {one.model for one in records}):
        raise Mismatch(
            f"{str(folder)!r} has records of {', '.join(sorted(known)) or 'no model'}, not of "
            f"{models.transformer!r}; name its model by --model"
        )
    return records


@dataclass(slots=True, kw_only=True)
class Playing:
    """The grids of a check, one after the other in one folder; each knows what those before it
    found."""

    models: Models
    tau: str
    by: By | None
    words: dict[str, Any]
    is_quiet: bool = False
    _loaded: dict[str, Any] = field(default_factory=dict)

    def records(self) -> list[Record]:
        """What all of them hold. Raises typer.Exit(130) when interrupted: the same command goes
        on."""
        from scbench import api

        folder, roles = self.words["out"], Roles(self.tau)
        self.play(self.models.transformer, roles.first)
        table = frame(api.open_run(folder).records())
        book = TaskBook(task_cards(folder))
        _, gate = judged_by(table, self.models.transformer, self.by, book)
        for stage in CONTROLS:
            if any(claim.stage == stage for claim in CLAIMS):
                self._play_cells(
                    self.models.transformer, roles.of_stage(stage), gate.counting(stage)
                )
        if self.models.recurrent and gate.by is By.SCORE:
            recall = frozenset(cell for cell in gate.solved if cell[0] in RECALL)
            self._play_architectures(roles, recall)
        result = api.open_run(folder)
        result.report()
        return result.records()

    def _play_architectures(self, roles: Roles, cells: frozenset[CellName]) -> None:
        """Dense on the two other models, the recurrent one also at half the shortest length; then
        droppers on the transformer at the hybrid's bytes."""
        from scbench import api

        if not cells:
            return
        others = (self.models.recurrent, self.models.hybrid)
        for name in others:
            self._play_cells(name, (DENSE,), cells)
        shortest = min(length for _, length, _ in cells)
        tasks = tuple(sorted({task for task, _, _ in cells}))
        self.play(self.models.recurrent, (DENSE,), tasks=tasks, lengths=(shortest // 2,))
        table = frame(api.open_run(self.words["out"]).records())
        for length, tau in equal_shares(table, self.models).items():
            methods = tuple(f"{name}[tau={tau}]" for name in roles.at_equal_bytes)
            mine = frozenset(cell for cell in cells if cell[1] == length)
            self._play_cells(self.models.transformer, methods, mine)

    def _play_cells(self, model: str, methods: Sequence[str], cells: frozenset[CellName]) -> None:
        """Methods where a cell counts: a task only at the lengths where one of its cells does."""
        for tasks, lengths in together(cells):
            self.play(model, methods, tasks=tasks, lengths=lengths)

    def play(
        self,
        model: str,
        methods: Sequence[str],
        *,
        tasks: Sequence[str] = (),
        lengths: Sequence[int] = (),
    ) -> None:
        """One grid, on top of what the folder has."""
        from scbench import api
        from scbench.grid.runner import run

        given = {
            **self.words,
            "models": (model,),
            # dense again, for a method is compared with what dense said in its own grid
            "methods": tuple(dict.fromkeys((DENSE, *methods))),
            "modes": PAPER_MODES,
            "cost_sessions": 0,
        }
        if tasks:
            given["tasks"] = tuple(tasks)
        if lengths:
            given.pop("length")
            given["lengths_tokens"] = tuple(lengths)
        if self.by is By.AGREEMENT:
            given["max_new_tokens"] = 1  # the gold answer tells, whatever is answered
        settings = api.settle(given)
        engines = (self._engine(settings, name) for name in settings.models)
        said = ("models", "length", "sessions")
        outcome = run(settings, engines, given=said, quiet=self.is_quiet)
        for gap in outcome.gaps:
            tell(gap, label="gap")
        if outcome.outcome == "interrupted":
            tell("what was done is kept, and the same command goes on", label="stopped")
            raise typer.Exit(130)

    def _engine(self, settings: Any, name: str) -> Any:
        """A model, loaded once for all grids."""
        from scbench import api

        if name not in self._loaded:
            self._loaded[name] = api.load(settings, name)
        return self._loaded[name]


def together(cells: Iterable[CellName]) -> Iterator[tuple[tuple[str, ...], tuple[int, ...]]]:
    """Tasks and lengths of as few grids as hold these cells and no other length of a task.

    >>> list(together([("kv", 256, "multi-turn"), ("kv", 512, "branch"), ("vt", 512, "branch")]))
    [(('kv',), (256, 512)), (('vt',), (512,))]
    """
    lengths: dict[str, set[int]] = {}
    for task, length, _ in cells:
        lengths.setdefault(task, set()).add(length)
    grids: dict[tuple[int, ...], list[str]] = {}
    for task in sorted(lengths):
        grids.setdefault(tuple(sorted(lengths[task])), []).append(task)
    for same, tasks in grids.items():
        yield tuple(tasks), same


def equal_shares(table: pl.DataFrame, models: Models) -> dict[int, str]:
    """By length, the share of the transformer's slots that holds as many bytes as the hybrid does,
    measured after its answers, in parts of 32."""
    held = (
        table.filter((pl.col("method") == DENSE) & pl.col("held_bytes").is_not_null())
        .group_by("model", "length_tokens")
        .agg(pl.col("held_bytes").mean())
    )
    by_model = {
        name: dict(
            held.filter(pl.col("model") == name).select("length_tokens", "held_bytes").rows()
        )
        for name in (models.transformer, models.hybrid)
    }
    whole, wanted = by_model[models.transformer], by_model[models.hybrid]
    return {
        length: str(
            Fraction(min(STEP - 1, max(1, round(STEP * wanted[length] / whole[length]))), STEP)
        )
        for length in sorted(whole.keys() & wanted.keys())
    }
