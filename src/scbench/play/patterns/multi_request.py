"""Independent requests: every turn starts from the bare context that all of them share."""

from __future__ import annotations

from dataclasses import dataclass

from scbench.play.contract import Keep, Pattern, Step, Steps
from scbench.play.patterns.asking import graded
from scbench.prompts import Rendering


@dataclass(frozen=True, slots=True)
class MultiRequest(Pattern):
    """The context is read once, and what a request adds is thrown away."""

    def steps(self, talk: Rendering) -> Steps:
        context = Step(id="context", prompt=talk.context_prompt, keep=Keep.PROMPT)
        yield context
        for turn in range(len(talk.session.turns)):
            yield graded(talk, turn, parent=context.id)


PATTERN = MultiRequest
