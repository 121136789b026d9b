"""Which steps are played one after another, and which side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scbench.play.cell import CellPlay
from scbench.play.contract import Step
from scbench.play.decode import Play


@dataclass(frozen=True, slots=True)
class Strand:
    """Steps of a cell that go on from each other: they fail, and are tried again, together."""

    cell: CellPlay
    turns: frozenset[int]  # that it answers
    start: Callable[[], Play]  # from its first step


def apart(steps: Sequence[Step]) -> list[list[Step]]:
    """Steps that go on from each other's state, in order; those that only share material that is
    read from nothing are apart.

    >>> from scbench.prompts import Prompt
    >>> prompt = Prompt(turn=0, ids=(), spans={})
    >>> context = Step(id="context", prompt=prompt)
    >>> first = Step(id="1", prompt=prompt, parent="context", turn=0)
    >>> second = Step(id="2", prompt=prompt, parent="context", turn=1)
    >>> then = Step(id="3", prompt=prompt, parent="2", turn=2)
    >>> [[step.id for step in strand] for strand in apart([context, first, second, then])]
    [['1'], ['2', '3']]
    """
    strands: list[list[Step]] = []
    strand_of: dict[str, list[Step]] = {}
    shared = {step.id for step in steps if step.is_material and step.parent is None}
    for step in steps:
        if step.id in shared:
            continue
        if step.parent is None or step.parent in shared:
            strand_of[step.id] = []
            strands.append(strand_of[step.id])
        else:
            strand_of[step.id] = strand_of[step.parent]
        strand_of[step.id].append(step)
    return strands
