"""One model of a run: what is left of its cells is played, and its cost pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from scbench.engines.contract import Engine
from scbench.grid import pairing
from scbench.grid.books import Books
from scbench.grid.costs import cost_of
from scbench.grid.equal import solve_run
from scbench.grid.forecast import (
    cost_piece_of,
    piece_of,
    works_of,
)
from scbench.grid.identity import (
    card_of,
    cost_code,
    method_facts,
    model_facts,
    scoring_digest,
)
from scbench.grid.outcome import Outcome
from scbench.grid.plan import plan
from scbench.grid.progress import Progress
from scbench.grid.settings import Settings
from scbench.grid.suite import Item, suite
from scbench.grid.unit_sizes import as_sized
from scbench.ledger import equal_table
from scbench.ledger.cells import MadeBy, SessionFacts, cells, digest
from scbench.methods import parse, refuse_twins
from scbench.methods.method import Method
from scbench.play.cell import CellPlay
from scbench.play.faults import keeper
from scbench.play.gold import DENSE, GoldPass
from scbench.play.played_code import play_code
from scbench.play.session import SessionPlay
from scbench.play.voices import Voices
from scbench.types import BEYOND_TRAINED, Cell, History, Record


class ModelPass:
    """One pass of one model over the suite. Its cells go to the ledger, what it could not do to
    `outcome`.
    """

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        methods: Sequence[Method],
        books: Books,
        outcome: Outcome,
        progress: Progress,
        voices: Voices,
    ) -> None:
        self.settings = settings
        self.progress = progress
        self.voices = voices
        self.engine = engine
        self.books = books
        self.outcome = outcome
        self.facts = model_facts(engine)
        self.code = play_code(engine)
        self.name = engine.facts.name if len(settings.models) > 1 else ""  # for messages
        self.form = settings.form_of(engine.tokenizer)
        is_fitted = settings.equal_share is not None
        fit, self.others = pairing.apart(
            methods, engine.facts.shape, settings.lengths_tokens, is_fitted=is_fitted
        )
        outcome.does_not_apply += [
            f"{engine.facts.name}: {', '.join(names)}: {why}" for why, names in self.others.items()
        ]
        self._take(as_sized(fit, settings, engine.facts.shape))
        trained = engine.facts.trained_tokens
        is_beyond = trained is not None and engine.facts.window_tokens > trained
        self.marks = (BEYOND_TRAINED,) if is_beyond else ()
        self._costed: Counter[int] = Counter()  # length -> sessions measured
        self.heard: Callable[[Record], None] = lambda record: None  # who hears of what is kept

    def _take(self, methods: Sequence[Method]) -> None:
        """The methods to play, each with the digest of all that makes its answers."""
        refuse_twins(methods)
        self.methods = list(methods)
        self.by_name = {str(method): method for method in methods}
        self.made_by: dict[str, str] = {}  # as shown -> digest, whole
        self.made: dict[str, str] = {}  # as shown -> its line of facts
        for name, method in self.by_name.items():
            made = MadeBy(model=self.facts, method=method_facts(method), code=self.code)
            self.made_by[name] = made.digest
            self.made[name] = self.books.facts.note_made(made, card_of(method))
        self._at_length: dict[int, tuple[str, ...]] = {}  # where lengths have methods of their own

    @property
    def presets(self) -> dict[str, str]:
        """What presets stand for: method as shown -> with all of their numbers."""
        named = {name: method.resolved for name, method in self.by_name.items()}
        return {name: resolved for name, resolved in named.items() if resolved != name}

    def _made_at(self, length_tokens: int) -> dict[str, str]:
        names = self._at_length.get(length_tokens, tuple(self.made_by))
        return {name: self.made_by[name] for name in names}

    def _equalise(self) -> None:
        """Put methods that hold equal bytes, length by length, in the place of those that were
        asked for.
        """
        tables = solve_run(self.settings, self.engine, self.methods, self.facts)
        chosen = {one.length_tokens: [parse(text) for text in one.methods] for one in tables}
        self._take(list(dict.fromkeys(method for methods in chosen.values() for method in methods)))
        self._at_length = {length: tuple(map(str, methods)) for length, methods in chosen.items()}
        for line in [line for one in tables for line in one.gaps]:
            self._gap(line)

    def _gap(self, text: str) -> None:
        self.outcome.gaps.append(f"{self.name}: {text}" if self.name else text)

    def _keep(self, record: Record) -> None:
        self.progress.answers += 1
        kept = replace(record, notes=(*record.notes, *self.marks))
        self.books.journal.append(kept)
        self.heard(kept)

    def everything(self) -> None:
        if self.settings.equal_share is None:
            equal_table.forget(self.settings.out)
        else:
            self.progress.step(f"{self.facts.name}: fitting each method to the bytes it may take")
            self._equalise()
        if not self.methods:
            return
        tokenizer = self.engine.tokenizer
        rows = plan(self.settings, self.methods, self.engine.facts, self.form, tokenizer)
        works = works_of(self.settings, self.engine.facts, rows, len(self.methods))
        assert self.progress.forecast is not None
        self.progress.forecast.plan(self.facts.name, works)
        for line in self.books.history.announce(self.facts.name, self.made):
            self.outcome.superseded.append(line)
            self.progress.say(line)
        for item in suite(self.settings, self.engine):
            self._item(item)
        self._tell_changed_sessions()

    def _tell_changed_sessions(self) -> None:
        """What `announce` could not know: sessions that are made otherwise than they were."""
        for why, turns in self.books.history.superseded.items():
            if not any(why in line for line in self.outcome.superseded):
                self.outcome.superseded.append(
                    f"{turns:,} recorded turns no longer count, since the session, its length in "
                    "turns or its task was another; they were played again"
                )

    def _item(self, item: Item) -> None:
        what = piece_of(item.task.name, item.length_tokens)
        self.progress.begin(self.facts.name, what, f"{self.facts.name}: {item.label}")
        if item.session is None:
            self._gap(f"{item.label}: {item.why}")
            self.outcome.turns_unmade += self._turns_of(item)
            self.progress.say(f"no session: {item.label}: {item.why}")
            self.progress.end(worked=False)
            return
        self.books.sessions.put(item.session)
        if item.task.origin is not None:
            self.books.facts.note_task(item.task.card, item.task.origin)
        kinds = [item.task.card.subtask(turn.task) for turn in item.session.turns]
        has_needles = any(kind.is_function for kind in kinds)
        scored = scoring_digest(item.needles if has_needles else (), item.task.origin)
        meant = [
            self.books.history.meant(cell, self.made[cell.method]) for cell in self._cells_of(item)
        ]
        self.books.planned += meant
        for cell in meant:
            self.books.history.score_again(cell, item.session, item.needles, scored)
        jobs = [job for cell in meant if (job := self._job(cell)) is not None]
        todo = sum(len(job.todo) for job in jobs)
        self.progress.answers += sum(cell.turns for cell in meant) - todo  # there already
        if jobs:
            player = SessionPlay(
                self.engine,
                item.session,
                self.settings.protocol,
                emit=self._keep,
                needles=item.needles,
                lanes=self.settings.lanes,
                keep_trace=keeper(self.settings.out),
                scored=scored,
                debug=self.settings.debug,
                gold=self._gold_pass(meant),
                evidence=self.books.evidence,
                voices=self.voices,
            )
            player.play(jobs)
        self.progress.end(worked=bool(jobs))
        self._cost(item)

    def _turns_of(self, item: Item) -> int:
        """Turns that would have been asked of a session that could not be made."""
        turns = self.settings.turns or item.task.turns
        cells = len(self.settings.modes) * len(self._made_at(item.length_tokens))
        return turns * cells * self.settings.samples

    def _gold_pass(self, cells: Sequence[Cell]) -> GoldPass | None:
        if not self.settings.agreement:
            return None
        dense_keys = {
            cell.mode: cell.key for cell in cells if cell.method == DENSE and not cell.sample
        }
        return GoldPass(dense_keys=dense_keys, memory=self.books.dense)

    def _cells_of(self, item: Item) -> list[Cell]:
        assert item.session is not None
        origin = item.task.origin
        session = SessionFacts(
            task=item.task.name,
            length_tokens=item.length_tokens,  # 0 for published rows: their lengths are their own
            seed=item.seed,
            turns=len(item.session.turns),
            digest=item.session.digest,
            form=self.form,
            task_digest=origin.digest if origin is not None else "",
        )
        grid = cells(
            session,
            modes=self.settings.modes,
            made_by=self._made_at(item.length_tokens),
            model=self.facts.name,
            protocol=self.settings.protocol,
            samples=self.settings.samples,
        )
        return list(grid)

    def _job(self, cell: Cell) -> CellPlay | None:
        """What is left to play of a cell, with the answers it already has."""
        journal, retries = self.books.journal, self.settings.retry_failed
        todo = set(journal.missing_turns(cell, retry_failed=retries))
        if not todo or cell.key in self.books.history.kept:
            return None
        if self.settings.history is History.KEPT:
            todo = set(range(cell.turns))  # no record holds the KV of an answer
        done = journal.done_turns(cell.key, retry_failed=retries)
        answers = {
            turn: record.answer.text for turn, record in done.items() if record.answer is not None
        }
        return CellPlay(cell, self.by_name[cell.method], todo, answers, self.made[cell.method])

    def _cost(self, item: Item) -> None:
        """The cost pass on the first sessions of each length."""
        assert item.session is not None
        length = item.length_tokens
        if self._costed[length] >= self.settings.cost_sessions:
            return
        self._costed[length] += 1
        about = {
            "session": item.session.digest,
            "repeats": self.settings.cost_repeats,
            "protocol": self.settings.protocol,
            "code": cost_code(self.engine),
        }
        keys = {
            name: digest({**about, "made": made}) for name, made in self._made_at(length).items()
        }
        retries = self.settings.retry_failed
        wanted = [
            self.by_name[name]
            for name, key in keys.items()
            if not self.books.costs.has(key, retry_failed=retries)
        ]
        if not wanted:
            return
        doing = f"{self.facts.name}: cost pass, {item.label}"
        self.progress.begin(self.facts.name, cost_piece_of(length), doing)
        repeats = self.settings.cost_repeats
        for row in cost_of(
            self.engine,
            item.session,
            wanted,
            self.settings.protocol,
            repeats=repeats,
            voices=self.voices,
        ):
            known: Mapping[str, Any] = {
                "key": keys[str(row["method"])],
                "model": self.facts.name,
                "length_tokens": length,
                "form": str(self.form),
                "sessions": 1,
                "made": self.made[str(row["method"])],
            }
            self.books.costs.append({**known, **row})
            if "failure" in row:
                self._gap(f"cost pass, {item.label}: {row['method']}: {row['failure']}")
        self.progress.end()
