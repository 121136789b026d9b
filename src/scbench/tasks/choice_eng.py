"""En.MultiChoice: the questions of En.QA with four options of the answer's type, all of them told
of in the story; the answer is a letter.
"""

from __future__ import annotations

from functools import partial

from scbench import task_cards
from scbench.tasks.contract import Task
from scbench.tasks.materials.story import ENGLISH, StoryKnobs, StoryTask, read_choice, write_row

STORY = StoryTask("choice_eng", version=2, language=ENGLISH, has_options=True)

TASK = Task(
    card=task_cards.PAPER[STORY.name],
    version=STORY.version,
    make=STORY.make,
    minimum=STORY.minimum,
    read_turn=partial(read_choice, task=STORY.name),
    write_row=write_row,
    knobs=StoryKnobs,
)
