"""Sessions of a suite looked at one after the other, with the time left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from scbench.attention.held import why_not
from scbench.attention.life import Life
from scbench.attention.rows import TABLES, Row, rows_of
from scbench.engines.contract import Engine
from scbench.errors import BadConfig, Mismatch
from scbench.grid.progress import Progress
from scbench.grid.settings import Settings
from scbench.grid.suite import suite
from scbench.grid.unit_sizes import as_sized
from scbench.kv.accounting import counted_in
from scbench.methods import parse, refuse_twins
from scbench.methods.method import Method
from scbench.types import History

MOST_BEFORE_THE_END = 0.99  # of a session's unit: the expected tokens are a guess


@dataclass(slots=True)
class Looked:
    """The rows of all sessions, and what was not looked at.

    `missing`: sessions that could not be made, each with its reason; `left_out`: methods without
    keys of their own, or that do not fit.
    """

    tables: dict[str, list[Row]] = field(default_factory=lambda: {name: [] for name in TABLES})
    context_tokens: list[int] = field(default_factory=list)
    sessions: Counter[str] = field(default_factory=Counter)
    missing: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


def look(
    engine: Engine,
    settings: Settings,
    *,
    shares: Sequence[Fraction],
    answer_tokens: int,
    quiet: bool = False,
) -> Looked:
    """Look at the sessions that `settings` make, each task's first `settings.sessions`.

    Raises Mismatch for a model that has no attention layers, or whose attention means nothing;
    BadConfig where no session can be made.
    """
    refuse(engine)
    looked = Looked()
    methods = chosen(settings, engine, looked.left_out)
    settings = replace(settings, history=History.GOLD)
    progress = Progress(settings.sessions * len(settings.tasks), what="analyze", quiet=quiet)
    with counted_in(settings.accounting), progress:
        for item in suite(settings, engine):
            if looked.sessions[item.task.name] == settings.sessions:
                continue
            progress.step(f"{engine.facts.name}: {item.label}")
            if item.session is None:
                looked.missing.append(f"{item.label}: {item.why}")
                continue
            life = Life(
                engine,
                item.session,
                settings.protocol,
                methods,
                shares=shares,
                answer_tokens=answer_tokens,
            )
            life.on_tokens = part = _Part(progress, life.tokens)
            sight = life.play()
            part.end()
            looked.left_out |= sight.left_out
            looked.sessions[item.task.name] += 1
            looked.context_tokens.append(sight.context_tokens)
            rows = rows_of(sight, shares, task=item.task.name, session=item.seed)
            for name, of_session in rows.items():
                looked.tables[name] += of_session
    if not looked.context_tokens:
        raise BadConfig("; ".join(["no session could be made", *looked.missing]))
    return looked


@dataclass(slots=True)
class _Part:
    """The progress of one session, which is one unit, from the tokens it is told."""

    progress: Progress
    tokens: float  # expected
    done: float = 0.0

    def __call__(self, tokens: float) -> None:
        part = min(tokens / self.tokens, MOST_BEFORE_THE_END - self.done)
        self.done += part
        self.progress.advance(part)

    def end(self) -> None:
        self.progress.advance(1.0 - self.done)


def refuse(engine: Engine) -> None:
    """Raise Mismatch for a model whose attention cannot be looked at."""
    facts = engine.facts
    if facts.family == "toy":
        raise Mismatch(
            f"{facts.name} looks its answers up in a text: it has no attention to analyse; take a "
            "model with weights, such as lab-transformer or smollm2-135m"
        )
    if not facts.shape.attention_layers:
        raise without_attention(facts.name)


def without_attention(model: str) -> Mismatch:
    """The refusal of a model of recurrent layers alone."""
    return Mismatch(
        f"{model} has no attention layers: there are no keys to analyse; take a transformer, or a "
        "hybrid, whose attention layers are looked at"
    )


def chosen(settings: Settings, engine: Engine, left_out: dict[str, str]) -> list[Method]:
    """The methods to look at, dense among them; why others are not is noted in `left_out`."""
    methods = [Method(), *(parse(text) for text in settings.methods)]
    methods = list(dict.fromkeys(as_sized(methods, settings, engine.facts.shape)))
    refuse_twins(methods)
    left_out |= {str(method): why for method in methods if (why := why_not(method))}
    return [method for method in methods if str(method) not in left_out]
