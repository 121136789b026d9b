"""What tables need to know of tasks: title, ability, order, sub-tasks, chance and source.

Source of the order and the column groups: SCBench (arXiv 2412.10319), Table 2 and Table 4. What
each task says of itself stands in its card. A task of any other name is reported too; it counts in
a category of the paper only where its card names one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from scbench.task_cards import ABILITIES, GLOBAL, MULTI, OTHER, PAPER, SEMANTIC, STRING, TaskCard

OVERALL = "Overall"
OTHER_TASKS = "Other tasks"
_PLACES = {name: place for place, name in enumerate(PAPER)}


@dataclass(frozen=True, slots=True)
class TaskBook:
    """The paper's twelve tasks and those that a run brought, by short name.

    A name without a card is shown as it is, and is of no ability.

    >>> PAPER_BOOK.title_of("repoqa_and_kv", "kv"), PAPER_BOOK.ability_of("mine")
    ('Mix.RepoQA+KV / kv', 'mine')
    """

    brought: Mapping[str, TaskCard] = field(default_factory=dict)

    def card(self, task: str) -> TaskCard | None:
        return PAPER.get(task) or self.brought.get(task)

    def title_of(self, task: str, part: str = "") -> str:
        card = self.card(task)
        title = card.title if card is not None else task
        return f"{title} / {part}" if part else title

    def parts_of(self, task: str) -> tuple[str, ...]:
        """The sub-tasks whose means are averaged; none for a plain task."""
        card = self.card(task)
        return card.parts if card is not None and card.is_mix else ()

    def in_order(self, names: Iterable[str]) -> tuple[str, ...]:
        """Tasks of the paper first, in its order; then the others by name."""
        return tuple(sorted(names, key=lambda name: (_PLACES.get(name, len(PAPER)), name)))

    def ability_of(self, task: str) -> str:
        """The paper's ability; the task's own name for a task that is of none."""
        card = self.card(task)
        return card.ability if card is not None and card.ability in ABILITIES else task

    def group_of(self, task: str) -> str:
        """The column group a task stands in: its ability, or that of the other tasks."""
        card = self.card(task)
        return OTHER_TASKS if card is None or card.ability == OTHER else card.ability

    def tasks_of(self, ability: str) -> tuple[str, ...]:
        names = (*PAPER, *self.brought)
        return self.in_order({name for name in names if self.ability_of(name) == ability})

    def tasks_in(self, name: str) -> tuple[str, ...]:
        """The tasks of an ability, or of all four."""
        if name == OVERALL:
            return tuple(task for ability in ABILITIES for task in self.tasks_of(ability))
        return self.tasks_of(name)

    def chance_of(self, form: str, task: str, part: str = "") -> float:
        """What the best constant answer scores; a scorer's measured floor comes before it."""
        card = self.card(task)
        subtasks = card.subtasks if card is not None else ()
        return next((one.chance_in(form) for one in subtasks if one.name == (part or task)), 0.0)

    def source_of(self, task: str) -> str:
        """What a task draws its questions from: tasks of one source share them, seed by seed."""
        card = self.card(task)
        return (card.source if card is not None else "") or task


PAPER_BOOK = TaskBook()

__all__ = [
    "ABILITIES",
    "GLOBAL",
    "MULTI",
    "OTHER_TASKS",
    "OVERALL",
    "PAPER_BOOK",
    "SEMANTIC",
    "STRING",
    "TaskBook",
]
