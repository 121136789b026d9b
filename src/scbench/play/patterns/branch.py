"""A conversation that parts: several turns go on from one, and do not see each other."""

from __future__ import annotations

from dataclasses import dataclass

from scbench.play.contract import Keep, Pattern, Steps
from scbench.play.patterns.asking import graded
from scbench.play.patterns.uncut import never_cut
from scbench.prompts import Rendering, Tokenizer
from scbench.prompts.branching import Branching, parent_of
from scbench.types import Mode, Protocol, Session


@dataclass(frozen=True, slots=True)
class Branch(Pattern):
    """Every turn goes on from a copy of its parent's state."""

    def steps(self, talk: Rendering) -> Steps:
        turns = talk.session.turns
        parents = [None, *(parent_of(talk.session, turn) for turn in range(1, len(turns)))]
        ids: list[str] = []
        answers: list[str] = []
        for turn, asked in enumerate(turns):
            parent = parents[turn]
            step = graded(
                talk,
                turn,
                answers=answers,
                parent=None if parent is None else ids[parent],
                keep=Keep.PROMPT if turn in parents else Keep.NOTHING,
            )
            reply = yield step
            ids.append(step.id)
            answers.append(reply.text if self.waits and reply is not None else asked.gold)

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
        return Branching(session, tokenizer, protocol, window_tokens)


PATTERN = Branch
