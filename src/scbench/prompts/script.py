"""The text of a prompt, where its parts stand, and where its tokenisation is broken off on
purpose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from scbench.errors import Mismatch
from scbench.prompts.control import CharRange, broken, found_in
from scbench.prompts.templates import Plain, Wording
from scbench.prompts.tokenizer import Message, Tokenizer


@dataclass(frozen=True, slots=True)
class Script:
    """`context` and `ask` are character ranges of `text`; at each of `cuts` the text is tokenised
    afresh. `literal` are control words that came as data: each is cut in two.

    `shift_chars` is where character 0 of the session's context stands (before `context[0]` if the
    template trimmed its start).
    """

    text: str
    context: CharRange
    ask: CharRange
    shift_chars: int
    cuts: tuple[int, ...] = ()
    literal: tuple[CharRange, ...] = ()
    messages: tuple[Message, ...] = ()  # empty without a chat template
    opening: str = ""  # behind the text, and no part of what later prompts go on from


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes the scripts of one session."""

    wording: Wording
    tokenizer: Tokenizer
    plain: Plain
    arguments: Mapping[str, object] = field(default_factory=dict)  # of the chat template
    template_opening: str = ""  # what the template writes behind the header of an answer asked for
    opening: str = ""  # what is to stand there

    def write(self, turn: int, answers: Sequence[str]) -> Script:
        """The prompt of `turn`; `answers` stand for the turns before it, and are ignored where
        turns are asked alone.
        """
        shown = () if self.wording.alone else tuple(answers[:turn])
        return self._chat(turn, shown) if self.wording.chat else self._plain(turn, shown)

    # -- without a chat template -------------------------------------------------------------------

    def _plain(self, turn: int, answers: Sequence[str]) -> Script:
        """Segment by segment, so that an earlier prompt is always a prefix of a later one."""
        words, plain = self.wording, self.plain
        head = words.head()
        segments = [head + words.session.context]
        first = turn if words.alone else 0
        segments.append(plain.before_ask + words.ask(first) + plain.before_answer.rstrip(" "))
        for at, answer in enumerate(answers):
            segments.append(" " * plain.before_answer.endswith(" ") + answer + plain.after_answer)
            segments.append(
                plain.before_ask + words.follow_up(at + 1) + plain.before_answer.rstrip(" ")
            )
        text = "".join(segments)
        ends = _sums(segments)
        start = ends[-2] + len(plain.before_ask)
        script = Script(
            text,
            (len(head), ends[0]),
            (start, ends[-1] - len(plain.before_answer.rstrip(" "))),
            len(head),
            tuple(ends[:-1]),
        )
        # A tokenizer with marks of its own in this rendering has a closed vocabulary.
        return script if plain.bare else _broken(script, found_in(text, self.tokenizer.control))

    # -- with a chat template ----------------------------------------------------------------------

    def _chat(self, turn: int, answers: Sequence[str]) -> Script:
        words = self.wording
        head = words.head()
        first = f"{head}{words.session.context}\n\n{words.ask(turn if words.alone else 0)}"
        messages: list[Message] = [{"role": "user", "content": first}]
        for at, answer in enumerate(answers):
            messages.append({"role": "assistant", "content": words.lead(at) + answer})
            messages.append({"role": "user", "content": words.follow_up(at + 1)})
        text = self._rendered(messages, is_asked=True)
        if not text.endswith(self.template_opening):
            raise self._rewritten("what it writes before an answer, from one prompt to the next,")
        text = text.removesuffix(self.template_opening)
        at, trimmed = self._find(text, first)
        shift = at - trimmed + len(head)
        stop = shift + len(words.session.context)
        last = (
            messages[-1]["content"].strip()
            if answers
            else first[len(head) + len(words.session.context) :].strip()
        )
        ask = text.rfind(last)
        if ask < 0:
            raise self._rewritten("its last message")
        script = Script(
            self._led(text, messages, words.lead(turn)),
            (max(at, shift), stop),
            (ask, ask + len(last)),
            shift,
            messages=tuple(messages),
            opening="" if words.lead(turn) else self.opening,
        )
        if words.is_official:
            script = replace(script, cuts=self._official_cuts(script, turn, answers))
        return _broken(script, self._literal(text, messages))

    def _literal(self, text: str, messages: Sequence[Message]) -> list[CharRange]:
        """Control words inside messages, where the template wrote these."""
        words = self.tokenizer.control
        places: list[CharRange] = []
        at = 0
        for message in messages:
            content = message["content"].strip()
            inside = found_in(content, words)
            start = text.find(content, at)
            if inside and start < 0:
                raise self._rewritten("a message with control words in it")
            places += [(start + a, start + b) for a, b in inside]
            at = start + len(content) if start >= 0 else at
        return places

    def _led(self, text: str, messages: list[Message], lead: str) -> str:
        """The prompt with the first words of the answer behind it, spaced as the template spaces
        them.
        """
        if not lead:
            return text
        led_by = [*messages, {"role": "assistant", "content": lead}]
        shown = self._rendered(led_by, is_asked=False)
        led = shown[: shown.rfind(lead) + len(lead)]
        return led if led.startswith(text) else text + lead

    def _rendered(self, messages: Sequence[Message], *, is_asked: bool) -> str:
        return self.tokenizer.render_chat(
            messages, add_generation_prompt=is_asked, arguments=self.arguments
        )

    def _official_cuts(self, script: Script, turn: int, answers: Sequence[str]) -> tuple[int, ...]:
        """The published runner tokenises what it adds to a cache by itself: from the context's end,
        or from the end of the previous prompt.
        """
        if self.wording.alone:
            return (script.context[1],)
        if turn == 0:
            return ()
        before = self._chat(turn - 1, answers[: turn - 1])
        if not script.text.startswith(before.text):
            raise Mismatch(
                f"the chat template of {self.tokenizer.name} renders turns 1 to {turn} differently "
                f"once turn {turn + 1} follows, so the published "
                "prompts cannot be told turn by turn; use --history none, or the plain template "
                "(--plain)"
            )
        return (*before.cuts, len(before.text))

    def _find(self, text: str, content: str) -> tuple[int, int]:
        """Where the first message stands, and how much of its start the template trimmed away."""
        at = text.find(content)
        if at >= 0:
            return at, 0
        at = text.find(content.strip())
        if at < 0:
            raise self._rewritten("the message that holds the context")
        return at, len(content) - len(content.lstrip())

    def _rewritten(self, what: str) -> Mismatch:
        return Mismatch(
            f"the chat template of {self.tokenizer.name} changes {what} by more than blanks at its "
            f"ends, so spans cannot be followed; use the plain "
            "template (--plain)"
        )


def _broken(script: Script, places: Sequence[CharRange]) -> Script:
    if not places:
        return script
    return replace(
        script, cuts=tuple(sorted({*script.cuts, *broken(places)})), literal=tuple(places)
    )


def _sums(segments: Sequence[str]) -> list[int]:
    ends: list[int] = []
    for segment in segments:
        ends.append(len(segment) + (ends[-1] if ends else 0))
    return ends
