"""The player that runs a model in this process: one loop over the steps of a cell.

Cells of many methods are played together; `decode.drive` packs what they want fed into one forward.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any

from scbench.engines.contract import Engine, Feed
from scbench.kv import Stream
from scbench.methods.method import Method
from scbench.play.beside import side_by_side
from scbench.play.cell import CellPlay
from scbench.play.contract import Keep, Reply, Step, Steps
from scbench.play.decode import Aside, Lost, Play, Wish, decode, drive
from scbench.play.evidence import EvidenceMemory
from scbench.play.gold import GoldPass, scored
from scbench.play.patterns import pattern_of
from scbench.play.pooled import refuse_timing
from scbench.play.reads import Reads
from scbench.play.sampling import chooser
from scbench.play.session_evidence import SessionEvidence
from scbench.play.sources import Opened, Own, Source, pooled_source
from scbench.play.strands import Strand, apart
from scbench.play.talks import Talks
from scbench.play.turn import answer_notes, turn_cost
from scbench.prompts import Rendering
from scbench.types import CompressAfter, Mode

LANES = 48  # advanced together; more wait
Emit = Callable[[CellPlay, int, Rendering, Reply], None]  # of an answered turn


class LocalPlayer:
    """Answers steps with `engine`. `emit` gets each reply as it is made; `on_tokens` is told tokens
    read and decoded; `gold` feeds the gold answers too; `evidence` keeps what was held of each
    turn's own. With `debug` the first exception of a method is raised as it is."""

    def __init__(
        self,
        engine: Engine,
        talks: Talks,
        *,
        emit: Emit,
        gold: GoldPass | None = None,
        evidence: EvidenceMemory | None = None,
        lanes: int = LANES,
        on_tokens: Callable[[int], None] | None = None,
        debug: bool = False,
        reads: Reads | None = None,
    ) -> None:
        self.engine = engine
        self.talks = talks
        self.emit = emit
        self.gold = gold
        self.evidence = SessionEvidence(talks, engine.facts.shape, gold, evidence)
        self.lanes = lanes
        self.on_tokens = on_tokens
        self.debug = debug
        self.reads = reads or Reads(engine, on_tokens)
        self._own: dict[tuple[Method, Mode], Own] = {}  # of samples, which share what was made

    def strands_of(self, cell: CellPlay) -> list[Strand]:
        """How a cell is played: side by side where its steps share no more than the context.

        Raises Mismatch for a method that cannot work on this model or this protocol.
        """
        protocol = self.talks.protocol
        mode, method = cell.cell.mode, cell.method
        talk = self.talks.talk(mode, method.generation)
        after = protocol.compresses_after(mode)
        acts_on = talk.context if after is CompressAfter.CONTEXT else talk.prompt(0)
        method.check(shape=self.engine.facts.shape, tokens=len(acts_on.ids))
        refuse_timing(method, after)
        pattern = pattern_of(mode, protocol)
        source = self.source(method, talk, after)
        # A pool remembers the requests before.
        if pattern.waits or method.retrieval.traits.is_pooled:
            start = partial(self._strand, cell, talk, source, partial(pattern.steps, talk))
            return [Strand(cell, frozenset(cell.todo), start)]
        strands = []
        for steps in apart(self.talks.steps(talk)):
            turns = frozenset(step.turn for step in steps if step.turn in cell.todo)
            if turns:
                start = partial(self._ahead, cell, talk, source(), steps)
                strands.append(Strand(cell, turns, start))
        return strands

    def run(self, strands: Sequence[Strand], *, at_once: int) -> list[Lost]:
        """Play strands to their end, at most so many together; those that failed come back."""
        self._own.clear()
        plays = [strand.start() for strand in strands]
        return drive(self.engine, plays, lanes=at_once, on_tokens=self.on_tokens, debug=self.debug)

    def one(
        self,
        cell: CellPlay,
        talk: Rendering,
        source: Source,
        step: Step,
        states: dict[str, Stream],
    ) -> Reply:
        """One step by itself, to its end; what it raises is raised."""
        replies: list[Reply] = []

        def play() -> Play:
            opened = yield from self._read(cell, talk, source, step, states)
            replies.append(
                (yield from self._answer(cell, talk, step, opened))
                if opened is not None
                else cell.known(step.turn)
            )

        drive(self.engine, [play()], lanes=1, on_tokens=self.on_tokens, debug=True)
        return replies[0]

    def source(self, method: Method, talk: Rendering, after: CompressAfter) -> Callable[[], Source]:
        """What makes a strand's source: one for all of them, or a pool that begins anew."""
        if method.retrieval.traits.is_pooled:
            return partial(pooled_source, self.reads, method, talk, after)
        own = self._own.setdefault((method, talk.mode), Own(self.reads, method, talk, after))
        return lambda: own

    def _strand(
        self,
        cell: CellPlay,
        talk: Rendering,
        make_source: Callable[[], Source],
        make_steps: Callable[[], Steps],
    ) -> Play:
        """The one loop over turns that wait for each other: each step goes on from the state that
        its parent left."""
        source, steps = make_source(), make_steps()
        states: dict[str, Stream] = {}
        reply: Reply | None = None
        try:
            while cell.todo:
                try:
                    step = steps.send(reply)
                except StopIteration:
                    return
                opened = yield from self._read(cell, talk, source, step, states)
                reply = cell.known(step.turn)
                if opened is not None:
                    reply = yield from self._answer(cell, talk, step, opened)
        finally:
            source.close()

    def _ahead(
        self, cell: CellPlay, talk: Rendering, source: Source, steps: Sequence[Step]
    ) -> Play:
        """The same loop where no step waits for a reply: it reads on while answers are decoded."""
        states: dict[str, Stream] = {}
        left = {step.turn for step in steps if step.turn in cell.todo}
        for step in steps:
            if not left:
                return
            opened = yield from self._read(cell, talk, source, step, states)
            if opened is not None:
                assert step.turn is not None
                left.discard(step.turn)
                yield Aside(step.turn, self._answer(cell, talk, step, opened))

    def _read(
        self,
        cell: CellPlay,
        talk: Rendering,
        source: Source,
        step: Step,
        states: dict[str, Stream],
    ) -> Generator[Wish, Any, Opened | None]:
        """A step's prompt, read; its state stays where the step says so. What is to be answered
        comes back: a stream to decode into, with the logits after the prompt."""
        is_root = step.is_material and step.parent is None  # read when something goes on from it
        is_asked = step.turn in cell.todo
        if is_root or (not is_asked and step.keep is Keep.NOTHING):
            return None
        stream, logits_V, served = source.open(step, _state_of(step, states))
        if logits_V is None:
            rest = talk.delta(stream.ids, step.prompt)
            grown = source.grow(stream, rest) if step.is_material else None
            if grown is None:
                if is_asked:
                    self.evidence.watch(stream, cell, talk, step.turn)
                logits_V = yield Feed(stream, rest)
            stream = grown or stream
        if step.keep is not Keep.NOTHING:
            states[step.id] = stream
        if not is_asked:
            return None
        onlooker, stream.onlooker = stream.onlooker, None
        own = stream.fork() if step.keep is Keep.PROMPT else stream
        own.onlooker = onlooker
        return Opened(own, logits_V, served)

    def _answer(
        self, cell: CellPlay, talk: Rendering, step: Step, opened: Opened
    ) -> Generator[Wish, Any, Reply]:
        """Decode into the stream, the gold answer beside it, and hand the reply on."""
        stream, logits_V, served = opened
        assert step.turn is not None
        assert logits_V is not None, "material is not asked"
        if step.prompt.opening:
            logits_V = yield Feed(stream, step.prompt.opening)
        shape = self.engine.facts.shape
        prompt_tokens = stream.logical_tokens
        evidence = self.evidence.of(stream, cell, talk, step.turn)
        gold, answer = yield from side_by_side(
            scored(self.gold, cell.cell, step, stream, logits_V, evidence.pay),
            decode(
                stream,
                logits_V,
                tokenizer=self.engine.tokenizer,
                limit_tokens=step.limit_tokens,
                stops=step.stops,
                thinking=step.thinking,
                choose=chooser(
                    self.talks.protocol.answering,
                    self.engine.tokenizer,
                    key=cell.cell.key,
                    turn=step.turn,
                ),
            ),
        )
        stream.onlooker = None
        reply = Reply(
            answer=answer,
            gold=gold,
            cost=turn_cost(stream, cell.method, served, prompt_tokens, shape),
            evidence=self.evidence.settle(cell, step.turn, evidence),
            prompt_tokens=prompt_tokens,
            notes=(
                *stream.notes,
                *self.reads.blend_notes(cell.method, talk),
                *answer_notes(answer, step.thinking),
            ),
            units=stream.units,
        )
        self.emit(cell, step.turn, talk, reply)
        return reply


def _state_of(step: Step, states: dict[str, Stream]) -> Stream | None:
    """The state that a step goes on from, to write to; None where that is the shared context."""
    if step.parent is None or step.parent not in states:
        return None
    return states.pop(step.parent) if step.ends_parent else states[step.parent].fork()
