"""Sessions of a suite looked at one after the other, with the time left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from scbench.attention.held import why_not
from scbench.attention.life import Life, LifeSight
from scbench.attention.rows import TABLES, Row, rows_of
from scbench.engines.contract import Engine, ModelFacts
from scbench.engines.observe import REPEAT_SCORES
from scbench.errors import BadConfig, Mismatch
from scbench.grid.forecast import GUESSED_FLOPS_PER_S, Work, piece_of
from scbench.grid.progress import Progress
from scbench.grid.settings import Settings
from scbench.grid.suite import Item, suite
from scbench.grid.unit_sizes import as_sized
from scbench.kv.accounting import counted_in
from scbench.methods import parse, refuse_twins
from scbench.methods.method import Method
from scbench.types import History

# For the time left of a first session: a turn takes about as long as reading so many tokens, a step
# of all long answers as so many, and the repeat that kvzip scores by as another such reading.
TURN_TOKENS, STEP_TOKENS, REPEATED = 200.0, 24.0, 1.3


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

    def add(self, sight: LifeSight, shares: Sequence[Fraction], item: Item) -> None:
        """What was seen of one more session."""
        self.left_out |= sight.left_out
        self.sessions[item.task.name] += 1
        self.context_tokens.append(sight.context_tokens)
        rows = rows_of(sight, shares, task=item.task.name, session=item.seed)
        for name, of_session in rows.items():
            self.tables[name] += of_session


def look(
    engine: Engine,
    settings: Settings,
    *,
    shares: Sequence[Fraction],
    answer_tokens: int,
    progress: Progress,
) -> Looked:
    """Look at the sessions that `settings` make, each task's first `settings.sessions`.

    Raises Mismatch for a model that has no attention layers, or whose attention means nothing;
    BadConfig where no session can be made.
    """
    refuse(engine)
    looked = Looked()
    methods = chosen(settings, engine, looked.left_out)
    settings = replace(settings, history=History.GOLD)
    assert progress.forecast is not None
    facts = engine.facts
    progress.forecast.plan(facts.name, works_of(settings, facts, methods, answer_tokens))
    with counted_in(settings.accounting):
        for item in suite(settings, engine):
            if looked.sessions[item.task.name] == settings.sessions:
                continue
            progress.begin(
                facts.name, piece_of(item.task.written, 0), f"{facts.name}: {item.label}"
            )
            if item.session is not None:
                life = Life(
                    engine,
                    item.session,
                    settings.protocol,
                    methods,
                    shares=shares,
                    answer_tokens=answer_tokens,
                )
                looked.add(life.play(), shares, item)
            else:
                looked.missing.append(f"{item.label}: {item.why}")
            progress.end(worked=item.session is not None)
    if not looked.context_tokens:
        raise BadConfig("; ".join(["no session could be made", *looked.missing]))
    return looked


def works_of(
    settings: Settings, facts: ModelFacts, methods: Sequence[Method], answer_tokens: int
) -> list[Work]:
    """The sessions to look at, each guessed from the tokens that go through the model."""
    length = max(settings.lengths_tokens)
    needs = frozenset().union(*(method.needs for method in methods))
    again = REPEATED * length if REPEAT_SCORES in needs else 0.0
    turns = settings.turns or 5
    tokens = length + again + TURN_TOKENS * turns + STEP_TOKENS * answer_tokens
    guess_s = 2.0 * facts.params * tokens / GUESSED_FLOPS_PER_S
    return [
        Work(model=facts.name, what=piece_of(task, 0), times=settings.sessions, guess_s=guess_s)
        for task in settings.tasks
    ]


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
