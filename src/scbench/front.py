"""Ask one question of one cache: load a model, read a text, put a method on it, ask.

    llm = scbench.load("smollm2-135m")
    doc = llm.read("The code is 4711. " + "Nothing happened. " * 200)
    doc.ask("What is the code?").text
    small = doc.under("snapkv[tau=1/4]")
    small.ask("What is the code?")

The same player answers here as in a run: `ask` gives what a run would record, token for token.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from scbench.console import tell
from scbench.engines.contract import Engine
from scbench.errors import BadConfig, Mismatch
from scbench.kv import Stream
from scbench.kv.accounting import counted_in, counted_shape
from scbench.methods import parse
from scbench.methods.method import Method
from scbench.play.cell import CellPlay
from scbench.play.contract import Keep, Reply, Step
from scbench.play.local import LocalPlayer
from scbench.play.patterns.asking import graded
from scbench.play.reads import Reads
from scbench.play.sources import Source
from scbench.play.talks import Talks
from scbench.prompts import Rendering
from scbench.task_cards import Subtask, TaskCard, bring
from scbench.types import (
    Accounting,
    Cell,
    CompressAfter,
    Finish,
    Mode,
    Protocol,
    Session,
    Turn,
    Wanted,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

TASK = "text_and_question"
# No task's own words stand around a text that somebody brings, and nothing but the model ends an
# answer. Its scorer is never asked.
bring(
    TaskCard(
        name=TASK,
        title="Text and question",
        subtasks=(Subtask(name=TASK, strict="contains", is_short=False),),
    )
)
ANSWER_TOKENS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An answer, and what it took. Bytes count 16-bit numbers, as in a run's tables."""

    text: str
    ids: tuple[int, ...]
    finish: Finish
    seconds: float  # from the question to the last token, the text being read
    held_bytes: int | None  # by the stream, after the last token
    dense_bytes: int  # what dense would hold then
    loaded_bytes: int | None  # per decode step; None where no step was decoded
    kept_tokens: float | None  # mean over layers and KV heads; None for a model without attention
    seen_tokens: int
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.text


@dataclass(slots=True)
class LanguageModel:
    """A loaded model. `scbench.load` and `scbench.wrap` make one."""

    engine: Engine

    @property
    def name(self) -> str:
        return self.engine.facts.name

    def read(self, text: str) -> Doc:
        """A text to ask about. It is read when it is first needed."""
        if not text.strip():
            raise BadConfig("the text to read is empty; give one with at least a word")
        return Doc(self, text)

    def __repr__(self) -> str:
        facts = self.engine.facts
        return f"LanguageModel({facts.name!r}, {facts.params:,} weights, {facts.dtype} on {facts.device})"


@dataclass(slots=True)
class Doc:
    """A text as a prefix that every question shares.

    It is read once for all methods that read alike and have no more to observe; a method that must
    see what nobody looked at costs another read, which is told and counted in `reads`.
    """

    llm: LanguageModel
    text: str
    reads: int = 0
    _reads: list[Reads] = field(default_factory=list, repr=False)
    _expected: frozenset[str] = frozenset()

    def under(self, method: str | Method, *, after: CompressAfter | str = "context") -> View:
        """The same text under a method, compressed after the `context` or the `first-query`.

        Raises Unknown, BadConfig or Mismatch for a method that does not exist or cannot be.
        """
        chosen = parse(method) if isinstance(method, str) else method
        if after not in list(CompressAfter):
            raise BadConfig(f"after={after!r}: it is one of {', '.join(CompressAfter)}")
        return View(self, chosen, CompressAfter(after))

    def ask(self, question: str, *, max_tokens: int = ANSWER_TOKENS) -> Said:
        """The answer of the whole cache (dense)."""
        return self.under("dense").ask(question, max_tokens=max_tokens)

    def chat(self) -> Chat:
        return self.under("dense").chat()

    def expect(self, *methods: str | Method) -> Doc:
        """Have the first read look at all that these methods must see, so that it is the only one."""
        needs = [parse(one).needs if isinstance(one, str) else one.needs for one in methods]
        self._expected |= frozenset().union(*needs)
        return self

    def _reads_for(self, method: Method) -> Reads:
        """The reads whose observations the method can live with, or new ones."""
        for reads in self._reads:
            if method.needs <= reads.needs:
                return reads
        reads = Reads(self.llm.engine, None, on_read=self._count)
        reads.needs = method.needs | self._expected
        self._reads.append(reads)
        return reads

    def _count(self, tokens: int) -> None:
        self.reads += 1
        if self.reads > 1:
            tell(f"{tokens:,} tokens, for a method that observes more", label="read again")

    def __repr__(self) -> str:
        return f"Doc({len(self.text):,} characters, read {self.reads} times by {self.llm.name})"


@dataclass(slots=True)
class View:
    """A text under a method. Questions do not disturb each other."""

    doc: Doc
    method: Method
    after: CompressAfter
    _sources: dict[tuple[int, ...], Source] = field(default_factory=dict, repr=False)

    def ask(self, question: str, *, max_tokens: int = ANSWER_TOKENS) -> Said:
        """One question from the bare text; what it adds to the cache is thrown away.

        Raises Mismatch for a method that cannot work on this text or model, TooLong, OutOfDevice.
        """
        return self.chat().ask(question, max_tokens=max_tokens, keep=False)

    def chat(self) -> Chat:
        """A conversation in which the KV of answers stays as it was generated."""
        return Chat(self)


@dataclass(slots=True)
class Chat:
    """Turns that go on from each other."""

    view: View
    said: list[Said] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    _states: dict[str, Stream] = field(default_factory=dict, repr=False)
    _ids: tuple[int, ...] = field(default=(), repr=False)

    def ask(self, question: str, *, max_tokens: int = ANSWER_TOKENS, keep: bool = True) -> Said:
        """The answer to the next question; without `keep` as if it had never been asked."""
        if not question.strip():
            raise BadConfig("the question is empty; give one with at least a word")
        if max_tokens < 1:
            raise BadConfig(f"max_tokens is {max_tokens}; an answer has at least one token")
        view = self.view
        engine, method = view.doc.llm.engine, view.method
        session = _session(view.doc.text, [*self.questions, question], self.said, max_tokens)
        protocol = Protocol(compress_after=view.after)
        mode = Mode.MULTI_TURN if self.questions else Mode.MULTI_REQUEST
        talks = Talks(engine, session, protocol)
        reads = view.doc._reads_for(method)
        player = LocalPlayer(engine, talks, emit=_nobody, reads=reads, debug=True)
        with counted_in(Accounting.BFLOAT16):
            talk = talks.talk(mode, method.generation)
            tokens = len(talk.context.ids)
            method.check(shape=engine.facts.shape, tokens=tokens)
            source = self._source(player, talk)
            step = self._step(talk, keep=keep)
            source.ready()
            started = time.perf_counter()
            reply = player.one(
                _cell(session, method, protocol, mode), talk, source, step, self._states
            )
            seconds = time.perf_counter() - started
            dense = counted_shape(engine.facts.shape).dense_bytes(reply.cost.logical_tokens or 0)
        said = _said(reply, seconds=seconds, dense_bytes=dense)
        if keep:
            self._ids = (*step.prompt.ids, *said.ids)
            self.questions.append(question)
            self.said.append(said)
        return said

    def _source(self, player: LocalPlayer, talk: Rendering) -> Source:
        """One for the view: the text is compressed once, however many questions follow."""
        sources, ids = self.view._sources, talk.context.ids
        if ids not in sources:
            sources[ids] = player.source(self.view.method, talk, self.view.after)()
        return sources[ids]

    def _step(self, talk: Rendering, *, keep: bool) -> Step:
        turn = len(self.questions)
        kept = Keep.ANSWER if keep else Keep.NOTHING
        if turn == 0:
            return replace(graded(talk, 0, parent="context"), keep=kept)
        asked = graded(talk, turn, answers=[one.text for one in self.said])
        ids = (*self._ids, *self._between(talk, turn))
        return replace(
            asked,
            prompt=replace(asked.prompt, ids=ids),
            parent=f"turn {turn}",
            ends_parent=keep,
            keep=kept,
        )

    def _between(self, talk: Rendering, turn: int) -> Sequence[int]:
        """What the template writes from the end of the last answer to the next one's header.

        Raises Mismatch for a template that renders earlier turns anew.
        """
        before, now = talk.prompt(turn - 1).text, talk.prompt(turn).text
        answer = self.said[-1].text.strip()
        at = now.find(answer, len(before))
        if not now.startswith(before) or at < 0:
            raise Mismatch(
                f"the chat template of {self.view.doc.llm.name} renders earlier turns anew, so a "
                "cache cannot be carried on; ask each question of the text alone: .ask()"
            )
        tokenizer = self.view.doc.llm.engine.tokenizer
        ids = tokenizer.encode(now[at + len(answer) :]).ids
        return ids[1:] if ids[:1] == (tokenizer.bos_id,) else ids


def load(
    name: str,
    *,
    dtype: str = "auto",
    device: str = "auto",
    window_tokens: int | None = None,
    trust_remote_code: bool = False,
) -> LanguageModel:
    """A model by its short name (`scbench list models`), folder or hub name. Raises as
    `engines.load.load`."""
    if name == "toy":
        from scbench.engines.toy import ToyEngine

        toy: Any = ToyEngine(window_tokens=window_tokens or 1 << 20)
        return LanguageModel(toy)
    from scbench.engines.load import load as load_local

    engine = load_local(
        name,
        dtype=dtype,
        device=device,
        window_tokens=window_tokens,
        trust_remote_code=trust_remote_code,
    )
    return LanguageModel(engine)


def wrap(model: Any, tokenizer: Any, *, name: str = "") -> LanguageModel:
    """A `transformers` causal LM in memory, with its tokenizer. Its attention is ours from now on.

    Raises Mismatch for a model whose attention this engine does not compute.
    """
    from scbench.engines.load import from_model

    named = name or str(getattr(model, "name_or_path", "") or type(model).__name__)
    return LanguageModel(from_model(model, tokenizer, name=named))


def _session(text: str, questions: list[str], said: list[Said], max_tokens: int) -> Session:
    """The text with its questions; answers given so far stand as the history."""
    golds = [*(one.text.strip() for one in said), ""]
    turns = tuple(
        Turn(task=TASK, ask=question, gold=gold, wanted=Wanted(golds=()), max_new_tokens=max_tokens)
        for question, gold in zip(questions, golds, strict=True)
    )
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return Session(
        task=TASK,
        context=text,
        turns=turns,
        counted=len(text),
        counter="characters",
        recipe={},
        digest=digest,
    )


def _cell(session: Session, method: Method, protocol: Protocol, mode: Mode) -> CellPlay:
    """The last turn of a session, as a cell that nobody records."""
    last = len(session.turns) - 1
    cell = Cell(
        task=TASK,
        length_tokens=0,
        seed="",
        mode=mode,
        model="",
        method=str(method),
        protocol=protocol,
        turns=len(session.turns),
        session_digest=session.digest,
        key="",
    )
    return CellPlay(cell, method, {last})


def _nobody(cell: CellPlay, turn: int, talk: Rendering, reply: Reply) -> None:
    """A question is no record."""


def _said(reply: Reply, *, seconds: float, dense_bytes: int) -> Said:
    assert reply.answer is not None, "the last turn was asked"
    answer, cost = reply.answer, reply.cost
    return Said(
        text=answer.text,
        ids=answer.ids,
        finish=answer.finish,
        seconds=seconds,
        held_bytes=cost.held_accounted_bytes,
        dense_bytes=dense_bytes,
        loaded_bytes=cost.loaded_bytes,
        kept_tokens=cost.stored_tokens,
        seen_tokens=cost.logical_tokens or 0,
        notes=reply.notes,
    )
