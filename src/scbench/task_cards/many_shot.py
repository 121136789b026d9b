"""ICL.ManyShot in words: hundreds of worked examples, then one of the kind to be solved."""

from __future__ import annotations

from scbench.task_cards.card import GLOBAL, Subtask, TaskCard
from scbench.task_cards.units import BLANK_LINE

TURN = Subtask(
    name="many_shot",
    strict="choice",
    official="any_contained",
    hint="Answer with the letter of the right option only.",
    limit_tokens=10,
    expected_tokens=(2, 8),
    chance=1 / 6,  # by letters; compact tracking has three options, and there it is 1/3
    tiny_chance=0.5,
)
CARD = TaskCard(
    name="many_shot",
    title="ICL.ManyShot",
    ability=GLOBAL,
    subtasks=(TURN,),
    unit_ends=BLANK_LINE,
)
