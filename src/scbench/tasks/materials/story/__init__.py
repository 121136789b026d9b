"""The story world: one seeded log of events, told in English or Chinese, and questions about it
(En.QA, Zh.QA, En.MultiChoice).

Ids first, words last: `world` (who there is) -> `casting` (who plays in which turn) -> `plan`
(depths and days) -> `filler` (background) -> `compose` (text and spans) -> `session` (length,
questions). Nothing here is a task.
"""

from __future__ import annotations

from scbench.tasks.materials.story.chinese import CHINESE
from scbench.tasks.materials.story.english import ENGLISH
from scbench.tasks.materials.story.knobs import StoryKnobs
from scbench.tasks.materials.story.published import read_choice, read_named, write_row
from scbench.tasks.materials.story.session import StoryTask

__all__ = [
    "CHINESE",
    "ENGLISH",
    "StoryKnobs",
    "StoryTask",
    "read_choice",
    "read_named",
    "write_row",
]
