"""A chat template tried on a tiny conversation, so that what a run would refuse is known before it.

The conversation is rendered by the very code that renders a session's; nothing is guessed from the
template's text.
"""

from __future__ import annotations

from collections.abc import Iterable

from scbench.errors import Mismatch, ScbenchError
from scbench.prompts.conversation import Conversation
from scbench.prompts.tokenizer import Message, Tokenizer
from scbench.types import Mode, Protocol, Session, Turn, Wanted

FIRST, ANSWER, SECOND = "What is in the red box?", "Seven keys", "And in the blue one?"


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
        _check_header(tokenizer)


def _check_header(tokenizer: Tokenizer) -> None:
    """What stands between question and answer in history must stand behind a question asked."""
    asked: list[Message] = [{"role": "user", "content": FIRST}]
    said: list[Message] = [
        *asked,
        {"role": "assistant", "content": ANSWER},
        {"role": "user", "content": SECOND},
    ]
    prompt = tokenizer.render_chat(asked, add_generation_prompt=True)
    try:
        history = tokenizer.render_chat(said, add_generation_prompt=True)
    except ScbenchError:
        return  # a template without history; only turns asked alone can be played, and they were
    start = history.find(FIRST) + len(FIRST)
    stop = history.find(ANSWER, start)
    if prompt.find(FIRST) < 0 or start < len(FIRST) or stop < 0:
        return  # rewritten text is refused where spans are followed
    header = history[start:stop].rstrip()
    behind = prompt[prompt.find(FIRST) + len(FIRST) :].rstrip()
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
