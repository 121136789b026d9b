"""Mix.RepoQA+KV in words: functions to find, and values of keys between them."""

from __future__ import annotations

from dataclasses import replace

from scbench.task_cards import kv, repoqa
from scbench.task_cards.card import MULTI, TaskCard
from scbench.task_cards.units import FUNCTION

# Asked alone, the released runner looks a value up among the names of its own record's fields,
# and never finds it.
TURN = replace(kv.TURN, official_alone="kv_in_record")
CARD = TaskCard(
    name="repoqa_and_kv",
    title="Mix.RepoQA+KV",
    ability=MULTI,
    subtasks=(repoqa.TURN, TURN),
    turns=8,
    unit_ends=FUNCTION,
)
