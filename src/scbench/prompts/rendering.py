"""What a player asks of a session that is rendered for a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from scbench.errors import Mismatch
from scbench.prompts.conversation import Conversation
from scbench.prompts.stops import Stops
from scbench.prompts.thinking import Thinking
from scbench.prompts.tokenizer import Tokenizer
from scbench.prompts.tokens import Prompt, Tokens
from scbench.types import Mode, Session
from scbench.types import Protocol as RunProtocol


class Rendering(Protocol):
    """A session in one mode: `Conversation` has the paper's two, `Growing` and `Branching` more."""

    session: Session
    mode: Mode
    tokenizer: Tokenizer
    context: Tokens

    @property
    def context_prompt(self) -> Prompt: ...

    @property
    def truncated_tokens(self) -> int: ...

    def prompt(self, turn: int, answers: Sequence[str] = ()) -> Prompt: ...

    def material(self, turn: int) -> Prompt | None:
        """What is read before `turn` is asked, the context before it included; None: nothing."""
        ...

    def gold_ids(self, turn: int) -> tuple[int, ...]: ...

    def delta(self, cached_ids: Sequence[int], prompt: Prompt) -> tuple[int, ...]: ...

    def stops(self, turn: int) -> Stops: ...

    def thinking(self, turn: int) -> Thinking | None: ...

    def evidence_survives(self, turn: int) -> bool | None: ...


def rendering_of(
    session: Session,
    tokenizer: Tokenizer,
    protocol: RunProtocol,
    mode: Mode,
    window_tokens: int | None,
) -> Rendering:
    """The session as a conversation, or as requests where the mode has no history.

    Raises TooLong, Mismatch, BadConfig as `Conversation`.
    """
    if any(turn.material for turn in session.turns):
        raise Mismatch(f"the turns of {session.task} bring material; play them with --modes grow")
    return Conversation(session, tokenizer, protocol, mode, window_tokens)
