"""What generated sessions are made of: worlds, texts and numbers, of which several tasks take.

A task imports a door of this room, never what lies behind it (`tests/house/test_doors.py`):

- `story`: one seeded log of events, told in English or Chinese (En.QA, Zh.QA, En.MultiChoice)
- `functions`: Python functions of two pinned packages, described by rule (RepoQA)
- `reports`: made-up reports with key facts (En.Sum and its mix)
- `shots`: three families of examples: dates, swaps, translations (ICL.ManyShot)
- `pairs`: keys and values (Retr.KV and its mix); `figures`: statistics of a list (Math.Find)
- `noise`: sentences that say nothing; `words`: the nouns that all of these share

Nothing here is a task, and nothing imports one.
"""
