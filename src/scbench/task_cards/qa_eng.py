"""En.QA in words: short questions about a story in English."""

from __future__ import annotations

from scbench.task_cards.card import SEMANTIC, Subtask, TaskCard
from scbench.task_cards.units import SENTENCE

SOURCE = "story"  # one seed asks the same questions in all three tasks about stories
TURN = Subtask(
    name="qa_eng",
    strict="answer",
    official="any_contained",
    label="list",
    ask="Question: {ask}\nAnswer:",
    chance=0.03,  # names are new in each session; a day or a trade has some 40 values and more
    gold_place="{gold}",
)
CARD = TaskCard(
    name="qa_eng",
    title="En.QA",
    ability=SEMANTIC,
    subtasks=(TURN,),
    head="Read the book and answer the question. Be very concise in your answer.",
    unit_ends=SENTENCE,
    source=SOURCE,
)
