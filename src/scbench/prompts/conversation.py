"""One session as one model sees it in one mode: the shared prefix, the prompt of every turn, and
what each adds to the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scbench.errors import BadConfig, TooLong
from scbench.prompts.encoder import Encoder
from scbench.prompts.opening import opening_of
from scbench.prompts.refused import parted, too_long, uses_chat
from scbench.prompts.script import Script, Writer
from scbench.prompts.stops import Stops
from scbench.prompts.templates import Plain, Wording
from scbench.prompts.thinking import Thinking, arguments_of, opened_as, thinking_of, thought_room
from scbench.prompts.tokenizer import Tokenizer, encode_data
from scbench.prompts.tokens import (
    Cut,
    Encoded,
    Prompt,
    Tokens,
    as_message,
    common_prefix,
    evidence_tokens,
    needed,
)
from scbench.prompts.truncate import advice, middle_cut, without_units
from scbench.types import History, Mode, PromptSet, Protocol, Session, Truncate

ROUNDS = 8  # of leaving out units, each measured on the whole prompt
NOTHING = Cut(0, 0)


@dataclass(frozen=True, slots=True)
class _Rendered:
    script: Script
    encoded: Encoded


class Conversation:
    """Made once per session and mode, shared by all methods. With `history=none` turns are asked
    alone in either mode.

    Raises TooLong (a turn, with what stands before it and the answer it may give, does not fit
    `window_tokens`, and the protocol's policy cannot or must not make it fit), Mismatch (a template
    that changes what it rendered before), BadConfig (a chat template asked of a tokenizer that has
    none).
    """

    def __init__(
        self,
        session: Session,
        tokenizer: Tokenizer,
        protocol: Protocol,
        mode: Mode,
        window_tokens: int | None = None,
    ) -> None:
        self.session, self.tokenizer, self.protocol, self.mode, self.window_tokens = (
            session,
            tokenizer,
            protocol,
            mode,
            window_tokens,
        )
        self.is_chat = uses_chat(tokenizer, protocol)
        self.alone = not mode.has_history or protocol.history is History.NONE
        self._cut = NOTHING
        self._dropped_tokens = 0
        self._made: dict[tuple[str, ...], Prompt] = {}
        self._thinkings: dict[str, Thinking] = {}
        self._render(session)
        missing = self._missing_tokens()
        if missing > 0:
            self._shorten(missing)
        self._seal()

    # -- what callers ask --------------------------------------------------------------------------

    def prompt(self, turn: int, answers: Sequence[str] = ()) -> Prompt:
        """The prompt of `turn`. `answers` are the model's own for the turns before it, used only
        with `history=model`; blanks at their ends go.

        Raises TooLong if own answers have made the conversation too long.
        """
        if self.alone or self.protocol.history is History.GOLD or turn == 0:
            return self._prompts[turn]
        if len(answers) < turn:
            raise BadConfig(
                f"turn {turn + 1} of {self._what} needs the {turn} answers before it, "
                f"{len(answers)} given"
            )
        said = tuple(answer.strip() for answer in answers[:turn])
        if said not in self._made:
            script = self._writer.write(turn, said)
            self._made[said] = self._finished(turn, _Rendered(script, self._encoder(script)))
            self._check_window(turn, self._made[said])
        return self._made[said]

    def gold_ids(self, turn: int) -> tuple[int, ...]:
        """The gold answer of `turn` as history shows it: what an ideal model would say next."""
        gold = self._writer.wording.gold(turn)
        is_spaced = not self.is_chat and self._plain.before_answer.endswith(" ")
        ids = encode_data(self.tokenizer, " " * is_spaced + gold, goes_on=True).ids
        ids = ids[1:] if ids[:1] == (self.tokenizer.bos_id,) else ids
        thinking = self.thinking(turn)
        return (*thinking.closing_ids, *ids) if thinking and thinking.is_open else ids

    def thinking(self, turn: int) -> Thinking | None:
        """How thoughts before this answer are known, and when they are closed; None for a model of
        a closed vocabulary, which has none.
        """
        if self._plain.bare:
            return None
        opening = self._rendered[turn].script.opening
        if opening not in self._thinkings:
            budget = self.protocol.answering.think_tokens
            self._thinkings[opening] = thinking_of(self.tokenizer, opening, budget)
        return self._thinkings[opening]

    def delta(self, cached_ids: Sequence[int], prompt: Prompt) -> tuple[int, ...]:
        """What is still to be read of `prompt` when `cached_ids` are in the cache. Raises Mismatch,
        saying where they part, if those are no prefix.
        """
        cached = tuple(cached_ids)
        if prompt.ids[: len(cached)] == cached:
            return prompt.ids[len(cached) :]
        raise parted(
            cached, prompt, tokenizer=self.tokenizer, is_chat=self.is_chat, what=self._what
        )

    def stops(self, turn: int) -> Stops:
        """The texts that end an answer: of the template, or, without one, where the next question
        begins and, for short answers, a blank line. A text that the gold holds ends nothing.
        """
        gold = self._writer.wording.gold(turn)
        if self.is_chat:
            end = self.tokenizer.turn_end
            return Stops(turn_ends=() if end is None or end in gold else (end,))
        if self._plain.after_answer:
            return Stops()
        asked = self._writer.wording.common_question()
        return Stops(
            questions=(asked,) if asked and f"\n{asked}" not in f"\n{gold}" else (),
            blank_line=self._writer.wording.subtask(turn).is_short,
        )

    def material(self, turn: int) -> Prompt | None:
        """Nothing is added to this context (`growing.Growing` has what is)."""
        return None

    @property
    def truncated_tokens(self) -> int:
        return self._cut.tokens + self._dropped_tokens

    def evidence_survives(self, turn: int) -> bool | None:
        """Whether all that the turn's answer rests on is still there; None if the session does not
        say where it stands.
        """
        if not self.truncated_tokens:
            return True
        if not self._needed[turn]:
            return None
        return not any(self._cut.touches(span) for span in self._needed[turn])

    # -- rendering ---------------------------------------------------------------------------------

    @property
    def _what(self) -> str:
        return f"{self.session.task} (session {self.session.digest[:8]}, {self.mode})"

    def _render(self, session: Session) -> None:
        """All prompts with gold history, whole. With the model's own history they only measure, and
        check the template.
        """
        prompts = self.protocol.prompts
        bare = Plain(before_answer="") if prompts is PromptSet.OFFICIAL else Plain()
        self._plain: Plain = getattr(self.tokenizer, "plain", bare)
        words = Wording(
            session, prompts, self.is_chat, self.alone, bare=not self.is_chat and self._plain.bare
        )
        self._writer = self._made_writer(words)
        self._encoder = Encoder(self.tokenizer, adds_bos=not self.is_chat)
        golds = [words.gold(turn) for turn in range(len(session.turns))]
        scripts = [self._writer.write(turn, golds) for turn in range(len(session.turns))]
        self._rendered = [_Rendered(script, self._encoder(script)) for script in scripts]
        first = self._rendered[0]
        shared = first.encoded.tokens_before(first.script.context[1])
        for other in self._rendered[1:]:
            shared = common_prefix(first.encoded.ids, other.encoded.ids, shared)
        self._shared_tokens = shared

    def _made_writer(self, words: Wording) -> Writer:
        answering = self.protocol.answering
        if not self.is_chat:
            return Writer(words, self.tokenizer, self._plain)
        arguments = arguments_of(self.tokenizer, answering)
        written = opening_of(self.tokenizer, arguments)
        opening = opened_as(self.tokenizer, written, answering.think)
        return Writer(words, self.tokenizer, self._plain, arguments, written, opening)

    def _seal(self) -> None:
        """Prompts after truncation, the shared prefix with its evidence, and the check of every
        delta.
        """
        first, turns = self._rendered[0], self.session.turns
        shift = first.script.shift_chars
        evidence = [
            evidence_tokens(
                first.encoded, turn.evidence, shift_chars=shift, limit_tokens=self._shared_tokens
            )
            for turn in turns
        ]
        whole = [
            evidence_tokens(
                first.encoded, turn.evidence, shift_chars=shift, limit_tokens=len(first.encoded.ids)
            )
            for turn in turns
        ]
        self._needed = [needed(spans) for spans in whole]
        kept = {
            turn: tuple((*self._cut.span((start, stop)), role) for start, stop, role in spans)
            for turn, spans in enumerate(evidence)
        }
        by_turn = {
            turn: tuple(span for span in spans if span[0] < span[1]) for turn, spans in kept.items()
        }
        self.context = Tokens(self._cut.ids(first.encoded.ids[: self._shared_tokens]), by_turn)
        self._prompts = [
            self._finished(turn, rendered) for turn, rendered in enumerate(self._rendered)
        ]
        if not self.alone:
            for earlier, later in zip(self._prompts, self._prompts[1:], strict=False):
                self.delta(earlier.ids, later)

    def _finished(self, turn: int, rendered: _Rendered) -> Prompt:
        encoded, script = rendered.encoded, rendered.script
        start, stop = encoded.tokens_in(*script.context)
        spans = {
            "context": self._cut.span((start, min(stop, self._shared_tokens))),
            "ask": self._cut.span(encoded.tokens_in(*script.ask)),
        }
        ids = self._cut.ids(encoded.ids)
        text = self.tokenizer.decode(ids) if self._cut.tokens else script.text
        messages = script.messages if text is script.text else ()
        opening = self._opening_ids(script.opening)
        return Prompt(turn, ids, spans, text, messages or as_message(text), opening, script.opening)

    @property
    def context_prompt(self) -> Prompt:
        """The prefix that all turns share, for whoever is given it before any question."""
        ids, script = self.context.ids, self._rendered[0].script
        text = self.tokenizer.decode(ids) if self._cut.tokens else script.text[: script.context[1]]
        span = {"context": self._prompts[0].spans["context"]}
        return Prompt(0, ids, span, text, as_message(text))

    # -- the window --------------------------------------------------------------------------------

    def _missing_tokens(self) -> int:
        """By how much the longest turn, its answer included, exceeds the window; own answers are
        taken at their longest.
        """
        if self.window_tokens is None:
            return 0
        return max(self._need(turn) for turn in range(len(self._rendered))) - self.window_tokens

    def _need(self, turn: int) -> int:
        need = len(self._rendered[turn].encoded.ids) + self.session.turns[turn].max_new_tokens
        need += self._thought_room(turn)
        if self.protocol.history.is_own and not self.alone:
            for at in range(turn):
                gold = len(encode_data(self.tokenizer, self._writer.wording.gold(at)).ids)
                need += max(0, self.session.turns[at].max_new_tokens - gold)
        return need

    def _thought_room(self, turn: int) -> int:
        """Tokens that a thought and its marks may take."""
        opening = self._rendered[turn].script.opening
        if self._plain.bare:
            return 0
        room = thought_room(self.tokenizer, opening, self.protocol.answering)
        return room + len(self._opening_ids(opening))

    def _opening_ids(self, opening: str) -> tuple[int, ...]:
        return self.tokenizer.encode_on(opening).ids if opening else ()

    def _shorten(self, missing: int) -> None:
        """Make every turn fit, as the protocol says, or raise TooLong."""
        policy, first = self.protocol.truncate, self._rendered[0].encoded
        whole = self._shared_tokens if self.alone else len(first.ids)
        if policy is Truncate.TASK_AWARE:
            self._drop_units(missing)
        elif policy is Truncate.MIDDLE:
            self._cut = middle_cut(whole, whole - missing)
        elif policy is Truncate.HEAD:
            self._cut = Cut(self._shared_tokens - missing, self._shared_tokens)
        else:
            raise self._too_long(missing, advice(policy))
        if (
            self._cut.start < 0
            or self._cut.stop > self._shared_tokens
            or self._cut.stop < self._cut.start
        ):
            raise self._too_long(
                missing,
                f"--truncate {policy} would have to cut into the questions; use a larger window",
            )

    def _drop_units(self, missing: int) -> None:
        before = self._shared_tokens
        whole, original, shift = (
            self._rendered[0].encoded,
            self.session,
            self._rendered[0].script.shift_chars,
        )
        drop_tokens = missing
        for _ in range(ROUNDS):
            shorter = without_units(original, drop_tokens, encoded=whole, shift_chars=shift)
            if shorter is None:
                break
            self.session = shorter
            self._render(shorter)
            still = self._missing_tokens()
            if still <= 0:
                self._dropped_tokens = before - self._shared_tokens
                return
            drop_tokens += still
        raise self._too_long(
            missing,
            "what no turn rests on is not enough to leave out; use a larger window, or --truncate "
            "middle",
        )

    def _too_long(self, missing: int, what_to_do: str) -> TooLong:
        assert self.window_tokens is not None
        return too_long(self._what, self.window_tokens, missing, what_to_do)

    def _check_window(self, turn: int, prompt: Prompt) -> None:
        need = len(prompt.ids) + self.session.turns[turn].max_new_tokens
        need += self._thought_room(turn)
        if self.window_tokens is not None and need > self.window_tokens:
            raise self._too_long(
                need - self.window_tokens,
                "the model's own answers have filled it; use --history gold or a shorter context",
            )
