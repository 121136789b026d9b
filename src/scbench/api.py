"""Python's door: what the command line calls too. Torch is imported only by what runs a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scbench import report as reports
from scbench.console import tell
from scbench.defaults import ALL, EMBEDDED, EVERY_METHOD, defaults
from scbench.engines.lab_models import LAB_MODELS, solves
from scbench.engines.models import LLMS
from scbench.errors import BadConfig, BadRecord, MissingExtra, ScbenchError
from scbench.methods import names
from scbench.methods.cards import card
from scbench.methods.spelling import read_part, split
from scbench.run import folder, manifest
from scbench.run.cells import read_plan
from scbench.run.equal_table import EqualBytes
from scbench.run.equal_table import read as read_equal_bytes
from scbench.run.facts import cards, read_facts
from scbench.run.journal import COSTS, RECORDS, current, read_costs, read_records
from scbench.run.lines import torn_tail
from scbench.run.settings import Settings, read_settings
from scbench.run.settings_file import NAME as SETTINGS
from scbench.run.settings_file import read_words
from scbench.run.words import ALIASES, tokens, typed_words
from scbench.types import Record

if TYPE_CHECKING:
    import polars

    from scbench.run.plan import Plan
    from scbench.run.preflight import Prepared
    from scbench.run.runner import Outcome
    from scbench.stats import Summary

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
        """The newest record of every turn that the run means (`journal.current`)."""
        return current(read_records(self.folder), read_plan(self.folder))

    def methods(self) -> dict[str, dict[str, Any]]:
        """Method as shown to its card: spelling with paths, stage, category, origins."""
        return cards(self.folder)

    def torn(self) -> list[str]:
        """A line for each file whose last line is not whole: written at this moment, or cut off."""
        names = [name for name in (RECORDS, COSTS) if (self.folder / name).exists()]
        tails = {name: torn_tail(self.folder / name) for name in names}
        told = [
            f"{name} ends in {tail:,} bytes that are no whole line; they are left out"
            for name, tail in tails.items()
            if tail
        ]
        facts = read_facts(self.folder)
        lost = {record.made for record in self.records()} - facts.keys() - {""}
        if lost:
            told.append(
                f"facts.jsonl lacks {len(lost)} of the things that made these records: what they "
                "were is not known, and methods from files stand under 'other'"
            )
        return told

    def frame(self) -> polars.DataFrame:
        """One row a turn."""
        from scbench.stats import frame

        return frame(self.records())

    def equal_bytes(self) -> list[EqualBytes]:
        """Which settings the last command with `equal_bytes` chose, length by length; empty without it."""
        return read_equal_bytes(self.folder)

    def costs(self) -> list[dict[str, Any]]:
        """Rows of the cost pass that were measured."""
        from scbench.stats import COST_FIELDS

        rows = read_costs(self.folder) if (self.folder / COSTS).exists() else ()
        newest = {row["key"]: row for row in rows}
        return [
            {name: value for name, value in row.items() if name in COST_FIELDS}
            for row in newest.values()
            if "failure" not in row
        ]

    def cost_gaps(self) -> list[dict[str, Any]]:
        """Rows of the cost pass that could not be measured: model, method, length, failure."""
        from scbench.stats import COST_FIELDS

        rows = read_costs(self.folder) if (self.folder / COSTS).exists() else ()
        newest = {row["key"]: row for row in rows}
        return [
            {name: value for name, value in row.items() if name in COST_FIELDS}
            for row in newest.values()
            if "failure" in row
        ]

    def settings(self) -> Settings:
        """What the run was told, from its `run.toml`. Raises BadConfig where that is missing."""
        return read_settings(
            {**typed_words(read_words(self.folder / SETTINGS)), "out": self.folder}
        )

    def summary(self) -> Summary:
        """Every number that any report of this run shows."""
        from scbench.stats import summarise

        records = self.records()
        return summarise(
            records,
            [*self.costs(), *self.cost_gaps()],
            stages=stages_of(records, self.methods()),
            solves=solves,
        )

    def report(self, to: Path | None = None) -> dict[str, Path]:
        """Write report.md, results.csv, turns.csv, cost.csv, tables.tex and index.html; default: into the run's folder."""
        found = manifest.read(self.folder)
        records = self.records()
        return reports.write_all(
            records,
            [*self.costs(), *self.cost_gaps()],
            found,
            Path(to or self.folder),
            stages=stages_of(records, self.methods()),
            solves=solves,
        )


def run(
    *, engine: Any = None, quiet: bool = False, given: Sequence[str] | None = None, **settings: Any
) -> Result:
    """Run a grid and write its report. Settings are those of `run.settings.Settings`; single values do for tuples, and `length="4k"` for
    `lengths_tokens`, `model="a,b"` for `models`. Settings not given take the embedded default's. `engine` is a model already loaded, in the
    place of `models`. Errors as `run.runner.run`; Mismatch for a method that none of the models can take."""
    chosen = settle(settings)
    if settings.get("extend") is None:
        chosen = folder.admitted(chosen)
    from scbench.run.runner import run as play

    prepared = prepare(chosen, engine, is_named=settings.get("methods") is not None)
    for refusal in prepared.refusals:
        if not quiet:
            tell(f"{refusal.what}: {refusal.why}", label="refused")
    engines = [engine] if engine is not None else (load(chosen, name) for name in chosen.models)
    names = sorted(ALIASES.get(name, name) for name in (settings if given is None else given))
    outcome = play(chosen, engines, given=names, quiet=quiet, works=prepared.works)
    result = Result(chosen.out, outcome)
    if outcome.turns_answered + outcome.turns_failed and outcome.outcome == "complete":
        result.report()
    return result


def embedded(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The runs that a command means which names no model: the default's two, one after the other;
    else the one it names."""
    said = {name for name, value in given.items() if value is not None}
    if said & {"model", "models", "config", "extend", "out", "tasks", "data"}:
        return [dict(given)]
    return [{**given, "model": list(grid["models"])} for grid in EMBEDDED]


def prepare(settings: Settings, engine: Any = None, *, is_named: bool = True) -> Prepared:
    """What a run would leave out and take, known before weights are read; raises what it could not
    begin with (`run.preflight.prepare`)."""
    from scbench.run.preflight import prepare

    return prepare(settings, engine, is_named=is_named)


def plan(*, price_per_hour: float | None = None, **settings: Any) -> Plan:
    """What a run of these settings would cost and refuse; nothing is played, no weights are read.

    Settings are those of `run`. `device` may also name a card that is not here: "h200".
    """
    return plan_of(settle(settings), price_per_hour=price_per_hour)


def plan_of(settings: Settings, *, price_per_hour: float | None = None) -> Plan:
    """`plan` of settings already read."""
    from scbench.run.preflight import make_plan

    return make_plan(settings, price_per_hour=price_per_hour)


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


OF_COMMANDS = ("config", "extend", "detect", "preset")  # words of a command that are no settings


def settle(given: Mapping[str, Any]) -> Settings:
    """Settings from loose words: text for tuples, "4k" for lengths, names for enumerations.

    `config` names a settings file (`run.toml`) whose words hold where no other is said; `extend`
    names a run that is made larger; `detect` chooses sessions so that a difference of so many
    points can be seen; `preset` names a grid of `defaults.py`. Without `out` a run gets
    the folder that its settings find.
    """
    from scbench.tasks import names as every_task

    said = {name: value for name, value in given.items() if name not in OF_COMMANDS}
    words = typed_words(said)
    if given.get("config") is not None:
        words = {**typed_words(read_words(Path(given["config"]))), **words}
    if given.get("extend") is not None:
        if "out" in words:
            raise BadConfig("--extend names the run's folder itself; leave --out away")
        return folder.extended(Path(given["extend"]), words)
    if words.get("methods") == (ALL,):
        words["methods"] = EVERY_METHOD
    preset = str(given.get("preset") or "quick")
    grid = typed_words(defaults(words, every_task(), preset=preset))
    settings = read_settings({**grid, **words})
    if given.get("detect") is not None:
        if "sessions" in words:
            raise BadConfig("--detect chooses the number of sessions; leave --sessions away")
        from scbench import sight

        settings = replace(settings, sessions=sight.sessions_for(settings, float(given["detect"])))
    if "out" not in words:
        settings = replace(settings, out=folder.own_folder(settings))
    return settings


def stages_of(
    records: Sequence[Record], cards: Mapping[str, Mapping[str, Any]]
) -> dict[str, tuple[str, str]]:
    """method -> (stage, category) for the report; a composition is placed by its first stage.

    `cards` are those that the run kept; a folder from before there were any is read by name.
    """
    places: dict[str, tuple[str, str]] = {}
    for shown in dict.fromkeys(record.method for record in records):
        if shown in cards:
            places[shown] = (cards[shown]["stage"], cards[shown]["category"])
            continue
        try:
            first = card(read_part(split(shown)[0])[0])
            places[shown] = (first.stage, first.category)
        except ScbenchError:  # somebody's, which is not looked for and never read
            places[shown] = ("other", "other")
    return places


def open_run(folder: str | Path) -> Result:
    """A run's folder for reading; raises BadRecord if it is none."""
    path = Path(folder)
    if not (path / "records.jsonl").is_file():
        raise BadRecord(
            f"{str(path)!r} is not the folder of a run: it has no records.jsonl; give the --out of an earlier `scbench run`"
        )
    return Result(path)


__all__ = [
    "MissingExtra",
    "Result",
    "load",
    "names",
    "open_run",
    "plan",
    "run",
    "settle",
    "solves",
    "stages_of",
    "tokens",
]
