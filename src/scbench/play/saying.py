"""What a model has said so far: its thought, if it has one, and its answer."""

from __future__ import annotations

from collections.abc import Sequence

from scbench.prompts import Stops, Thinking, Tokenizer
from scbench.prompts.thinking import MOST_OPENING_TOKENS, TAIL_TOKENS
from scbench.types import Answer, Finish


class Saying:
    """Tokens as they are made. `cut` is the answer's text up to a stop, once there is one."""

    def __init__(self, tokenizer: Tokenizer, stops: Stops, thinking: Thinking | None) -> None:
        self.tokenizer = tokenizer
        self.stops = stops
        self.thinking = thinking
        self.ids: list[int] = []
        self.is_thinking = thinking is not None and thinking.is_open
        self.is_closed_by_us = False
        self.thought_tokens = 0  # up to and including the mark that closes it
        self.cut: str | None = None

    @property
    def answer_tokens(self) -> int:
        return len(self.ids) - self.thought_tokens

    def add(self, token: int) -> None:
        self.ids.append(token)
        if self.is_thinking:
            self._think()
        elif self._begins_a_thought():
            self.is_thinking = True
            self._think()
        elif self.stops:
            self.cut = self.stops.cut(self._text(self.ids[self.thought_tokens :]))

    def forced(self) -> Sequence[int]:
        """The tokens that close a thought which has used up its budget; they count as said."""
        if self.thinking is None or not self.is_thinking:
            return ()
        if len(self.ids) < self.thinking.budget_tokens:
            return ()
        self.ids.extend(self.thinking.closing_ids)
        self._close()
        self.is_closed_by_us = True
        return self.thinking.closing_ids

    def answer(self, finish: Finish) -> Answer:
        thought_tokens = len(self.ids) if self.is_thinking else self.thought_tokens
        text = self._text(self.ids[thought_tokens:]) if self.cut is None else self.cut
        return Answer(
            ids=tuple(self.ids),
            text=text,
            finish=finish,
            thought=self._text(self.ids[:thought_tokens]),
            thought_tokens=thought_tokens,
        )

    def _begins_a_thought(self) -> bool:
        if self.thinking is None or self.thought_tokens or len(self.ids) > MOST_OPENING_TOKENS:
            return False
        return self.thinking.opens(self.ids, self._text(self.ids))

    def _think(self) -> None:
        assert self.thinking is not None
        if self.thinking.closes(self.ids, self._text(self.ids[-TAIL_TOKENS:])):
            self._close()

    def _close(self) -> None:
        self.is_thinking = False
        self.thought_tokens = len(self.ids)

    def _text(self, ids: Sequence[int]) -> str:
        return self.tokenizer.decode_on(ids) if ids else ""
