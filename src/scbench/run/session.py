"""One session under many methods and both modes: read each distinct prefix once, fork, decode everything together, write records.

context ──read──▶ snapshot ──fork per method──▶ stream ──┬─ multi-request: a child per turn; what it adds is thrown away
   └── + first query (read densely, shared) ──▶ snapshot └─ multi-turn: questions and history stay, each answer is decoded in a child
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from scbench.engines.contract import Engine, Feed
from scbench.engines.lab_models import beyond
from scbench.errors import ReuseBroken, ScbenchError
from scbench.kv import Stream
from scbench.methods.contract import Generation
from scbench.methods.fork import fork
from scbench.methods.method import Method
from scbench.prompts import Conversation
from scbench.run.decode import Lost, Play, decode, drive
from scbench.run.faults import FAULTS, Fault, fault_of
from scbench.run.gold import DENSE, GoldPass
from scbench.run.guard import torch_state_kept
from scbench.run.pooled import PooledReads, Served, refuse_timing
from scbench.run.reads import Reads
from scbench.run.record import Needles, answered, failed
from scbench.run.rewriting import rewritten
from scbench.run.turn import evidence_kept, turn_cost
from scbench.run.voices import Voices
from scbench.types import (
    Cell,
    CompressAfter,
    GoldScore,
    History,
    Mode,
    Protocol,
    Record,
    Session,
)

LANES = 48  # plays advanced together; more wait
SAID_IN_FULL = ("refused", "too-long", "changed-shared-cache")  # a traceback would add nothing


@dataclass(slots=True)
class Job:
    """A cell to play: the turns that have no record yet, and the answers of those that have (for the model's own history)."""

    cell: Cell
    method: Method
    todo: set[int]
    answers: dict[int, str] = field(default_factory=dict)
    made: str = ""  # digest of what makes its answers, for the record


class SessionRun:
    """Plays the jobs of one session.

    `emit` gets each record as it is made; `on_tokens` is told tokens read and decoded, for
    progress; `keep_trace` keeps a traceback and returns where; `scored` names what scores; `gold`
    feeds the gold answers too; `voices` keeps what a stranger's method prints. With `debug` the
    first exception of a method is raised as it is.
    """

    def __init__(
        self,
        engine: Engine,
        session: Session,
        protocol: Protocol,
        *,
        emit: Callable[[Record], None],
        needles: Needles,
        on_tokens: Callable[[int], None] | None = None,
        lanes: int = LANES,
        keep_trace: Callable[[str], str] | None = None,
        scored: str = "",
        debug: bool = False,
        gold: GoldPass | None = None,
        voices: Voices | None = None,
    ) -> None:
        self.engine = engine
        self.protocol = protocol
        # A shorter limit only cuts answers: the turns and the golds stay those of the session.
        self.session = capped(session, protocol.max_new_tokens)
        self.emit = emit
        self.needles = needles
        self.on_tokens = on_tokens
        self.lanes = lanes
        self.keep_trace = keep_trace
        self.scored = scored
        self.gold = gold
        self.debug = debug
        self.voices = voices
        self.reads = Reads(engine, on_tokens)
        self._conversations: dict[tuple[Mode, Generation | None], Conversation | ScbenchError] = {}
        self._rewritten: dict[Generation, Session] = {}

    def play(self, jobs: Sequence[Job]) -> None:
        """Play all jobs, those that read the context in the same way together.

        A cell that fails becomes records of failure; others go on. Methods that are not ours
        come after ours, one at a time, each from snapshots that are looked at again afterwards.
        """
        by_generation: dict[Generation, list[Job]] = {}
        if self.gold is not None:  # what dense says is what all others are compared with
            jobs = sorted(jobs, key=lambda job: job.cell.method != DENSE)
        for job in jobs:
            by_generation.setdefault(job.method.generation, []).append(job)
        for together in by_generation.values():
            self.reads.needs = frozenset().union(*(job.method.needs for job in together))
            ours = [job for job in together if job.method.is_ours]
            if self.gold is not None:
                self._play_together([job for job in ours if job.cell.method == DENSE])
            self._play_together([job for job in ours if job.todo])
            strangers: dict[Method, list[Job]] = {}
            for job in together:
                if not job.method.is_ours:
                    strangers.setdefault(job.method, []).append(job)
            for method, its_jobs in strangers.items():
                with nullcontext() if self.voices is None else self.voices.of(str(method)):
                    self._play_guarded(its_jobs)
            self.reads.forget()

    def _play_guarded(self, jobs: Sequence[Job]) -> None:
        """Play one stranger's method; if it wrote into a shared snapshot, its turns are gaps, its
        answers are dropped, and whoever comes next reads anew."""
        turns = {id(job): frozenset(job.todo) for job in jobs}
        records: list[Record] = []
        emit = self.emit
        self.emit = records.append
        try:
            with self.reads.watched() as whole, torch_state_kept() as changed:
                torch.manual_seed(seed_of(self.session, jobs[0].method))
                self._play_together(jobs)
        finally:
            self.emit = emit
        if whole == [True] and not changed:
            for record in records:
                emit(record)
            return
        did = f"changed {' and '.join(changed)} of torch" if changed else "wrote into the cache"
        why = ReuseBroken(
            f"{jobs[0].method} {did} that it shares with all other methods; its answers are left "
            "out, and the others read the context anew. Work on copies (.clone())"
        )
        self.reads.forget_all()
        for job in jobs:
            job.todo |= turns[id(job)]
            self._fail(job, fault_of(why), turns[id(job)])

    def _play_together(self, jobs: Sequence[Job]) -> None:
        plays: list[tuple[Job, frozenset[int], Callable[[], Play]]] = []
        for job in jobs:
            try:
                plays += [(job, turns, make) for turns, make in self._plays(job)]
            except FAULTS as error:
                if self.debug:
                    raise
                self._fail(job, fault_of(error), frozenset(job.todo))
        lost = self._drive([make() for _, _, make in plays], self.lanes)
        for one in lost:
            job, turns, _ = plays[one.at]
            if one.is_own:
                self._fail(job, one.fault, turns)
        # A shared forward failed: alone, each either works or fails for a reason of its own.
        for one in lost:
            job, turns, make = plays[one.at]
            if not one.is_own:
                for again in self._drive([make()], 1):
                    self._fail(job, again.fault, turns)

    def _drive(self, plays: Sequence[Play], lanes: int) -> list[Lost]:
        return drive(self.engine, plays, lanes=lanes, on_tokens=self.on_tokens, debug=self.debug)

    def shown(self, generation: Generation) -> Session:
        """The session as a generation stage lets the model see it: itself, or with words of its context left out."""
        if not generation.rewrites:
            return self.session
        if generation not in self._rewritten:
            self._rewritten[generation] = rewritten(self.session, generation)
        return self._rewritten[generation]

    def conversation(self, mode: Mode, generation: Generation) -> Conversation:
        """The session's rendering under one mode, made once; raises the same error each time if it cannot be."""
        session = self.shown(generation)
        key = (mode, generation if generation.rewrites else None)
        if key not in self._conversations:
            try:
                made: Conversation | ScbenchError = Conversation(
                    session,
                    self.engine.tokenizer,
                    self.protocol,
                    mode,
                    self.engine.facts.window_tokens,
                )
            except ScbenchError as error:
                made = error.with_traceback(None)  # its frames hold what it was raised over
            self._conversations[key] = made
        found = self._conversations[key]
        if isinstance(found, ScbenchError):
            raise found
        return found

    def _plays(self, job: Job) -> list[tuple[frozenset[int], Callable[[], Play]]]:
        """The plays of a cell and the turns each answers: one for a conversation, one per request where requests are independent."""
        everything = frozenset(job.todo)
        talk = self.conversation(job.cell.mode, job.method.generation)
        after = self.protocol.compresses_after(job.cell.mode)
        tokens = (
            len(talk.context.ids) if after is CompressAfter.CONTEXT else len(talk.prompt(0).ids)
        )
        job.method.check(shape=self.engine.facts.shape, tokens=tokens)
        if job.method.retrieval.pooled:
            refuse_timing(job.method, after)
            return [(everything, lambda: self._pooled(job, talk, after))]
        if job.cell.mode is Mode.MULTI_TURN and self.protocol.history is not History.NONE:
            return [(everything, lambda: self._multi_turn(job, talk, after))]
        if after is CompressAfter.FIRST_QUERY:
            return [
                (frozenset({turn}), partial(self._aware_request, job, talk, turn))
                for turn in sorted(job.todo)
            ]
        shared: list[Stream] = []
        return [
            (frozenset({turn}), partial(self._request, job, talk, turn, shared))
            for turn in sorted(job.todo)
        ]

    # -- plays ---------------------------------------------------------------------------------------------------------------------------

    def _request(self, job: Job, talk: Conversation, turn: int, shared: list[Stream]) -> Play:
        """One request from the bare context: all requests of the method look at the same store."""
        if turn not in job.todo:
            return
        if not shared:
            shared.append(fork(self.reads.context(job.method, talk), job.method))
        base, prompt = shared[0], talk.prompt(turn)
        stream = base.fork()
        logits = yield Feed(stream, talk.delta(stream.ids, prompt))
        yield from self._answer(job, talk, turn, stream, logits, served=Served(base.logical_tokens))

    def _aware_request(self, job: Job, talk: Conversation, turn: int) -> Play:
        """One request whose own query was seen by the compression."""
        if turn not in job.todo:
            return
        served = Served(len(talk.context.ids))
        snapshot = self.reads.with_query(job.method, talk, turn)
        yield from self._answer(
            job, talk, turn, fork(snapshot, job.method), snapshot.logits_V, served=served
        )

    def _multi_turn(self, job: Job, talk: Conversation, after: CompressAfter) -> Play:
        """A conversation: the stream keeps questions and history; answers are decoded in children that are thrown away."""
        stream: Stream | None = None
        answers: list[str] = []
        for turn in range(job.cell.turns):
            if not job.todo:
                return
            prompt = talk.prompt(turn, answers)
            hit_tokens = 0 if stream is None else stream.logical_tokens
            if stream is None and after is CompressAfter.FIRST_QUERY:
                snapshot = self.reads.with_query(job.method, talk, turn)
                stream, logits = fork(snapshot, job.method), snapshot.logits_V
            else:
                stream = stream or fork(self.reads.context(job.method, talk), job.method)
                logits = yield Feed(stream, talk.delta(stream.ids, prompt))
            if turn in job.todo:
                yield from self._answer(
                    job, talk, turn, stream.fork(), logits, served=Served(hit_tokens)
                )
            answers.append(
                job.answers.get(turn, "")
                if self.protocol.history is History.MODEL
                else self.session.turns[turn].gold
            )

    def _pooled(self, job: Job, talk: Conversation, after: CompressAfter) -> Play:
        """Every request reads its prefix through a pool that begins with the context. What a stage makes of it is made for each request anew; a
        conversation goes on with what was made of its first turn."""
        grows = job.cell.mode is Mode.MULTI_TURN and self.protocol.history is not History.NONE
        reads = PooledReads.begin(
            self.engine,
            job.method,
            talk.context.ids,
            lambda: self.reads.read(talk.context.ids, job.method.generation),
            self.on_tokens,
        )
        stream: Stream | None = None
        answers: list[str] = []
        try:
            for turn in range(job.cell.turns):
                if not job.todo:
                    return
                prompt = talk.prompt(turn, answers)
                if stream is not None and grows and reads.acts:
                    served = Served(stream.logical_tokens)
                    logits = yield Feed(stream, talk.delta(stream.ids, prompt))
                elif reads.acts and after is CompressAfter.CONTEXT:
                    snapshot, served = reads.get(talk.context.ids)
                    stream = fork(snapshot, job.method)
                    logits = yield Feed(stream, talk.delta(stream.ids, prompt))
                else:
                    snapshot, served = reads.get(prompt.ids)
                    snapshot.question_tokens = len(prompt.ids) - len(talk.context.ids)
                    stream, logits = fork(snapshot, job.method), snapshot.logits_V
                if turn in job.todo:
                    yield from self._answer(job, talk, turn, stream.fork(), logits, served=served)
                answers.append(
                    job.answers.get(turn, "")
                    if self.protocol.history is History.MODEL
                    else self.session.turns[turn].gold
                )
        finally:
            reads.close()

    def _answer(
        self,
        job: Job,
        talk: Conversation,
        turn: int,
        stream: Stream,
        logits_V: Tensor,
        *,
        served: Served,
    ) -> Play:
        """Decode into a stream of its own, score, and write the record."""
        prompt_tokens = stream.logical_tokens
        kv_heads = self.engine.facts.shape.kv_heads
        shown = self.shown(job.method.generation)
        kept = evidence_kept(self.session, shown, talk, turn, stream, job.method, kv_heads)
        gold = yield from self._gold(job, talk, turn, stream, logits_V)
        answer = yield from decode(
            stream,
            logits_V,
            tokenizer=self.engine.tokenizer,
            limit_tokens=self.session.turns[turn].max_new_tokens,
            stop_text=talk.stop_text(turn),
        )
        cost = turn_cost(stream, job.method, served, prompt_tokens, kv_heads)
        record = answered(
            job.cell,
            self.session,
            turn,
            answer,
            cost,
            prompt_tokens=prompt_tokens,
            talk=talk,
            kept=kept,
            notes=(*stream.notes, *self.reads.blend_notes(job.method, talk)),
            units=stream.units,
            needles=self.needles,
            made=job.made,
            scored=self.scored,
            gold=gold,
        )
        job.answers[turn] = answer.text
        job.todo.discard(turn)
        self.emit(record)

    def _gold(
        self, job: Job, talk: Conversation, turn: int, stream: Stream, logits_V: Tensor
    ) -> Generator[Feed, Tensor, GoldScore | None]:
        if self.gold is None:
            return None
        score = yield from self.gold.score(
            stream,
            logits_V,
            talk.gold_ids(turn),
            cell=job.cell,
            turn=turn,
        )
        return score

    def _fail(self, job: Job, fault: Fault, turns: frozenset[int]) -> None:
        """Failure records for those of `turns` that have none yet: named gaps, and the run goes on."""
        failure, facts = fault.failure, self.engine.facts
        if failure.kind == "too-long" and facts.trained_tokens == facts.window_tokens:
            why = f"{failure.why}. {beyond(facts.name, facts.window_tokens)}"
            failure = replace(failure, why=why)
        if self.keep_trace is not None and failure.kind not in SAID_IN_FULL:
            failure = replace(failure, trace=self.keep_trace(fault.trace))
        for turn in sorted(job.todo & turns):
            self.emit(failed(job.cell, self.session, turn, failure, job.made))
        job.todo -= turns


def seed_of(session: Session, method: Method) -> int:
    """Of what a method draws in a session: the same command gives the same answers."""
    text = f"{session.digest} {method}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")


def capped(session: Session, max_new_tokens: int | None) -> Session:
    """The session with no turn's limit above `max_new_tokens`."""
    if max_new_tokens is None:
        return session
    turns = tuple(
        replace(turn, max_new_tokens=min(turn.max_new_tokens, max_new_tokens))
        for turn in session.turns
    )
    return replace(session, turns=turns)
