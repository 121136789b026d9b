"""En.Sum in words: a summary of one of several reports."""

from __future__ import annotations

from scbench.task_cards.card import GLOBAL, Subtask, TaskCard
from scbench.task_cards.units import REPORT

TURN = Subtask(
    name="summary",
    strict="facts",
    official="rouge",
    is_short=False,
    limit_tokens=800,
    expected_tokens=(60, 400),
)
CARD = TaskCard(
    name="summary",
    title="En.Sum",
    ability=GLOBAL,
    subtasks=(TURN,),
    official_lead="This paper",  # put in the assistant's mouth (defect 16)
    unit_ends=REPORT,
)
