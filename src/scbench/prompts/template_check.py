"""A chat template tried on a tiny conversation, so that what a run would refuse is known before it.

The conversation is rendered by the very code that renders a session's; nothing is guessed from the
template's text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from scbench.errors import Mismatch
from scbench.prompts.conversation import Conversation
from scbench.prompts.opening import ANSWER, FIRST, SECOND, headers_of
from scbench.prompts.thinking import arguments_of
from scbench.prompts.tokenizer import Tokenizer
from scbench.types import Mode, Protocol, Session, Turn, Wanted


def check_template(tokenizer: Tokenizer, protocol: Protocol, modes: Iterable[Mode]) -> None:
    """Raise what a run would, before it: a template that is missing, refuses, or forgets.

    BadConfig where --chat-template is asked of a tokenizer without one; Mismatch for a template
    that renders earlier turns anew, or drops the header of the answer.
    """
    Conversation(_session(), tokenizer, protocol, Mode.MULTI_REQUEST)
    if Mode.MULTI_TURN in modes:
        try:
            Conversation(_session(), tokenizer, protocol, Mode.MULTI_TURN)
        except Mismatch as err:
            raise Mismatch(
                f"the template of {tokenizer.name} renders earlier turns otherwise than the "
                "prompts that they were (some open a thought, or drop one), so a cache cannot be "
                "carried from turn to turn; use --history none, --plain, or --modes multi-request"
            ) from err
    is_chat = protocol.chat_template
    if tokenizer.has_chat_template if is_chat is None else is_chat:
        _check_header(tokenizer, arguments_of(tokenizer, protocol.answering))


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
