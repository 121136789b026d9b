"""Retr.Prefix-Suffix in words: the one line that begins and ends as asked."""

from __future__ import annotations

from scbench.task_cards.card import STRING, Subtask, TaskCard
from scbench.task_cards.units import LINE

TURN = Subtask(
    name="prefix_suffix",
    strict="passage",
    official="contained",
    limit_tokens=150,
    expected_tokens=(5, 60),
    gold_place="{gold}",
)
CARD = TaskCard(
    name="prefix_suffix",
    title="Retr.Prefix-Suffix",
    ability=STRING,
    subtasks=(TURN,),
    unit_ends=LINE,
    aliases=("retr.ps",),
)
