"""A conversation that parts: several turns go on from the same one, and do not see each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scbench.errors import Mismatch
from scbench.prompts.conversation import Conversation
from scbench.prompts.parts import Parts
from scbench.prompts.tokenizer import Tokenizer
from scbench.prompts.tokens import Prompt
from scbench.types import Mode, Protocol, Session


class Branching(Parts):
    """Each turn sees the context and the turns on its way to the first.

    Raises Mismatch for a turn that goes on from itself or from a later one.
    """

    def __init__(
        self,
        session: Session,
        tokenizer: Tokenizer,
        protocol: Protocol,
        window_tokens: int | None = None,
    ) -> None:
        self.paths = [path(session, turn) for turn in range(len(session.turns))]
        parts = [
            Conversation(
                replace(session, turns=tuple(session.turns[at] for at in way)),
                tokenizer,
                protocol,
                Mode.MULTI_TURN,
                window_tokens,
            )
            for way in self.paths
        ]
        super().__init__(session, Mode.BRANCH, parts)

    def prompt(self, turn: int, answers: Sequence[str] = ()) -> Prompt:
        """`answers` are those of all turns before; the ones on the way are used."""
        said = [answers[at] for at in self.paths[turn][:-1] if at < len(answers)]
        return replace(self.parts[turn].prompt(self.lasts[turn], said), turn=turn)


def parent_of(session: Session, turn: int) -> int:
    """The turn that `turn`, which is not the first, goes on from."""
    after = session.turns[turn].after
    parent = 0 if after is None else after
    if not 0 <= parent < turn:
        raise Mismatch(
            f"turn {turn + 1} of {session.task} goes on from turn {parent + 1}; it can go on from "
            f"turns 1 to {turn}"
        )
    return parent


def path(session: Session, turn: int) -> tuple[int, ...]:
    """The turns from the first to `turn`, each going on from the one before."""
    return (0,) if turn == 0 else (*path(session, parent_of(session, turn)), turn)
