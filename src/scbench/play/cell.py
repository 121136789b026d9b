"""A cell while it is played: what is left of it, and what it has answered."""

from __future__ import annotations

from dataclasses import dataclass, field

from scbench.methods.method import Method
from scbench.play.contract import Reply
from scbench.types import Answer, Cell, Finish


@dataclass(slots=True)
class CellPlay:
    """The turns of a cell that have no record yet, and the answers of those that have (they stand
    in prompts where the model's own answers are the history)."""

    cell: Cell
    method: Method
    todo: set[int]
    answers: dict[int, str] = field(default_factory=dict)
    made: str = ""  # digest of what makes its answers, for the record

    def known(self, turn: int | None) -> Reply:
        """The reply to a step that is not asked: what was answered before, if anything."""
        if turn is None or turn not in self.answers:
            return Reply()
        return Reply(answer=Answer(ids=(), text=self.answers[turn], finish=Finish.END))
