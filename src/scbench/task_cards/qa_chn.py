"""Zh.QA in words: short questions about a story in Chinese."""

from __future__ import annotations

from scbench.task_cards import qa_eng
from scbench.task_cards.card import SEMANTIC, Subtask, TaskCard
from scbench.task_cards.units import SENTENCE

TURN = Subtask(
    name="qa_chn",
    strict="chinese-answer",
    official="chinese_f1",
    ask="问题：{ask}\n答案：",
    chance=0.03,  # as in English
    gold_place="{gold}",
    is_chinese=True,
)
CARD = TaskCard(
    name="qa_chn",
    title="Zh.QA",
    ability=SEMANTIC,
    subtasks=(TURN,),
    head="阅读以下书籍然后回答问题。",
    unit_ends=SENTENCE,
    source=qa_eng.SOURCE,
)
