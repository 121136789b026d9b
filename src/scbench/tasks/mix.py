"""What the two Mix tasks share: the order of their sub-tasks, and the reading of turns that say
which sub-task they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from scbench.errors import BadRow
from scbench.task_cards import PARTS
from scbench.tasks.draw import Draw
from scbench.types import Turn

ORDERS = ("alternate", "seeded")
Reader = Callable[[Mapping[str, object], Mapping[str, object]], Turn]


def order_of(parts: tuple[str, str], turns: int, order: str, draw: Draw) -> list[str]:
    """The sub-task of each turn: in turn, beginning with the first, or the same ones in seeded
    order.
    """
    found = [parts[i % 2] for i in range(turns)]
    if order == "seeded":
        draw.shuffle(found)
    return found


def read_part(
    task: str, readers: Mapping[str, Reader], row: Mapping[str, object], item: Mapping[str, object]
) -> Turn:
    """Raises BadRow where the item names no sub-task of `readers`."""
    part = str(item.get("task", "")).removeprefix("scbench_")
    if part not in readers:
        allowed = " or ".join(f"'scbench_{name}'" for name in readers)
        raise BadRow(
            f"{task}: a turn's 'task' is {item.get('task')!r}; it must be {allowed}. Is this file "
            f"the config scbench_{task}?"
        )
    return replace(readers[part](row, item), task=part)


def write_part(turn: Turn) -> dict[str, object]:
    """A turn as an item of `multi_turns`; a function's answer is the bare source."""
    item: dict[str, object] = {
        "answer": turn.gold,
        "input": turn.ask,
        "task": f"scbench_{turn.task}",
    }
    return (
        item | {"answer": turn.wanted.golds[0], "name": turn.wanted.name}
        if PARTS[turn.task].is_function
        else item
    )
