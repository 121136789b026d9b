"""What a conversation refuses, in words: a cache that is no prefix, a window that is too short."""

from __future__ import annotations

from scbench.errors import BadConfig, Mismatch, TooLong
from scbench.prompts.tokenizer import Tokenizer
from scbench.prompts.tokens import Prompt, common_prefix
from scbench.types import Protocol


class Parted(Mismatch):
    """A prompt does not begin with the tokens of an earlier one; `old` became `new`."""

    def __init__(self, told: str, old: str, new: str) -> None:
        super().__init__(told)
        self.old, self.new = old, new


def parted(
    cached: tuple[int, ...], prompt: Prompt, *, tokenizer: Tokenizer, is_chat: bool, what: str
) -> Parted:
    """Where the tokens of a cache part from a prompt that should begin with them."""
    at = common_prefix(cached, prompt.ids)
    old, new = (tokenizer.decode(ids[max(0, at - 8) : at + 8]) for ids in (cached, prompt.ids))
    template = "chat template of" if is_chat else "plain template with"
    told = (
        f"{what}, turn {prompt.turn + 1}: the {len(cached):,} cached tokens are no prefix of the "
        f"prompt; they part at token {at:,}: cached ...{old!r}, prompt ...{new!r}. If the cache "
        f"came from an earlier turn, the {template} {tokenizer.name} renders earlier turns anew "
        "(some drop what a model thought), or joins header and answer in one token, so a cache "
        "cannot be carried on; use --history none, or --plain"
    )
    return Parted(told, old, new)


def too_long(what: str, window_tokens: int, missing: int, what_to_do: str) -> TooLong:
    need = window_tokens + missing
    return TooLong(
        f"{what}: prompt, history and the answer's room need {need:,} tokens, the window holds "
        f"{window_tokens:,}; {what_to_do}",
        tokens=need,
        window_tokens=window_tokens,
    )


def uses_chat(tokenizer: Tokenizer, protocol: Protocol) -> bool:
    """Whether prompts go through the chat template. Raises BadConfig where there is none."""
    if protocol.chat_template and not tokenizer.has_chat_template:
        raise BadConfig(
            f"--chat-template: the tokenizer of {tokenizer.name} has no chat template; use --plain"
        )
    return tokenizer.has_chat_template if protocol.chat_template is None else protocol.chat_template
