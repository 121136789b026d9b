"""Zh.QA: questions about a story in Chinese; the answer is a bare name, place, trade or number."""

from __future__ import annotations

from functools import partial

from scbench import task_cards
from scbench.tasks.contract import Task
from scbench.tasks.materials.story import CHINESE, StoryKnobs, StoryTask, read_named, write_row

STORY = StoryTask("qa_chn", version=2, language=CHINESE)

TASK = Task(
    card=task_cards.PAPER[STORY.name],
    version=STORY.version,
    make=STORY.make,
    minimum=STORY.minimum,
    read_turn=partial(read_named, task=STORY.name, is_chinese=True),
    write_row=write_row,
    knobs=StoryKnobs,
)
