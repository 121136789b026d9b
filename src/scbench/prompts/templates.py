"""The words around context and query: the published strings with their defects (`official`), and
ours (`strict`).

Each task's own words stand in its card (`task_cards`); this file says which of them is told where.
The numbers of defects in those cards are those of docs/protocol.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from scbench.prompts.tokens import common_prefix
from scbench.task_cards import Asking, Subtask, TaskCard, card_of, filled
from scbench.types import PromptSet, Session

JOIN = "\n\n"
LEAST_QUESTION_CHARS = 4  # a shorter beginning could be an answer's


@dataclass(frozen=True, slots=True)
class Plain:
    """How a rendering without chat template joins its parts. `bare` leaves the task's words out
    (closed vocabularies).

    A tokenizer may bring its own as the attribute `plain`, for instance `Plain(" <ask> ", " <ans>
    ", " <end>", bare=True)`.
    """

    before_ask: str = JOIN
    before_answer: str = " "
    after_answer: str = ""
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Wording:
    """The strings of one session. `alone`: every turn sees only context and question. `chat`: they
    go into a chat template.
    """

    session: Session
    prompts: PromptSet
    chat: bool
    alone: bool
    bare: bool = False

    @property
    def is_official(self) -> bool:
        return self.prompts is PromptSet.OFFICIAL

    @property
    def card(self) -> TaskCard:
        return card_of(self.session.task)

    def head(self) -> str:
        """What stands before the context, with the blank line that parts them."""
        if self.bare:
            return ""
        head = filled(self.card.head, self._asking(0))
        return head + JOIN if head else ""

    def ask(self, turn: int) -> str:
        """The query of the first turn, or of any turn that is asked alone."""
        return self._query(turn, is_follow_up=False)

    def follow_up(self, turn: int) -> str:
        return self._query(turn, is_follow_up=True)

    def gold(self, turn: int) -> str:
        """The reference answer as history shows it."""
        shown = self.subtask(turn).shown_gold
        return shown(self._asking(turn)) if shown is not None else self.session.turns[turn].gold

    def common_question(self) -> str:
        """How all questions of the session begin, up to the last whole word; "" if they do not."""
        turns = range(len(self.session.turns))
        asked = [self.ask(turn) if self.alone else self.follow_up(turn) for turn in turns]
        if len(asked) < 2:
            return ""
        first_lines = [text.lstrip().split("\n", 1)[0] for text in asked]
        same = min(first_lines)[: common_prefix(min(first_lines), max(first_lines))]
        whole = same[: same.rfind(" ")] if " " in same else same
        return whole if len(whole) >= LEAST_QUESTION_CHARS else ""

    def lead(self, turn: int) -> str:
        """What is put in the assistant's mouth: nothing, but for the published En.Sum."""
        has_lead = self.is_official and self.chat and not self.alone and turn > 0
        return self.card.official_lead if has_lead else ""

    def subtask(self, turn: int) -> Subtask:
        return self.card.subtask(self.session.turns[turn].task)

    def _query(self, turn: int, *, is_follow_up: bool) -> str:
        if self.bare:
            return self.session.turns[turn].ask
        part = self.subtask(turn)
        asked = filled(part.ask, self._asking(turn, is_follow_up=is_follow_up))
        # An assistant would wrap its answer in a sentence; a text that goes on would not.
        has_hint = part.hint and self.chat and not self.is_official
        return f"{part.hint}{JOIN}{asked}" if has_hint else asked

    def _asking(self, turn: int, *, is_follow_up: bool = False) -> Asking:
        return Asking(
            self.session,
            turn,
            is_official=self.is_official,
            is_chat=self.chat,
            is_alone=self.alone,
            is_follow_up=is_follow_up,
        )
