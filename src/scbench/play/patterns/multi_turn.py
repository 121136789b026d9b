"""A conversation: every turn sees the context, the questions before it and their answers."""

from __future__ import annotations

from dataclasses import dataclass

from scbench.play.contract import Keep, Pattern, Steps
from scbench.play.patterns.asking import graded
from scbench.prompts import Rendering


@dataclass(frozen=True, slots=True)
class MultiTurn(Pattern):
    """Questions and history stay in the cache; the answer that a model gives itself does not.

    The history is the gold answers, read as part of the next prompt, or (`waits`) the model's own.
    """

    def steps(self, talk: Rendering) -> Steps:
        answers: list[str] = []
        parent: str | None = None
        for turn, asked in enumerate(talk.session.turns):
            step = graded(
                talk, turn, answers=answers, parent=parent, ends_parent=True, keep=Keep.PROMPT
            )
            reply = yield step
            answers.append(reply.text if self.waits and reply is not None else asked.gold)
            parent = step.id


PATTERN = MultiTurn
