"""A conversation in which the KV of the model's own answers stays, thoughts and all."""

from __future__ import annotations

from dataclasses import dataclass, replace

from scbench.play.contract import Keep, Pattern, Steps
from scbench.play.patterns.asking import graded
from scbench.prompts import Rendering
from scbench.prompts.carried import carried


@dataclass(frozen=True, slots=True)
class KeptAnswers(Pattern):
    """Each turn goes on from the state that the answer before it left, as servers do.

    Nothing that was said is read again: what a method did to the KV of an answer while it was
    decoded is what later turns find.
    """

    waits: bool = True

    def steps(self, talk: Rendering) -> Steps:
        answers: list[str] = []
        state_ids: tuple[int, ...] = ()
        parent: str | None = None
        for turn in range(len(talk.session.turns)):
            step = graded(
                talk, turn, answers=answers, parent=parent, ends_parent=True, keep=Keep.ANSWER
            )
            if turn:
                step = replace(step, prompt=carried(talk, turn, answers, state_ids))
            reply = yield step
            assert reply is not None
            assert reply.answer is not None
            answers.append(reply.text)
            state_ids = (*step.prompt.whole.ids, *reply.answer.ids)
            parent = step.id
