"""Mix.Sum+NIAH in words: reports to summarise, and pass keys between them."""

from __future__ import annotations

from scbench.task_cards import summary
from scbench.task_cards.card import MULTI, Subtask, TaskCard
from scbench.task_cards.units import REPORT

TURN = Subtask(
    name="passkey",
    strict="digits",
    official="passkey",
    hint="Answer with the number only.",
    limit_tokens=16,
    expected_tokens=(3, 12),
    gold_place="{gold}",
)
CARD = TaskCard(
    name="summary_with_needles",
    title="Mix.Sum+NIAH",
    ability=MULTI,
    subtasks=(summary.TURN, TURN),
    turns=8,
    unit_ends=REPORT,
)
