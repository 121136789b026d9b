"""A run from settings to journal: session by session, resumable at any moment, failures as named gaps."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from scbench.engines.contract import Engine
from scbench.errors import ScbenchError
from scbench.methods import parse
from scbench.methods.contract import Method
from scbench.run import equal_table, manifest, pairing
from scbench.run.cells import (
    CodeFacts,
    MethodFacts,
    ModelFacts,
    SessionFacts,
    canonical_json,
    cells,
    digest,
    keep_plan,
)
from scbench.run.costs import cost_of
from scbench.run.equal import solve_run
from scbench.run.journal import Costs, Journal
from scbench.run.lock import Lock
from scbench.run.plan import plan
from scbench.run.progress import Progress
from scbench.run.session import Job, SessionRun
from scbench.run.settings import Settings
from scbench.run.store import SessionStore
from scbench.run.suite import Item, suite
from scbench.types import BEYOND_TRAINED, Cell, Record

RULES = ("strict/1", "official/1")


@dataclass(slots=True)
class Outcome:
    """What a run left behind: everything is in the folder; this says how it ended."""

    settings: Settings
    outcome: str  # complete, interrupted
    turns_answered: int = 0
    turns_failed: int = 0
    gaps: list[str] = field(
        default_factory=list
    )  # sessions that could not be made, each with its reason
    does_not_apply: list[str] = field(
        default_factory=list
    )  # methods that a model cannot take, each with its reason


def run(
    settings: Settings, engines: Iterable[Engine], *, given: Sequence[str] = (), quiet: bool = False
) -> Outcome:
    """Play what the folder lacks of the grid, model by model; append every turn as it ends.

    `engines` are those of `settings.models`, in any order; each is let go before the next is taken, so a generator may load them one by one.
    Ctrl-C ends cleanly with what is done (`outcome` "interrupted"). Raises UsageError for settings that cannot work at all, Busy if another
    run holds the folder, CannotWrite if the disk is full: what was written stays, and the same command resumes.
    """
    methods = [parse(text) for text in settings.methods]
    with (
        Lock(settings.out) as lock,
        Journal(settings.out, lock) as journal,
        Costs(settings.out, lock) as costs,
    ):
        index = manifest.begin(settings.out, manifest.manifest(_plain(settings), given=given))
        found, planned = Outcome(settings=settings, outcome="failed"), list[Cell]()
        try:
            for engine in engines:
                state = _Run(settings, engine, methods, journal, costs, planned, found)
                manifest.add_model(
                    settings.out, index, engine.facts, form=state.form, does_not_apply=state.others
                )
                state.everything(quiet=quiet)
                del state, engine
            found.outcome = "complete"
        except KeyboardInterrupt:
            found.outcome = "interrupted"
        finally:
            keep_plan(settings.out, planned)
            found.turns_answered, found.turns_failed = journal.count({cell.key for cell in planned})
            told = {
                name: value
                for name, value in asdict(found).items()
                if name not in ("settings", "outcome")
            }
            manifest.end(settings.out, index, found.outcome, **told)
    return found


def model_facts(engine: Engine) -> ModelFacts:
    """What of the model and its engine can move a number, for cell keys."""
    facts, tokenizer = engine.facts, engine.tokenizer
    versions = " ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("torch", "transformers")
    )
    return ModelFacts(
        name=facts.name,
        weights_digest=facts.weights_digest,
        tokenizer_digest=facts.tokenizer_digest
        or digest({"name": tokenizer.name, "probe": list(tokenizer.encode(PROBE).ids)}),
        template_digest=tokenizer.template_digest,
        dtype=facts.dtype,
        device=facts.device,
        engine=f"{type(engine).__name__} {versions}",
        settings={
            "window_tokens": facts.window_tokens,
            "generation_digest": facts.generation_digest,
        },
    )


PROBE = 'The quick brown fox 0123456789 {"key": "value"}\n\n阅读以下书籍 VAR ABCDE = 48213'  # two tokenizers that agree on it and in name are one


class _Run:
    """One pass of one model over the suite. Its cells go to `planned`, what it could not do to `found`."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        methods: Sequence[Method],
        journal: Journal,
        costs: Costs,
        planned: list[Cell],
        found: Outcome,
    ) -> None:
        self.settings, self.engine, self.facts = settings, engine, model_facts(engine)
        self.journal, self.costs, self.cells = journal, costs, planned
        self.name = (
            engine.facts.name if len(settings.models) > 1 else ""
        )  # for messages, where there are several
        self.form = settings.form_of(engine.tokenizer)
        fit, self.others = pairing.apart(methods, engine.facts.shape, settings.lengths_tokens)
        found.does_not_apply += [
            f"{engine.facts.name}: {', '.join(names)}: {why}" for why, names in self.others.items()
        ]
        self._take(fit)
        self.sessions = SessionStore(settings.out)
        self.gaps = found.gaps
        trained = engine.facts.trained_tokens
        self.marks = (
            (BEYOND_TRAINED,)
            if trained is not None and engine.facts.window_tokens > trained
            else ()
        )
        self._costed: dict[int, int] = {}  # length -> sessions measured

    def _take(self, methods: Sequence[Method]) -> None:
        self.methods = list(methods)
        self.by_spelling = {str(method): method for method in methods}
        self.method_facts = {
            str(m): MethodFacts(
                spelling=str(m), parameters={"stages": repr(m), "source": m.source_digest}
            )
            for m in methods
        }
        self._at_length: dict[
            int, tuple[str, ...]
        ] = {}  # spellings, where lengths have methods of their own

    def _facts_at(self, length_tokens: int) -> list[MethodFacts]:
        return [
            self.method_facts[spelling]
            for spelling in self._at_length.get(length_tokens, tuple(self.method_facts))
        ]

    def _equalise(self) -> None:
        """Put methods that hold equal bytes, length by length, in the place of those that were asked for."""
        found = solve_run(self.settings, self.engine, self.methods, self.facts)
        self._take(
            [
                parse(spelling)
                for spelling in dict.fromkeys(text for one in found for text in one.methods)
            ]
        )
        self._at_length = {one.length_tokens: one.methods for one in found}
        for line in [line for one in found for line in one.gaps]:
            self._gap(line)

    def _gap(self, text: str) -> None:
        self.gaps.append(f"{self.name}: {text}" if self.name else text)

    def _keep(self, record: Record) -> None:
        self.journal.append(replace(record, notes=(*record.notes, *self.marks)))

    def everything(self, *, quiet: bool) -> None:
        if self.settings.equal_bytes is None:
            equal_table.forget(self.settings.out)
        else:
            with Progress(1, what="equal bytes", quiet=quiet) as progress:
                progress.step("each method at the bytes it may hold")
                self._equalise()
        if not self.methods:
            return
        planned = plan(self.settings, self.methods, self.engine.facts, self.form)
        rows = {(row.task, row.asked_tokens): row for row in planned}
        total = sum(row.flops for row in rows.values())
        with Progress(total, what=f"run {self.name}".strip(), quiet=quiet) as progress:
            for item in suite(self.settings, self.engine):
                row = rows.get((item.task.name, item.length_tokens)) or next(iter(rows.values()))
                progress.step(item.label)
                self._item(item, row.flops / row.sessions, progress)

    def _item(self, item: Item, units: float, progress: Progress) -> None:
        if item.session is None:
            self._gap(f"{item.label}: {item.why}")
            progress.say(f"no session: {item.label}: {item.why}")
            progress.advance(units)
            return
        self.sessions.put(item.session)
        mine = list(self._cells_of(item))
        self.cells += mine
        jobs = [job for cell in mine if (job := self._job(cell)) is not None]
        spent = [0.0]
        per_token = 2.0 * max(1, self.engine.facts.params)

        def on_tokens(tokens: int) -> None:
            step = min(tokens * per_token, units - spent[0])
            spent[0] += step
            progress.advance(step)

        if jobs:
            player = SessionRun(
                self.engine,
                item.session,
                self.settings.protocol,
                emit=self._keep,
                needles=item.needles,
                on_tokens=on_tokens,
                lanes=self.settings.lanes,
            )
            player.play(jobs)
        self._cost(item, progress)
        progress.advance(units - spent[0])

    def _cells_of(self, item: Item) -> list[Cell]:
        assert item.session is not None
        session = SessionFacts(
            task=item.task.name,
            length_tokens=item.length_tokens,  # 0 for published rows: their lengths are their own
            seed=item.seed,
            turns=len(item.session.turns),
            digest=item.session.digest,
            code=CodeFacts(task_version=item.task.version, rules=RULES),
            form=self.form,
        )
        return list(
            cells(
                [session],
                modes=self.settings.modes,
                methods=self._facts_at(item.length_tokens),
                model=self.facts,
                protocol=self.settings.protocol,
            )
        )

    def _job(self, cell: Cell) -> Job | None:
        """What is left to play of a cell, with the answers it already has."""
        todo = set(self.journal.missing_turns(cell, retry_failed=self.settings.retry_failed))
        if not todo:
            return None
        done = self.journal.done_turns(cell.key, retry_failed=self.settings.retry_failed)
        answers = {
            turn: record.answer.text for turn, record in done.items() if record.answer is not None
        }
        return Job(cell, self.by_spelling[cell.method], todo, answers)

    def _cost(self, item: Item, progress: Progress) -> None:
        """The cost pass on the first sessions of each length."""
        assert item.session is not None
        length = item.length_tokens
        if self._costed.get(length, 0) >= self.settings.cost_sessions:
            return
        self._costed[length] = self._costed.get(length, 0) + 1
        about = {
            "session": item.session.digest,
            "model": self.facts,
            "repeats": self.settings.cost_repeats,
            "protocol": self.settings.protocol,
        }
        keys = {
            facts.spelling: digest({**about, "method": facts}) for facts in self._facts_at(length)
        }
        wanted = [
            self.by_spelling[spelling] for spelling, key in keys.items() if key not in self.costs
        ]
        if not wanted:
            return
        progress.step(f"cost pass, {item.label}")
        try:
            rows = cost_of(
                self.engine,
                item.session,
                wanted,
                self.settings.protocol,
                repeats=self.settings.cost_repeats,
            )
        except ScbenchError as error:
            self._gap(f"cost pass, {item.label}: {error}")
            return
        for row in rows:
            known: Mapping[str, Any] = {
                "key": keys[str(row["method"])],
                "model": self.facts.name,
                "length_tokens": length,
                "form": str(self.form),
                "sessions": 1,
            }
            self.costs.append({**known, **row})


def _plain(settings: Settings) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(
        canonical_json({**asdict(settings), "out": str(settings.out)})
    )
    return plain
