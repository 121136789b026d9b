"""A cell while it is played: what is left of it, and what it has answered."""

from __future__ import annotations

from dataclasses import dataclass, field

from scbench.methods.method import Method
from scbench.types import Cell


@dataclass(slots=True)
class CellPlay:
    """The turns of a cell that have no record yet, and the answers of those that have (they stand
    in prompts where the model's own answers are the history)."""

    cell: Cell
    method: Method
    todo: set[int]
    answers: dict[int, str] = field(default_factory=dict)
    made: str = ""  # digest of what makes its answers, for the record
