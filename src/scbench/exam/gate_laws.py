"""The laws of a tokenizer and its template: what a model is shown is the text, and its answer ends.

No weights are needed. `scbench check-model` and tests/gates play the same ones, over conversations
made here. A law raises `Broken` with what was found; `Idle` where it has nothing to say. A template
that a run would refuse is no broken law: its verdict is "refused", with the run's own sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from scbench.errors import ScbenchError
from scbench.exam.laws import Broken, Idle
from scbench.grid.suite import TokenCount
from scbench.play.saying import Saying
from scbench.prompts import Conversation, Prompt, Tokenizer
from scbench.prompts.template_check import check_template
from scbench.prompts.tokenizer import encode_data
from scbench.types import Finish, Mode, Protocol, Role, Session, Span, Turn, Wanted

PAIRS = 24
CONTROL_WORDS = 6  # of a tokenizer's, the first and the last, that are put into a document
MOST_BESIDE = 12  # characters that a span's first and last token may have beside it
MOST_HINT = 60  # of a question's, the hint for assistants that stands before it
BEFORE = 40  # characters that an opening is tried behind
FREE_TOKENS = 2  # by which counts of parts may differ from those of a whole
DAYS = ("%d %b %Y", "%d %B %Y", "%B %d, %Y", "%Y-%m-%d", "%d/%m/%Y")
INDENTED = "    return x[1:]\n\n  # 测试 naïve"
Law = Callable[["Gate"], None]
LAWS: dict[str, Law] = {}


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """What came of one law: holds, broken, idle or refused; and why."""

    law: str
    verdict: str
    why: str = ""


def law(statement: str) -> Callable[[Law], Law]:
    def keep(check: Law) -> Law:
        LAWS[statement] = check
        return check

    return keep


@dataclass(frozen=True)
class Gate:
    """A tokenizer under a protocol: what stands between a session and a model."""

    tokenizer: Tokenizer
    protocol: Protocol

    @cached_property
    def session(self) -> Session:
        return pairs_session()

    @cached_property
    def marked(self) -> Session:
        """The same with control words in its document, questions and golds."""
        words = list(self.tokenizer.control)
        some = list(dict.fromkeys([*words[:CONTROL_WORDS], *words[-CONTROL_WORDS:]]))
        return pairs_session(some)

    @cached_property
    def modes(self) -> tuple[Mode, ...]:
        """Those that can be played: turns follow each other only where the template lets them."""
        try:
            check_template(self.tokenizer, self.protocol, (Mode.MULTI_TURN,))
        except ScbenchError:
            return (Mode.MULTI_REQUEST,)
        return (Mode.MULTI_TURN, Mode.MULTI_REQUEST)

    def talk(self, mode: Mode, session: Session | None = None) -> Conversation:
        return Conversation(session or self.session, self.tokenizer, self.protocol, mode)


def examine_gate(tokenizer: Tokenizer, protocol: Protocol) -> list[GateVerdict]:
    """A verdict for each law."""
    gate = Gate(tokenizer, protocol)
    return [GateVerdict(statement, *_verdict(check, gate)) for statement, check in LAWS.items()]


def _verdict(check: Law, gate: Gate) -> tuple[str, str]:
    try:
        check(gate)
    except Idle as idle:
        return "idle", str(idle)
    except Broken as broken:
        return "broken", str(broken)
    except ScbenchError as refused:
        return "refused", str(refused)
    return "holds", ""


@law("ids decode to the text, word for word")
def ids_are_the_text(gate: Gate) -> None:
    for mode in gate.modes:
        talk = gate.talk(mode)
        for turn in range(len(gate.session.turns)):
            prompt = talk.prompt(turn)
            shown = gate.tokenizer.decode(prompt.ids)
            wanted = _without(prompt.text, gate.tokenizer)
            if shown.strip() == wanted.strip():
                continue
            # Some tokenizers write a blank of their own behind each mark; a run reads what they do.
            is_own = prompt.ids == gate.tokenizer.encode(prompt.text).ids
            if not (is_own and shown.split() == _spaced(prompt.text, gate.tokenizer).split()):
                raise Broken(_parted(shown.strip(), wanted.strip()))


@law("parts put together are the whole: context, question and history")
def parts_are_the_whole(gate: Gate) -> None:
    for mode in gate.modes:
        talk = gate.talk(mode)
        for turn in range(len(gate.session.turns)):
            prompt = talk.prompt(turn)
            rest = talk.delta(talk.context.ids, prompt)
            if (*talk.context.ids, *rest) != prompt.ids:
                raise Broken(f"{mode}, turn {turn + 1}: context and rest are not the prompt")
            at_once = gate.tokenizer.encode_on(prompt.text[-BEFORE:] + prompt.opening_text).ids
            if prompt.opening and at_once[-len(prompt.opening) :] != prompt.opening:
                raise Broken(f"{mode}: {prompt.opening_text!r} has other ids behind its header")


@law("the context's span holds the context, and a question's span the question")
def spans_hold_their_text(gate: Gate) -> None:
    talk = gate.talk(Mode.MULTI_REQUEST)
    for turn, asked in enumerate(gate.session.turns):
        prompt = talk.prompt(turn)
        for name, text in (("context", gate.session.context), ("ask", asked.ask)):
            _check_span(gate, prompt, name, text, f"turn {turn + 1}, {name}")


@law("evidence holds the gold")
def evidence_holds_the_gold(gate: Gate) -> None:
    talk = gate.talk(gate.modes[0])
    for turn, asked in enumerate(gate.session.turns):
        spans = [span for span in talk.context.evidence(turn) if span[2] is Role.ANSWER]
        if not spans:
            raise Broken(f"turn {turn + 1} has no evidence among the ids")
        for start, stop, _ in spans:
            _check_holds(gate, talk.context.ids[start:stop], asked.gold, f"turn {turn + 1}")


@law("a later prompt extends the earlier one")
def later_extends_earlier(gate: Gate) -> None:
    check_template(gate.tokenizer, gate.protocol, (Mode.MULTI_TURN, Mode.MULTI_REQUEST))
    talk = gate.talk(Mode.MULTI_TURN)
    for turn in range(1, len(gate.session.turns)):
        talk.delta(talk.prompt(turn - 1).ids, talk.prompt(turn))


@law("control words of a document are ordinary text")
def data_is_never_control(gate: Gate) -> None:
    control = gate.tokenizer.control
    if not control:
        raise Idle("the tokenizer has no control words")
    talk = gate.talk(gate.modes[0], gate.marked)
    for turn, asked in enumerate(gate.marked.turns):
        prompt = talk.prompt(turn)
        for name, text in (("context", gate.marked.context), ("ask", asked.ask)):
            start, stop = prompt.spans[name]
            ids = prompt.ids[start:stop]
            inside = {word for word, number in control.items() if number in ids[1:-1]}
            if inside:
                raise Broken(f"{name}: {sorted(inside)} became control ids")
            _check_span(gate, prompt, name, text, name)


@law("a gold that holds control words can be answered")
def marked_gold_can_be_answered(gate: Gate) -> None:
    if not gate.tokenizer.control:
        raise Idle("the tokenizer has no control words")
    talk = gate.talk(gate.modes[0], gate.marked)
    for turn, asked in enumerate(gate.marked.turns):
        text, end = _said(gate, talk, turn, talk.gold_ids(turn))
        if text.strip() != asked.gold:
            raise Broken(f"{asked.gold!r} is read as {text!r} ({end})")


@law("an answer ends where its turn does")
def answers_end(gate: Gate) -> None:
    if Mode.MULTI_TURN not in gate.modes:
        raise Idle("no turn follows another under this template")
    talk = gate.talk(Mode.MULTI_TURN)
    before, after = talk.prompt(0), talk.prompt(1)
    rest = after.ids[len(before.ids) :]  # the gold answer, and all up to the next answer
    thinking = talk.thinking(0)
    if thinking is not None and thinking.is_open:
        rest = (*thinking.closing_ids, *rest)
    text, end = _said(gate, talk, 0, rest)
    gold = gate.session.turns[0].gold
    if text.strip() != gold:
        raise Broken(
            f"after {gold!r} the model would go on: {text.strip()[:80]!r} ({end}); neither an end "
            "token nor a text ends it"
        )


@law("an answer keeps its first blanks")
def answers_keep_blanks(gate: Gate) -> None:
    ids = encode_data(gate.tokenizer, INDENTED, goes_on=True).ids
    if (text := gate.tokenizer.decode_on(ids)) != INDENTED:
        raise Broken(f"{INDENTED!r} comes back as {text!r}")


@law("counts of make-data, plan and run agree")
def counts_agree(gate: Gate) -> None:
    counted = TokenCount(gate.tokenizer)(gate.session.context)
    start, stop = gate.talk(Mode.MULTI_REQUEST).prompt(0).spans["context"]
    if abs(counted - (stop - start)) > FREE_TOKENS:
        raise Broken(f"{counted} tokens are counted, {stop - start} are read")


@law("a prompt is the same tomorrow")
def no_day_in_a_prompt(gate: Gate) -> None:
    text = gate.talk(Mode.MULTI_REQUEST).prompt(0).text
    today = datetime.now().astimezone()
    told = [today.strftime(day) for day in DAYS if today.strftime(day) in text]
    if told:
        raise Broken(f"the template writes today's date, {told[0]!r}")


def pairs_session(words: Sequence[str] = ()) -> Session:
    """Pairs of key and value with digits, blanks, line breaks, and signs of several scripts; the
    values hold `words`, one after another.
    """
    values = [f"{7919 * (at + 1) % 90001 + 10000}" for at in range(PAIRS)]
    values = [
        f"{value} {words[at % len(words)]} é测" if words else value
        for at, value in enumerate(values)
    ]
    lines = [f'"key-{at} naïve 键":  "{value}"' for at, value in enumerate(values)]
    context = "{" + ",\n ".join(lines) + "}\n\n  indented(x)"
    turns = []
    for at in (1, PAIRS // 2, PAIRS - 2):
        start = context.index(values[at], context.index(lines[at]))
        mark = f" {words[at % len(words)]}" if words else ""
        turns.append(
            Turn(
                task="kv",
                ask=f'Key: "key-{at} naïve 键"{mark}\nThe value of this key is:',
                gold=values[at],
                wanted=Wanted(golds=(values[at],)),
                max_new_tokens=1000,
                evidence=(Span(start, start + len(values[at]), Role.ANSWER),),
            )
        )
    return Session(
        task="kv",
        context=context,
        turns=tuple(turns),
        counted=0,
        counter="none",
        recipe={},
        digest="0" * 64,
    )


def _said(gate: Gate, talk: Conversation, turn: int, ids: Sequence[int]) -> tuple[str, str]:
    """The answer of a model that would say these ids, and what ended it."""
    said = Saying(gate.tokenizer, talk.stops(turn), talk.thinking(turn))
    for token in ids:
        if token in gate.tokenizer.end_ids:
            return said.answer(Finish.END).text, "an end token"
        said.add(token)
        if said.cut is not None:
            return said.cut, "a text"
    return said.answer(Finish.LENGTH).text, "nothing"


def _without(text: str, tokenizer: Tokenizer) -> str:
    """A text without the control words that decoding leaves out, and the blanks they take."""
    added = getattr(getattr(tokenizer, "raw", None), "added_tokens_decoder", {})
    for word, number in sorted(tokenizer.control.items(), key=lambda item: -len(item[0])):
        if tokenizer.decode([number]):
            continue
        before = r"\s*" if getattr(added.get(number), "lstrip", False) else ""
        after = r"\s*" if getattr(added.get(number), "rstrip", False) else ""
        text = re.sub(before + re.escape(word) + after, "", text)
    return text


def _spaced(text: str, tokenizer: Tokenizer) -> str:
    """A text with a blank for every control word."""
    for word in sorted(tokenizer.control, key=len, reverse=True):
        text = text.replace(word, " ")
    return text


def _check_span(gate: Gate, prompt: Prompt, name: str, text: str, what: str) -> None:
    """A span holds its text, or all of it but what shares its last token with what follows: many
    vocabularies have a sign and the line breaks behind it in one, and that token is read with the
    question."""
    start, stop = prompt.spans[name]
    shown = gate.tokenizer.decode_on(prompt.ids[start:stop])
    after = gate.tokenizer.decode_on(prompt.ids[stop : stop + 1])
    wanted = text.strip()
    is_shared = wanted not in shown and any(
        shown.endswith(wanted[:-chars]) and after.startswith(wanted[-chars:])
        for chars in range(1, len(after))
    )
    _check_holds(gate, prompt.ids[start : stop + is_shared], text, what)


def _check_holds(gate: Gate, ids: Sequence[int], text: str, what: str) -> None:
    """The ids of a span hold its text, and little beside it: borders may share a token."""
    shown = gate.tokenizer.decode_on(ids)
    if text.strip() not in shown:
        raise Broken(f"{what}: {_parted(shown, text.strip())}")
    if len(shown) > len(text) + (MOST_HINT if what.endswith("ask") else MOST_BESIDE):
        raise Broken(f"{what}: the span holds {len(shown)} characters of a text of {len(text)}")


def _parted(shown: str, wanted: str) -> str:
    at = next(
        (at for at, (a, b) in enumerate(zip(shown, wanted, strict=False)) if a != b),
        min(len(shown), len(wanted)),
    )
    return f"{shown[max(0, at - 8) : at + 16]!r} is read for {wanted[max(0, at - 8) : at + 16]!r}"
