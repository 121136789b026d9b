"""A chat template tried on a tiny conversation, so that what a run would refuse is known before it.

The conversation is rendered by the very code that renders a session's; nothing is guessed from the
template's text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from scbench.errors import BadConfig, Mismatch, ScbenchError
from scbench.prompts.conversation import Conversation
from scbench.prompts.opening import ANSWER, FIRST, SECOND, headers_of, opening_of
from scbench.prompts.refused import Parted
from scbench.prompts.thinking import MARKS, arguments_of, opened_as, thought_room
from scbench.prompts.tokenizer import Tokenizer
from scbench.types import Mode, Protocol, Session, Think, Turn, Wanted


def check_template(tokenizer: Tokenizer, protocol: Protocol, modes: Iterable[Mode]) -> None:
    """Raise what a run would, before it: a template that is missing, refuses, or forgets.

    BadConfig where --chat-template is asked of a tokenizer without one; Mismatch for a template
    that renders earlier turns anew, or drops the header of the answer.
    """
    Conversation(_session(), tokenizer, protocol, Mode.MULTI_REQUEST)
    if Mode.MULTI_TURN in modes:
        try:
            Conversation(_session(), tokenizer, protocol, Mode.MULTI_TURN)
        except Parted as err:
            raise Mismatch(
                f"the template of {tokenizer.name} renders earlier turns otherwise than the "
                f"prompts that they were ({err.old!r} became {err.new!r}), so a cache cannot be "
                "carried from turn to turn; use --history none, --plain, or --modes multi-request"
            ) from err
    if _is_chat(tokenizer, protocol):
        _check_header(tokenizer, arguments_of(tokenizer, protocol.answering))
    elif protocol.answering.think is Think.ON:
        raise BadConfig(
            f"--think on: thoughts are opened in a chat template, and {tokenizer.name} is asked "
            "without one; leave --think out, or --plain"
        )


def unheard(tokenizer: Tokenizer, protocol: Protocol) -> dict[str, str]:
    """Of what the template is told, what changes nothing, and why."""
    names = [name for name, _ in protocol.answering.template_args]
    if not _is_chat(tokenizer, protocol):
        return dict.fromkeys(names, f"{tokenizer.name} is asked without a chat template")
    text = tokenizer.template_text
    why = f"the chat template of {tokenizer.name} has no such name, so it changes nothing"
    return {name: why for name in names if not re.search(rf"\b{re.escape(name)}\b", text)}


def odd_opening(tokenizer: Tokenizer, protocol: Protocol) -> str:
    """What the template writes before an answer, where that is no mark of a thought that is known:
    what the model says behind it is taken for its answer."""
    if not _is_chat(tokenizer, protocol):
        return ""
    try:
        opening = opening_of(tokenizer, arguments_of(tokenizer, protocol.answering)).strip()
    except ScbenchError:
        return ""  # such a template is refused, in words of its own
    return "" if any(mark in opening for pair in MARKS for mark in pair) else opening


def thought_tokens(tokenizer: Tokenizer, protocol: Protocol) -> int:
    """The room of a thought before every answer, as far as is known without a session."""
    answering, opening = protocol.answering, ""
    if getattr(getattr(tokenizer, "plain", None), "bare", False):
        return 0
    if _is_chat(tokenizer, protocol):
        try:
            written = opening_of(tokenizer, arguments_of(tokenizer, answering))
            opening = opened_as(tokenizer, written, answering.think)
        except ScbenchError:
            return 0  # such a template is refused, in words of its own
    return thought_room(tokenizer, opening, answering)


def _is_chat(tokenizer: Tokenizer, protocol: Protocol) -> bool:
    asked = protocol.chat_template
    return tokenizer.has_chat_template if asked is None else asked


def tried_ids(tokenizer: Tokenizer, protocol: Protocol) -> tuple[int, ...]:
    """The ids of a prompt of the tiny conversation, with all that the template writes around it."""
    return Conversation(_session(), tokenizer, protocol, Mode.MULTI_REQUEST).prompt(0).ids


def _check_header(tokenizer: Tokenizer, arguments: Mapping[str, object]) -> None:
    """What stands between question and answer in history must stand behind a question asked."""
    found = headers_of(tokenizer, arguments)
    if found is None:
        return  # rewritten text is refused where spans are followed
    header, behind = (text.rstrip() for text in found)
    is_cut = header != behind and header.startswith(behind)
    if is_cut:
        raise Mismatch(
            f"the chat template of {tokenizer.name} leaves out what begins an answer "
            f"({header[len(behind) :].strip()!r:.60} stands before answers in history, and not "
            "behind a question), so the model would be asked without it: add_generation_prompt "
            "has no effect; mend the template, or take the plain one (--plain)"
        )


def _session() -> Session:
    turns = [
        Turn(task="kv", ask=ask, gold=ANSWER, wanted=Wanted(golds=(ANSWER,)), max_new_tokens=1)
        for ask in (FIRST, SECOND, FIRST)
    ]
    return Session(
        task="kv",
        context="A red box, a blue box.",
        turns=tuple(turns),
        counted=0,
        counter="none",
        recipe={},
        digest="0" * 64,
    )
