"""No session and no prompt of the paper's tasks changes a character without being noticed here."""

from __future__ import annotations

import pytest

from prompts.told import kept, told
from scbench.task_cards import PAPER

ABOUT_FUNCTIONS = ("repoqa", "repoqa_and_kv")  # cut from the standard library of this Python


@pytest.mark.parametrize("name", PAPER)
def test_sessions_and_prompts_of_both_sets_are_those_that_were_recorded(name: str) -> None:
    now = told(name)
    was = kept()[name]
    assert now.keys() == was.keys()
    if name in ABOUT_FUNCTIONS and now["full session"] != was["full session"]:
        now = {where: digest for where, digest in now.items() if not where.startswith("full")}
        was = {where: was[where] for where in now}
    assert now == was
