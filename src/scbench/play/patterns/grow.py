"""A context that grows: material is read between questions, and stays; questions do not."""

from __future__ import annotations

from dataclasses import dataclass

from scbench.play.contract import Keep, Pattern, Step, Steps
from scbench.play.patterns.asking import graded
from scbench.play.patterns.uncut import never_cut
from scbench.prompts import Rendering, Tokenizer
from scbench.prompts.growing import Growing
from scbench.types import Mode, Protocol, Session


@dataclass(frozen=True, slots=True)
class Grow(Pattern):
    """Each piece of material goes on from the one before it, and each question from what is there.

    A compression acts on the context, and again on all that is held after each piece.
    """

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

    @classmethod
    def render(
        cls,
        session: Session,
        tokenizer: Tokenizer,
        protocol: Protocol,
        mode: Mode,
        window_tokens: int | None,
    ) -> Rendering:
        """Never cut: what one turn is shown would no longer be what another goes on from."""
        never_cut(mode, protocol)
        return Growing(session, tokenizer, protocol, window_tokens)


PATTERN = Grow
