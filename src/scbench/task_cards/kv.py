"""Retr.KV in words: the value of a key in one large JSON object."""

from __future__ import annotations

from scbench.task_cards.card import STRING, Subtask, TaskCard

TURN = Subtask(
    name="kv",
    strict="value",
    official="contained",
    hint="Answer with the value only.",
    limit_tokens=150,
    expected_tokens=(5, 45),
    gold_place="{gold}",
)
CARD = TaskCard(
    name="kv",
    title="Retr.KV",
    ability=STRING,
    subtasks=(TURN,),
    head="Extract the value corresponding to the specified key in the JSON object below.",
    unit_ends=r'",\s*',  # the last pair has no comma and stays
)
