"""En.QA: questions about a story in English; the answer is a bare name, place, trade or number."""

from __future__ import annotations

from functools import partial

from scbench import task_cards
from scbench.tasks.contract import Task
from scbench.tasks.materials.story import ENGLISH, StoryKnobs, StoryTask, read_named, write_row

STORY = StoryTask("qa_eng", version=2, language=ENGLISH)

TASK = Task(
    card=task_cards.PAPER[STORY.name],
    version=STORY.version,
    make=STORY.make,
    minimum=STORY.minimum,
    read_turn=partial(read_named, task=STORY.name, is_chinese=False),
    write_row=write_row,
    knobs=StoryKnobs,
)
