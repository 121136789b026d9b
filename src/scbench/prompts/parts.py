"""A rendering that is put together: each turn is the last one of a conversation of its own."""

from __future__ import annotations

from collections.abc import Sequence

from scbench.prompts.conversation import Conversation
from scbench.prompts.stops import Stops
from scbench.prompts.thinking import Thinking
from scbench.prompts.tokens import Prompt, Tokens
from scbench.types import Mode, Session


class Parts:
    """`parts[turn]` renders the session that ends with `turn`; all of them share the context."""

    def __init__(self, session: Session, mode: Mode, parts: Sequence[Conversation]) -> None:
        self.session = session
        self.mode = mode
        self.parts = tuple(parts)
        self.tokenizer = self.parts[0].tokenizer
        self.lasts = tuple(len(part.session.turns) - 1 for part in self.parts)
        evidence = {
            turn: tuple(part.context.evidence(last))
            for turn, (part, last) in enumerate(zip(self.parts, self.lasts, strict=True))
        }
        self.context = Tokens(self.parts[0].context.ids, evidence)

    @property
    def context_prompt(self) -> Prompt:
        return self.parts[0].context_prompt

    @property
    def truncated_tokens(self) -> int:
        return 0

    def material(self, turn: int) -> Prompt | None:
        return None

    def gold_ids(self, turn: int) -> tuple[int, ...]:
        return self.parts[turn].gold_ids(self.lasts[turn])

    def delta(self, cached_ids: Sequence[int], prompt: Prompt) -> tuple[int, ...]:
        return self.parts[prompt.turn].delta(cached_ids, prompt)

    def stops(self, turn: int) -> Stops:
        return self.parts[turn].stops(self.lasts[turn])

    def thinking(self, turn: int) -> Thinking | None:
        return self.parts[turn].thinking(self.lasts[turn])

    def evidence_survives(self, turn: int) -> bool | None:
        return True
