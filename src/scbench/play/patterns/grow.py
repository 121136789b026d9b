"""A context that grows: material is read between questions, and stays; questions do not."""

from __future__ import annotations

from dataclasses import dataclass

from scbench.play.contract import Keep, Step, Steps
from scbench.play.patterns.asking import graded
from scbench.prompts import Rendering


@dataclass(frozen=True, slots=True)
class Grow:
    """Each piece of material goes on from the one before it, and each question from what is there.

    A compression acts on the context, and again on all that is held after each piece.
    """

    waits: bool = False

    def steps(self, talk: Rendering) -> Steps:
        parent = Step(id="context", prompt=talk.context_prompt, keep=Keep.PROMPT)
        yield parent
        for turn in range(len(talk.session.turns)):
            more = talk.material(turn)
            if more is not None:
                parent = Step(
                    id=f"material {turn + 1}",
                    prompt=more,
                    parent=parent.id,
                    ends_parent=True,  # the questions of what was there have been asked
                    keep=Keep.PROMPT,
                )
                yield parent
            yield graded(talk, turn, parent=parent.id)
