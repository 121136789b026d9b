"""The cards of tasks: the paper's twelve, and those that a program brought.

A leaf: every room may import it. One file a task; a task of anyone's carries its card itself
(`tasks.contract.Task`) and `bring`s it when it is loaded, so that its sessions find their words.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType

from scbench.errors import BadConfig, Unknown
from scbench.task_cards import (
    choice_eng,
    kv,
    many_shot,
    mf,
    prefix_suffix,
    qa_chn,
    qa_eng,
    repoqa,
    repoqa_and_kv,
    summary,
    summary_with_needles,
    vt,
)
from scbench.task_cards.card import (
    ABILITIES,
    GLOBAL,
    MULTI,
    OTHER,
    SEMANTIC,
    STRING,
    Asking,
    Subtask,
    TaskCard,
    filled,
)

_IN_PAPER_ORDER = (
    kv,
    prefix_suffix,
    vt,
    repoqa,
    qa_eng,
    qa_chn,
    choice_eng,
    mf,
    many_shot,
    summary,
    summary_with_needles,
    repoqa_and_kv,
)
PAPER: Mapping[str, TaskCard] = MappingProxyType(
    {module.CARD.name: module.CARD for module in _IN_PAPER_ORDER}
)
# Sub-tasks by name, as the tasks of that name have them; pass keys are in a mix alone.
PARTS: Mapping[str, Subtask] = MappingProxyType(
    {part.name: part for card in PAPER.values() if not card.is_mix for part in card.subtasks}
    | {summary_with_needles.TURN.name: summary_with_needles.TURN}
)
_BROUGHT: dict[str, TaskCard] = {}  # the newest of a name: an edited file is loaded again


def bring(card: TaskCard) -> None:
    """Make the card of a task known that is not the paper's. Raises BadConfig for its names."""
    if card.name in PAPER:
        raise BadConfig(
            f"a task of your own is called {card.name!r}, as one of the paper's; give it another "
            "name"
        )
    _BROUGHT[card.name] = card


def known() -> dict[str, TaskCard]:
    """The cards by name: the paper's, and those that were brought."""
    return {**PAPER, **_BROUGHT}


def card_of(task: str) -> TaskCard:
    """The card of a task by its short name. Raises Unknown for one that nobody brought."""
    card = known().get(task)
    if card is not None:
        return card
    near = difflib.get_close_matches(task, known(), n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(PAPER)}."
    raise Unknown(
        f"no task is called {task!r}; {hint} A task of your own is known once it is loaded: "
        "scbench.tasks.task('path/to/file.py:TASK')"
    )


__all__ = [
    "ABILITIES",
    "GLOBAL",
    "MULTI",
    "OTHER",
    "PAPER",
    "PARTS",
    "SEMANTIC",
    "STRING",
    "Asking",
    "Subtask",
    "TaskCard",
    "bring",
    "card_of",
    "filled",
    "known",
]
