"""Retr.MultiHop in words: all variables that hold one value."""

from __future__ import annotations

from scbench.task_cards.card import STRING, Asking, Subtask, TaskCard
from scbench.task_cards.units import SENTENCE


def shown_gold(asking: Asking) -> str:
    """The published history shows the names as a Python list (defect 18 of docs/protocol.md)."""
    asked = asking.asked
    return str(list(asked.wanted.golds)) if asking.is_official else asked.gold


TURN = Subtask(
    name="vt",
    strict="names",
    official="multihop",
    shown_gold=shown_gold,
    limit_tokens=30,
    expected_tokens=(8, 30),
    gold_place="VAR {gold} =",  # where a name is given its value
    wants_all=True,
)
CARD = TaskCard(
    name="vt",
    title="Retr.MultiHop",
    ability=STRING,
    subtasks=(TURN,),
    unit_ends=SENTENCE,
    aliases=("retr.mh",),
)
