"""A context that grows: material is added between questions, and each question is asked alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise

from scbench.errors import Mismatch
from scbench.prompts.conversation import Conversation
from scbench.prompts.parts import Parts
from scbench.prompts.tokenizer import Tokenizer
from scbench.prompts.tokens import Prompt
from scbench.types import Mode, Protocol, Session


def without_material(task: str) -> str:
    """Why a task whose turns bring nothing is not played in this mode."""
    return (
        f"no turn of {task} brings material, so its context cannot grow; use the modes multi-turn "
        "or multi-request, or a task whose turns have `material`"
    )


class Growing(Parts):
    """Turn i sees the context and the material of turns 0..i, and no other question.

    Raises Mismatch where no turn brings material, or where the tokenizer joins what was read to
    what is added.
    """

    def __init__(
        self,
        session: Session,
        tokenizer: Tokenizer,
        protocol: Protocol,
        window_tokens: int | None = None,
    ) -> None:
        if not any(turn.material for turn in session.turns):
            raise Mismatch(without_material(session.task))
        texts = accumulate((turn.material for turn in session.turns), initial=session.context)
        next(texts)  # the context without any
        sessions = [
            replace(session, context=text, turns=(replace(turn, material=""),))
            for text, turn in zip(texts, session.turns, strict=True)
        ]
        super().__init__(
            session,
            Mode.GROW,
            [
                Conversation(one, tokenizer, protocol, Mode.MULTI_REQUEST, window_tokens)
                for one in sessions
            ],
        )
        for earlier, later in pairwise(self.parts):  # what was read stays a prefix
            later.delta(earlier.context.ids, later.context_prompt)

    def prompt(self, turn: int, answers: Sequence[str] = ()) -> Prompt:
        return replace(self.parts[turn].prompt(0), turn=turn)

    def material(self, turn: int) -> Prompt | None:
        """The context up to and including what `turn` brings; None for the first turn, whose
        material is part of the context, and where nothing is brought."""
        if turn == 0 or not self.session.turns[turn].material:
            return None
        return replace(self.parts[turn].context_prompt, turn=turn)
