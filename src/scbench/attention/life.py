"""One session played by dense and looked at from outside, turn by turn.

Each turn of a conversation: the question is read on top of what came before, and a child of the
stream is fed question and gold answer in one forward, which a `TurnLook` watches. Gold and not the
model's own answer: one path that all methods, all models and every rerun share, as in the agreement
of a run (`play/gold.py`). Nothing is thrown away but the child.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from torch import Tensor

from scbench.attention.answer_look import AnswerLook
from scbench.attention.held import MethodKeys
from scbench.attention.masses import KeySpan
from scbench.attention.turn_look import LayerSight, TurnLook, TurnRows
from scbench.engines.contract import Engine, Feed
from scbench.errors import ScbenchError
from scbench.kv import Stream
from scbench.methods.method import Method
from scbench.play.contract import Step
from scbench.play.decode import Play, decode, drive
from scbench.play.gold import GOLD_TOKENS
from scbench.play.reads import Reads
from scbench.play.sampling import Choose
from scbench.play.sources import Own
from scbench.play.talks import Talks
from scbench.prompts import Rendering, Tokenizer
from scbench.types import CompressAfter, Mode, Protocol, Session

WINDOW_ROWS = 64  # of a question at most: its last ones, the longest window that methods score by
ALONG = 0  # the place of the share whose sets are followed along an answer


@dataclass(slots=True)
class TurnSight:
    """What was seen in one turn."""

    rows: TurnRows
    evidence_tokens: int
    layers: dict[int, LayerSight]
    along: list[dict[str, tuple[float, float]]] = field(default_factory=list)


@dataclass(slots=True)
class LifeSight:
    """What was seen of one session. `left_out`: methods that cannot be looked at here, and why."""

    context_tokens: int
    spans: tuple[KeySpan, KeySpan]  # all keys, and the inner ones
    turns: list[TurnSight]
    left_out: dict[str, str]


class Life:
    """A session's life under dense, beside it what each of `methods` holds or would choose.

    `answer_tokens`: how far each turn's answer is written on past its end, 0 for not at all.
    Raises TooLong, Mismatch, OutOfDevice.
    """

    def __init__(
        self,
        engine: Engine,
        session: Session,
        protocol: Protocol,
        methods: Sequence[Method],
        *,
        shares: Sequence[Fraction],
        answer_tokens: int,
    ) -> None:
        self.engine = engine
        self.shares = shares
        self.answer_tokens = answer_tokens
        self.after = protocol.compresses_after(Mode.MULTI_TURN)
        self.talks = Talks(engine, session, protocol)
        self.dense = Method()
        self.talk: Rendering = self.talks.talk(Mode.MULTI_TURN, self.dense.generation)
        self.steps: list[Step] = self.talks.steps(self.talk)
        context_tokens, document = len(self.talk.context.ids), self._document()
        self.spans = (KeySpan.all(context_tokens), KeySpan.inner(context_tokens, document))
        self.reads = Reads(engine, None)
        self.left_out: dict[str, str] = {}
        self.methods = [method for method in methods if self._fits(method)]

    def play(self) -> LifeSight:
        """The whole session."""
        self.reads.needs = frozenset().union(*(method.needs for method in self.methods))
        try:
            return self._played()
        finally:
            self.reads.forget()

    def _played(self) -> LifeSight:
        own = Own(self.reads, self.dense, self.talk, CompressAfter.CONTEXT)
        main = own.open(self.steps[0], None).stream
        keys = self._keys()
        turns: list[TurnSight] = []
        answers: list[Play] = []
        looks: list[AnswerLook | None] = []
        for turn, step in enumerate(self.steps):
            before = main.fork()
            logits_V = self._read(step, main, keys)
            look = self._looked(turn, step, before, keys)
            sight = TurnSight(look.rows, len(look.evidence), look.layers)
            turns.append(sight)
            written = self._along(step, main, logits_V, look)
            looks.append(None if written is None else written[0])
            answers += [] if written is None else [written[1]]
        # All long answers go on together: one packed forward a token.
        drive(self.engine, answers, lanes=len(answers) or 1, debug=True)
        for sight, written_look in zip(turns, looks, strict=True):
            sight.along = [] if written_look is None else written_look.steps()
        return LifeSight(len(self.talk.context.ids), self.spans, turns, self.left_out)

    def _document(self) -> int:
        """The first token of the session's own text: what stands before it is a template's."""
        first: int = self.steps[0].prompt.spans["context"][0]
        return first

    def _fits(self, method: Method) -> bool:
        """Whether the method can work here; why not is noted."""
        after_context = self.after is CompressAfter.CONTEXT
        acts_on = self.talk.context if after_context else self.talk.prompt(0)
        try:
            method.check(shape=self.engine.facts.shape, tokens=len(acts_on.ids))
        except ScbenchError as error:
            self.left_out[str(method)] = str(error)
            return False
        return True

    def _keys(self) -> list[MethodKeys]:
        """Every method's stream, compressed when the protocol says, and what it may read."""
        shape = self.engine.facts.shape
        found = []
        for method in self.methods:
            source = Own(self.reads, method, self.talk, self.after)
            try:
                stream = source.open(self.steps[0], None).stream
            except ScbenchError as error:
                self.left_out[str(method)] = str(error)
                continue
            groups = {
                layer: (shape.layers[layer].kv_heads, shape.layers[layer].group)
                for layer in stream.layers
            }
            found.append(MethodKeys(method, stream, len(self.talk.context.ids), groups))
        return found

    def _read(self, step: Step, main: Stream, keys: Sequence[MethodKeys]) -> Tensor:
        """The prompt read by dense, and by those whose keys depend on what comes."""
        feeds = [Feed(main, self.talk.delta(main.ids, step.prompt))]
        for method in keys:
            rest = self.talk.delta(method.stream.ids, step.prompt) if method.follows else ()
            if rest:
                feeds.append(Feed(method.stream, rest))
                method.forget()
        logits_V: Tensor = self.engine.advance(feeds)[0]
        return logits_V

    def _looked(self, turn: int, step: Step, child: Stream, keys: Sequence[MethodKeys]) -> TurnLook:
        """Question and gold answer fed to a child of the stream before them."""
        base = child.logical_tokens
        rest = (*self.talk.delta(child.ids, step.prompt), *step.prompt.opening)
        last = len(rest) - 1
        asked = max(step.prompt.spans["ask"][0] - base, last - WINDOW_ROWS, 0)
        # The gold's last token writes what stands behind the answer: it is not fed.
        fed = (*rest, *step.gold_ids[:GOLD_TOKENS][:-1])
        look = TurnLook(
            TurnRows(range(min(asked, last), last), range(last, len(fed))),
            spans=self.spans,
            shares=self.shares,
            evidence=self.talk.context.rests_on(turn),
            methods=keys,
        )
        child.onlooker = look
        self.engine.advance([Feed(child, fed)])
        return look

    def _along(
        self, step: Step, main: Stream, logits_V: Tensor, look: TurnLook
    ) -> tuple[AnswerLook, Play] | None:
        """A long answer to be written, and who looks on; None where the window has no room."""
        room = self.engine.facts.window_tokens - main.logical_tokens
        tokens = min(self.answer_tokens, room)
        if tokens < 2:
            return None
        stream = main.fork()
        if step.prompt.opening:
            logits_V = self.engine.advance([Feed(stream, step.prompt.opening)])[0]
        onlooker = AnswerLook(look.layers, self.spans[-1], self.shares[ALONG])
        stream.onlooker = onlooker
        return onlooker, self._write(stream, logits_V, tokens)

    def _write(self, stream: Stream, logits_V: Tensor, tokens: int) -> Play:
        yield from decode(
            stream,
            logits_V,
            tokenizer=self.engine.tokenizer,
            limit_tokens=tokens,
            choose=never_ending(self.engine.tokenizer),
        )


def never_ending(tokenizer: Tokenizer) -> Choose:
    """Chooses the best token that does not end an answer."""
    ends = sorted(tokenizer.end_ids)
    known = tokenizer.vocabulary_tokens

    def choose(logits_V: Tensor) -> int:
        open_V = logits_V[:known].clone()
        open_V[[end for end in ends if end < known]] = float("-inf")
        return int(open_V.argmax())

    return choose
