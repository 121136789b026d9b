"""`scbench.analyze`: attention over the life of a shared cache, of a model or of a run's model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scbench import api
from scbench.analysis_words import (
    ANSWER_TOKENS,
    LENGTH,
    METHODS,
    SESSIONS,
    SHARES,
    TASKS,
    TURNS,
    AnalysisWords,
)
from scbench.defaults import LAB_PREFIX
from scbench.errors import BadConfig, Mismatch
from scbench.grid.folder import ROOM, known_words
from scbench.grid.settings import Settings
from scbench.grid.settings_file import NAME as SETTINGS
from scbench.grid.settings_file import plain
from scbench.grid.words import several, tokens
from scbench.ledger.cells import digest
from scbench.modes import Mode
from scbench.result import Result
from scbench.stats.attention import AttentionFacts, AttentionTables

if TYPE_CHECKING:
    import polars

    from scbench.attention import Looked
    from scbench.engines.contract import Engine
    from scbench.front import LanguageModel

LARGEST_SHARE = Fraction(1, 2)


@dataclass(frozen=True, slots=True, repr=False)
class Analysis:
    """What was seen, as tables, and the folder in which it lies.

    `overlap`, `along`, `heads` and `kept` are polars tables, a row a measurement
    (`stats.attention.AttentionTables` says of each what it holds).
    """

    tables: AttentionTables
    facts: AttentionFacts
    folder: Path

    @property
    def overlap(self) -> polars.DataFrame:
        return self.tables.overlap

    @property
    def along(self) -> polars.DataFrame:
        return self.tables.along

    @property
    def heads(self) -> polars.DataFrame:
        return self.tables.heads

    @property
    def kept(self) -> polars.DataFrame:
        return self.tables.kept

    def write(self, to: Path | None = None) -> dict[str, Path]:
        """analysis.md, a parquet file a table, and pictures; default: into its folder."""
        from scbench.report.attention_files import write

        return write(self.tables, self.facts, to or self.folder)

    def __repr__(self) -> str:
        from scbench.report.attention import title_of

        return (
            f"Analysis({str(self.folder)!r}: {title_of(self.facts)}\n"
            "  tables: overlap, along, heads, kept; means with intervals: tables.between(), "
            ".ratio(), ...; page: write())"
        )


def analyze(
    what: str | Path | LanguageModel,
    *,
    shares: str | Sequence[str] = SHARES,
    answer_tokens: int = ANSWER_TOKENS,
    out: str | Path | None = None,
    quiet: bool = False,
    words: AnalysisWords | None = None,
) -> Analysis:
    """Look at a model's attention over a few sessions, or over those of a run; write the page.

    Raises UsageError for what cannot be looked at, before weights are read where that is known.
    """
    from scbench.attention import look
    from scbench.grid.forecast import WEIGHTS, Forecast
    from scbench.grid.progress import Progress
    from scbench.report.attention_files import check

    said = {name: value for name, value in (words or {}).items() if value is not None}
    parts = checked_shares(shares)
    if answer_tokens < 0 or isinstance(answer_tokens, bool):
        raise BadConfig(
            f"answer_tokens={answer_tokens}: it is a whole number; 0 leaves long answers out"
        )
    run = run_folder(what)
    if run is None:
        _refuse_neither(what)
        settings, engine = _of_model(what, said)
    else:
        settings, engine = _of_run(run, said)
    folder = Path(out) if out is not None else own_folder(settings, parts, answer_tokens, run)
    check(folder)
    if engine is None:
        _refuse_early(settings)
    with Progress(0, what="analyze", quiet=quiet, forecast=Forecast()) as progress:
        progress.begin(settings.models[0], WEIGHTS)
        engine = engine or api.load(settings, settings.models[0])
        progress.end()
        looked = look(
            engine, settings, shares=parts, answer_tokens=answer_tokens, progress=progress
        )
    facts = _facts(looked, engine, parts, answer_tokens, "" if run is None else str(run))
    found = Analysis(AttentionTables.of(looked.tables), facts, folder)
    found.write()
    return found


def run_folder(what: object) -> Path | None:
    """The folder, where `what` is that of a run."""
    if not isinstance(what, str | Path):
        return None
    path = Path(what)
    is_run = any((path / name).is_file() for name in (SETTINGS, "records.jsonl", "manifest.json"))
    return path if is_run else None


def checked_shares(given: str | Sequence[str]) -> tuple[Fraction, ...]:
    """Shares of a context's keys. Raises BadConfig for one that is none."""
    found = []
    for text in several(given):
        try:
            share = Fraction(str(text).strip())
        except (ValueError, ZeroDivisionError):
            share = Fraction(0)
        if not 0 < share <= LARGEST_SHARE:
            raise BadConfig(
                f"--share {str(text)!r}: it is a share of the context's keys, above 0 and at most "
                f"{LARGEST_SHARE}, such as 1/32; several are joined by commas"
            )
        found.append(share)
    if not found:
        raise BadConfig("--share is empty; give one at least, such as 1/32")
    return tuple(dict.fromkeys(found))


def _of_model(what: object, said: Mapping[str, Any]) -> tuple[Settings, Engine | None]:
    """The sessions of a model, small by default."""
    if "model" in said:
        raise BadConfig(
            f"model={said['model']!r} chooses among the models of a run, and {what!r} is no folder "
            "of one; leave one of them out"
        )
    given: dict[str, Any] = {
        "tasks": TASKS,
        "methods": METHODS,
        "turns": TURNS,
        "sessions": SESSIONS,
        **said,
        "model": str(what) if isinstance(what, Path) else what,
        "modes": (str(Mode.MULTI_TURN),),
        "out": ROOM,
    }
    given, engine = api.spelled_words(given)
    if "length" not in given and not str(given["model"]).startswith(LAB_PREFIX):
        given["length"] = LENGTH
    settings = _one(api.settle(given), said)
    _refuse_black_boxes(settings)
    return settings, engine


def _of_run(folder: Path, said: Mapping[str, Any]) -> tuple[Settings, Engine | None]:
    """The first sessions of a run: its seed, tasks, methods and protocol, at one length."""
    result = Result(folder)
    settings = result.settings()
    given, engine = api.spelled_words(dict(said))
    name = given.pop("model", None)
    if name is not None and engine is None and name not in settings.models:
        raise BadConfig(
            f"model={name!r} is not in the run {str(folder)!r}; it has {', '.join(settings.models)}"
        )
    played = {one.length_tokens: one.methods for one in result.equal_bytes()}
    length = min(settings.lengths_tokens)
    if "length" in given:
        length = tokens(given.pop("length"))
    from scbench.grid.words import typed_words

    known = typed_words(given)
    settings = replace(
        settings,
        models=(name or settings.models[0],),
        lengths_tokens=(length,),
        methods=tuple(played.get(length, settings.methods)),
        sessions=min(SESSIONS, settings.sessions),
        modes=(Mode.MULTI_TURN,),
        samples=1,
        temperature=0.0,
        equal_bytes=None,
        equal_loaded=None,
    )
    return replace(settings, **known), engine


def _one(settings: Settings, said: Mapping[str, Any]) -> Settings:
    """Raises BadConfig for several models or lengths."""
    for name, values in (("model", settings.models), ("length", settings.lengths_tokens)):
        if len(values) > 1:
            raise BadConfig(
                f"{name}={said.get(name, values)!r} names {len(values)}; an analysis is of one, so "
                "give one command each"
            )
    return settings


def _refuse_black_boxes(settings: Settings) -> None:
    from scbench.methods import parse

    if boxes := [text for text in settings.methods if parse(text).is_foreign]:
        raise Mismatch(
            f"{boxes[0]} answers with a cache of its own: nobody sees which keys it reads, so its "
            "attention cannot be analysed; leave it out"
        )


def _refuse_early(settings: Settings) -> None:
    """Raise Mismatch before weights are read, where the configuration tells."""
    name = settings.models[0]
    if name == "toy":
        return  # it has no configuration, and is there at once
    from scbench.engines.load import shape_of_model

    shape = shape_of_model(name, trust_remote_code=settings.trust_remote_code)
    if not shape.attention_layers:
        from scbench.attention.sessions import without_attention

        raise without_attention(name)


def _refuse_neither(what: object) -> None:
    """Raise BadConfig for a folder of neither kind, which else would be asked of the hub."""
    if not isinstance(what, str | Path):
        return
    path = Path(what).expanduser()
    is_folder = path.is_dir() and not (path / "config.json").is_file()
    is_missing = path.parts[:1] == ROOM.parts and not path.exists()
    if is_folder or is_missing:
        why = "holds neither run.toml nor config.json" if is_folder else "does not exist"
        raise BadConfig(
            f"{str(what)!r} {why}; give the folder of a run (its --out), or a model: a short name "
            "of `scbench list models`, a folder with a checkpoint, a .gguf file, or a hub name"
        )


def own_folder(
    settings: Settings, shares: Sequence[Fraction], answer_tokens: int, run: Path | None
) -> Path:
    """The folder of an analysis that names none: the same words find the same one again."""
    words = known_words(plain(settings))
    asked = {"shares": [str(share) for share in shares], "answer_tokens": answer_tokens}
    mark = digest({**words, **asked, "run": "" if run is None else run.name})[:8]
    name = Path(settings.models[0]).name if run is None else run.resolve().name
    kept = "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in name)
    return ROOM / f"analyze-{kept[:50]}-{mark}"


def _facts(
    looked: Looked, engine: Engine, shares: Sequence[Fraction], answer_tokens: int, source: str
) -> AttentionFacts:
    shape = engine.facts.shape
    first = shape.attending[0]
    methods = dict.fromkeys(str(row["method"]) for row in looked.tables["kept"])
    return AttentionFacts(
        model=engine.facts.name,
        tasks=tuple(looked.sessions),
        sessions=dict(looked.sessions),
        turns=1 + max(int(row["turn"]) for row in looked.tables["heads"]),
        context_tokens=(min(looked.context_tokens), max(looked.context_tokens)),
        layers=len(shape.attention_layers),
        query_heads=first.query_heads,
        kv_heads=first.kv_heads,
        shares=tuple(str(share) for share in shares),
        answer_tokens=answer_tokens,
        methods=tuple(methods),
        left_out=looked.left_out,
        missing=tuple(looked.missing),
        source=source,
    )
