"""The story world: one seeded log of events, told in English or Chinese, and questions about it
(En.QA, Zh.QA, En.MultiChoice).

Ids first, words last: `world` (who there is) -> `casting` (who plays in which turn) -> `plan`
(depths and days) -> `filler` (background) -> `compose` (text and spans) -> `session` (length,
questions). Other tasks may take scenery and names from here; nothing here is a task.
"""
