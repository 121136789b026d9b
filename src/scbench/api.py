"""Python's door: what the command line calls too. Torch is imported only by what runs a model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scbench import report as reports
from scbench.defaults import defaults
from scbench.engines.lab_models import LAB_MODELS, solves
from scbench.engines.models import LLMS
from scbench.engines.places import canonical
from scbench.errors import BadConfig, BadRecord, MissingExtra, ScbenchError
from scbench.methods import catalog, names
from scbench.methods.spelling import read_part, split
from scbench.run import manifest
from scbench.run.cells import read_plan
from scbench.run.equal_table import EqualBytes
from scbench.run.equal_table import read as read_equal_bytes
from scbench.run.journal import current, read_costs, read_records
from scbench.run.settings import Settings, read_settings
from scbench.types import Mode, Record

if TYPE_CHECKING:
    import polars

    from scbench.run.plan import Plan
    from scbench.run.runner import Outcome

ALIASES: Mapping[str, str] = {
    "model": "models",
    "length": "lengths_tokens",
}  # words of the command line that are no settings' names

MODELS: Mapping[str, str] = {  # names with a form of their own; `engines.models` has all numbers
    "toy": "no weights: answers key-value questions from what its cache still holds; for tests and for watching a method",
    **LAB_MODELS,
    **{llm.name: f"{llm.hub} ({llm.category})" for llm in LLMS},
}


@dataclass(slots=True)
class Result:
    """A run's folder, read back."""

    folder: Path
    outcome: Outcome | None = None

    def records(self) -> list[Record]:
        """The newest record of every turn of the last command's cells (`journal.current`)."""
        return current(read_records(self.folder), read_plan(self.folder))

    def frame(self) -> polars.DataFrame:
        """One row a turn."""
        from scbench.stats import frame

        return frame(self.records())

    def equal_bytes(self) -> list[EqualBytes]:
        """Which settings the last command with `equal_bytes` chose, length by length; empty without it."""
        return read_equal_bytes(self.folder)

    def costs(self) -> list[dict[str, Any]]:
        """Rows of the cost pass that were measured."""
        rows = read_costs(self.folder) if (self.folder / "costs.jsonl").exists() else ()
        return [
            {name: value for name, value in row.items() if name != "key"}
            for row in rows
            if "failure" not in row
        ]

    def report(self, folder: Path | None = None) -> dict[str, Path]:
        """Write report.md, results.csv, turns.csv, cost.csv, tables.tex and index.html; default: into the run's folder."""
        found = manifest.read(self.folder)
        records = self.records()
        return reports.write_all(
            records,
            self.costs(),
            found,
            folder or self.folder,
            stages=stages_of(records),
            solves=solves,
        )


def run(
    *, engine: Any = None, quiet: bool = False, given: Sequence[str] | None = None, **settings: Any
) -> Result:
    """Run a grid and write its report. Settings are those of `run.settings.Settings`; single values do for tuples, and `length="4k"` for
    `lengths_tokens`, `model="a,b"` for `models`. Settings not given take the embedded default's. `engine` is a model already loaded, in the
    place of `models`. Errors as `run.runner.run`; Mismatch for a method that none of the models can take."""
    chosen = settle(settings)
    from scbench.run.runner import run as play

    refuse_useless(chosen, engine)
    engines = [engine] if engine is not None else (load(chosen, name) for name in chosen.models)
    names = sorted(ALIASES.get(name, name) for name in (settings if given is None else given))
    outcome = play(chosen, engines, given=names, quiet=quiet)
    result = Result(chosen.out, outcome)
    if outcome.turns_answered + outcome.turns_failed:
        result.report()
    return result


def refuse_useless(settings: Settings, engine: Any = None) -> None:
    """Raise, before weights are read, what a run could not begin with (`run.preflight.refuse`)."""
    from scbench.run.preflight import refuse

    refuse(settings, engine)


def plan(*, price_per_hour: float | None = None, **settings: Any) -> Plan:
    """What a run of these settings would cost and refuse; nothing is played, no weights are read.

    Settings are those of `run`. `device` may also name a card that is not here: "h200".
    """
    from scbench.run.preflight import make_plan

    return make_plan(settle(settings), price_per_hour=price_per_hour)


def load(settings: Settings, name: str) -> Any:
    """The engine of one of the models that a run asks for."""
    if name == "toy":
        from scbench.engines.toy import ToyEngine

        return ToyEngine(window_tokens=settings.window_tokens or 1 << 20)
    from scbench.engines.load import load as load_local

    return load_local(
        name,
        dtype=settings.dtype,
        device=settings.device,
        window_tokens=settings.window_tokens,
        trust_remote_code=settings.trust_remote_code,
    )


def settle(given: Mapping[str, Any]) -> Settings:
    """Settings from loose words: text for tuples, "4k" for lengths, names for enumerations."""
    from scbench.tasks import names as every_task

    words = {name: value for name, value in given.items() if value is not None}
    words = {ALIASES.get(name, name): value for name, value in words.items()}
    for name in ("models", "tasks", "methods", "modes", "lengths_tokens"):
        if name in words:
            words[name] = _several(words[name])
    if "models" in words:
        words["models"] = tuple(dict.fromkeys(canonical(str(name)) for name in words["models"]))
    if "tasks" in words:
        from scbench.tasks import task

        asked = every_task() if words["tasks"] == ("all",) else words["tasks"]
        words["tasks"] = tuple(dict.fromkeys(task(name).name for name in asked))
    if "lengths_tokens" in words:
        words["lengths_tokens"] = tuple(tokens(value) for value in words["lengths_tokens"])
    if "modes" in words:
        words["modes"] = tuple(_one_of(Mode, value, "mode") for value in words["modes"])
    for name in ("prompts", "history", "compress_after", "truncate", "form"):
        if isinstance(words.get(name), str):
            from scbench import types

            kind = {
                "prompts": types.PromptSet,
                "history": types.History,
                "compress_after": types.CompressAfter,
                "truncate": types.Truncate,
                "form": types.Form,
            }
            words[name] = _one_of(kind[name], words[name], name)
    if "equal_bytes" in words:
        words["equal_bytes"] = str(words["equal_bytes"])
    if "out" in words:
        words["out"] = Path(words["out"])
    return read_settings({**defaults(words, every_task()), **words})


def tokens(value: object) -> int:
    """4096, "4096", "4k", "128K", "1m" to tokens (k = 1,024)."""
    found = re.fullmatch(
        r"(\d+(?:\.\d+)?)\s*([kKmM]?)", str(value).replace(",", "").replace("_", "")
    )
    if not found:
        raise BadConfig(f"length {value!r} is not a number of tokens; write 4096, 4k, 128k or 1m")
    return int(float(found[1]) * {"": 1, "k": 1 << 10, "m": 1 << 20}[found[2].lower()])


def stages_of(records: Sequence[Record]) -> dict[str, tuple[str, str]]:
    """method -> (stage, category) for the report; a composition is placed by its first stage."""
    found: dict[str, tuple[str, str]] = {}
    for spelled in dict.fromkeys(record.method for record in records):
        try:
            first = catalog.entry(read_part(split(spelled)[0])[0])
            found[spelled] = (first.stage, first.category)
        except ScbenchError:
            found[spelled] = ("other", "other")
    return found


def open_run(folder: str | Path) -> Result:
    """A run's folder for reading; raises BadRecord if it is none."""
    path = Path(folder)
    if not (path / "records.jsonl").is_file():
        raise BadRecord(
            f"{str(path)!r} is not the folder of a run: it has no records.jsonl; give the --out of an earlier `scbench run`"
        )
    return Result(path)


def _several(value: object) -> tuple[Any, ...]:
    """A tuple from a value, a sequence, or words joined by commas outside brackets."""
    if isinstance(value, str):
        parts = re.split(r",(?![^\[]*\])", value)
        return tuple(part.strip() for part in parts if part.strip())
    if isinstance(value, Sequence):
        return tuple(value)
    return (value,)


def _one_of(kind: Any, value: object, what: str) -> Any:
    try:
        return kind(value)
    except ValueError:
        raise BadConfig(
            f"{what} {value!r} does not exist; it is one of {', '.join(str(x) for x in kind)}"
        ) from None


__all__ = [
    "MissingExtra",
    "Result",
    "load",
    "names",
    "open_run",
    "plan",
    "run",
    "settle",
    "stages_of",
    "tokens",
]
