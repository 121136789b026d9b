"""Code.RepoQA in words: the function that a description tells of."""

from __future__ import annotations

from scbench.task_cards.card import SEMANTIC, Subtask, TaskCard
from scbench.task_cards.units import FUNCTION

TURN = Subtask(
    name="repoqa",
    strict="function",
    official="function",
    is_short=False,
    limit_tokens=1024,
    expected_tokens=(80, 500),
    gold_place="{gold}",
)
CARD = TaskCard(
    name="repoqa",
    title="Code.RepoQA",
    ability=SEMANTIC,
    subtasks=(TURN,),
    head="Based on the function description and code context, please retrieve and repeat the exact "
    "described function from the code context in a code block wrapped by ```:",
    unit_ends=FUNCTION,
)
