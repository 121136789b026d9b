"""The verbs of the front door and what they hand out: a model, a text, a view of it, a chat."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from scbench.engines.contract import Engine
from scbench.errors import Mismatch, ScbenchError, TooLong
from scbench.front.checks import (
    check_model,
    checked_after,
    checked_max_tokens,
    checked_method,
    checked_text,
)
from scbench.front.reads import TextReads
from scbench.front.said import AfterContext, NotedSource, Said, said_of
from scbench.front.session import cell_of, nobody, session_of, whole_tokens
from scbench.kv import Stream
from scbench.kv.accounting import counted_in
from scbench.methods.method import Method
from scbench.play.contract import Keep, Step
from scbench.play.local import LocalPlayer
from scbench.play.patterns.asking import graded
from scbench.play.sources import Source
from scbench.play.talks import Talks
from scbench.prompts import Rendering
from scbench.prompts.carried import carried
from scbench.types import Accounting, CompressAfter, Mode, Protocol

ANSWER_TOKENS = 64


@dataclass(slots=True)
class LanguageModel:
    """A loaded model. `scbench.load` and `scbench.wrap` make one."""

    engine: Engine

    @property
    def name(self) -> str:
        return self.engine.facts.name

    def read(self, text: str, *, quiet: bool = False) -> Doc:
        """A text to ask about. It is read when it is first needed. A second read is told at once
        unless `quiet`."""
        text = checked_text(text, what="text to read")
        return Doc(self, text, TextReads(self.engine, is_quiet=quiet))

    def __repr__(self) -> str:
        facts = self.engine.facts
        where = f"{facts.dtype} on {facts.device}"
        return f"LanguageModel({facts.name!r}, {facts.params:,} weights, {where})"


@dataclass(slots=True)
class Doc:
    """A text as a prefix that every question shares.

    It is read once for all methods that read alike and have no more to observe; a method that must
    see what nobody looked at costs another read, which is told and counted in `reads`.
    """

    llm: LanguageModel
    text: str
    read_by: TextReads = field(repr=False)

    def under(self, method: str | Method, *, after: CompressAfter | str = "context") -> View:
        """The same text under a method, compressed after the `context` or the `first-query`.

        Raises Unknown, BadConfig or Mismatch for a method that does not exist or cannot be.
        """
        return View(self, checked_method(method), checked_after(after))

    def ask(self, question: str, *, max_tokens: int = ANSWER_TOKENS) -> Said:
        """The answer of the whole cache (dense)."""
        return self.under("dense").ask(question, max_tokens=max_tokens)

    def chat(self) -> Chat:
        return self.under("dense").chat()

    def expect(self, *methods: str | Method) -> Doc:
        """Have the first read look at all that these methods must see: it is the only one then."""
        needs = [checked_method(method).needs for method in methods]
        self.read_by.expected |= frozenset().union(*needs)
        return self

    def refusals(
        self,
        methods: Sequence[Method],
        question: str,
        *,
        after: CompressAfter | str = "context",
        max_tokens: int = ANSWER_TOKENS,
    ) -> dict[Method, ScbenchError]:
        """Why some of these methods cannot be asked, as `ask` would raise it. The text is not read,
        so that a model without weights will do (`scouted`)."""
        refused: dict[Method, ScbenchError] = {}
        talks: Talks | None = None
        for method in methods:
            chat = self.under(method, after=after).chat()
            talks = talks or chat.talks(question, max_tokens)
            try:
                chat.rendered(talks)
            except TooLong as error:
                refused[method] = chat.too_long(talks, error)
            except ScbenchError as error:
                refused[method] = error
        return refused

    @property
    def reads(self) -> int:
        """How often the text was read."""
        return self.read_by.times

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

    def under(self, method: str | Method) -> View:
        """A view has its method: raises Mismatch, which says how two are joined."""
        other = checked_method(method)
        raise Mismatch(
            f"this is the text under {self.method} already; join stages in one spelling, "
            f"doc.under('{self.method}+{other}'), or begin from the text: doc.under('{other}')"
        )

    def __repr__(self) -> str:
        return f"View({str(self.method)!r}, after={str(self.after)!r}, {self.doc!r})"


@dataclass(slots=True)
class Chat:
    """Turns that go on from each other."""

    view: View
    said: list[Said] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    _states: dict[str, Stream] = field(default_factory=dict, repr=False)
    _ids: tuple[int, ...] = field(default=(), repr=False)
    _after_context: AfterContext | None = field(default=None, repr=False)

    def ask(self, question: str, *, max_tokens: int = ANSWER_TOKENS, keep: bool = True) -> Said:
        """The answer to the next question; without `keep` as if it had never been asked."""
        talks = self.talks(question, max_tokens)
        with counted_in(Accounting.BFLOAT16):
            try:
                said, step = self._asked(talks, keep=keep)
            except TooLong as error:
                raise self.too_long(talks, error) from error
        if keep:
            self._ids = (*step.prompt.whole.ids, *said.ids)
            self.questions.append(question)
            self.said.append(said)
        return said

    def talks(self, question: str, max_tokens: int) -> Talks:
        """The text with all questions so far, as a session."""
        checked_text(question, what="question")
        checked_max_tokens(max_tokens)
        session = session_of(
            self.view.doc.text,
            [*self.questions, question],
            [one.text for one in self.said],
            max_tokens,
        )
        protocol = Protocol(compress_after=self.view.after)
        return Talks(self.view.doc.llm.engine, session, protocol)

    @property
    def _mode(self) -> Mode:
        return Mode.MULTI_TURN if self.questions else Mode.MULTI_REQUEST

    def rendered(self, talks: Talks) -> Rendering:
        """As the model is shown it. Raises TooLong, and Mismatch for a method that cannot be."""
        method = self.view.method
        if method.is_foreign:
            raise Mismatch(
                f"{method} is an object of its own, whose cache nobody else sees: it is asked in a "
                "run (scbench run --methods, scbench.run)"
            )
        talk = talks.talk(self._mode, method.generation)
        method.check(shape=talks.engine.facts.shape, tokens=len(talk.context.ids))
        return talk

    def _asked(self, talks: Talks, *, keep: bool) -> tuple[Said, Step]:
        """The last turn of a session, played and timed."""
        talk = self.rendered(talks)
        view, session = self.view, talks.session
        engine, method, mode = talks.engine, view.method, self._mode
        stamps: list[float] = []
        player = LocalPlayer(
            engine,
            talks,
            emit=nobody,
            reads=view.doc.read_by.of(method, view.after),
            on_tokens=lambda _: stamps.append(time.perf_counter()),
            debug=True,
        )
        source = NotedSource(self._source(player, talk))
        step = self._step(talk, keep=keep)
        source.ready()
        for stream in self._states.values():  # what earlier answers loaded is not this one's
            stream.loaded_bytes = stream.moved_bytes = stream.steps = 0
        started = time.perf_counter()
        cell = cell_of(session, method, talks.protocol, mode)
        reply = player.one(cell, talk, source, step, self._states)
        seconds = time.perf_counter() - started
        self._after_context = source.noted or self._after_context
        assert self._after_context is not None, "the first turn opens a stream of the text"
        said = said_of(
            reply,
            self._after_context,
            shape=engine.facts.shape,
            lost_tokens=whole_tokens(talks, talk, method) - len(talk.context.ids),
            seconds=seconds,
            stamps=stamps,
        )
        return said, step

    def too_long(self, talks: Talks, error: TooLong) -> TooLong:
        """The error in the words of one who brought a text."""
        view = self.view
        facts, tokenizer = view.doc.llm.engine.facts, view.doc.llm.engine.tokenizer
        generation = view.method.generation
        tokens = len(tokenizer.encode(talks.shown(generation).context).ids)
        whose = (
            f"the text that {generation} leaves" if generation.traits.is_rewriting else "the text"
        )
        need = f", {error.tokens:,} with question and answer" if error.tokens else ""
        return TooLong(
            f"{whose} has {tokens:,} tokens{need}; {facts.name} holds {facts.window_tokens:,}. Use "
            "a shorter text, a smaller max_tokens, or a model with a larger window",
            tokens=error.tokens,
            window_tokens=facts.window_tokens,
        )

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
        answers = [one.text for one in self.said]
        return replace(
            graded(talk, turn, answers=answers),
            prompt=carried(talk, turn, answers, self._ids),
            parent=f"turn {turn}",
            ends_parent=keep,
            keep=kept,
        )


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
    checked_text(name, what="model's name")
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

    check_model(model, tokenizer)
    named = name or str(getattr(model, "name_or_path", "") or type(model).__name__)
    return LanguageModel(from_model(model, tokenizer, name=named))
