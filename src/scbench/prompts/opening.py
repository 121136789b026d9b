"""What a template writes before an answer that is asked for, and not before one that was given.

Reasoning models open a thought there, or write an empty one. It belongs to the answer: the next
turn's prompt does not have it, so a state that is carried on must not have it either.
"""

from __future__ import annotations

from collections.abc import Mapping

from scbench.errors import ScbenchError
from scbench.prompts.tokenizer import Message, Tokenizer

FIRST, ANSWER, SECOND = "What is in the red box?", "Seven keys", "And in the blue one?"


def headers_of(tokenizer: Tokenizer, arguments: Mapping[str, object]) -> tuple[str, str] | None:
    """What stands between a question and its answer: in history, and behind a question asked.

    None where the template rewrites messages, or refuses a conversation of two turns.
    """
    asked: list[Message] = [{"role": "user", "content": FIRST}]
    said: list[Message] = [
        *asked,
        {"role": "assistant", "content": ANSWER},
        {"role": "user", "content": SECOND},
    ]
    prompt = tokenizer.render_chat(asked, add_generation_prompt=True, arguments=arguments)
    try:
        history = tokenizer.render_chat(said, add_generation_prompt=True, arguments=arguments)
    except ScbenchError:
        return None  # a template without history: only turns asked alone can be played
    start = history.find(FIRST) + len(FIRST)
    stop = history.find(ANSWER, start)
    if prompt.find(FIRST) < 0 or start < len(FIRST) or stop < 0:
        return None
    return history[start:stop], prompt[prompt.find(FIRST) + len(FIRST) :]


def opening_of(tokenizer: Tokenizer, arguments: Mapping[str, object]) -> str:
    """What the prompt has behind the header; "" where it is the header alone."""
    found = headers_of(tokenizer, arguments)
    if found is None:
        return ""
    header, behind = found
    opening = behind[len(header) :] if behind.startswith(header) else ""
    return opening if opening.strip() else ""
