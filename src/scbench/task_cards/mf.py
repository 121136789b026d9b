"""Math.Find in words: the largest, the median, ... of a long list of numbers."""

from __future__ import annotations

import re

from scbench.task_cards.card import GLOBAL, Asking, Subtask, TaskCard

LIST_HEAD = "Read the list of numbers and answer the questions about it."
_ASKED_NUMBER = re.compile(r"The .+ is")


def number_prefix(ask: str) -> str:
    """Math.Find's question as a sentence of its own; empty if it asks otherwise.

    >>> number_prefix("The largest number is")
    'What is the largest number?'
    """
    found = _ASKED_NUMBER.search(ask)
    return f"What is {found[0].lower()[:-3]}?" if found else ""


def head(asking: Asking) -> str:
    """The published multi-request context begins with the first query (defect 14)."""
    first = asking.session.turns[0].ask
    if not asking.is_alone:
        return number_prefix(first) or LIST_HEAD
    return first if asking.is_official else LIST_HEAD


def ask(asking: Asking) -> str:
    """The question behind its own prefix, which for a first turn stands before the context.

    Under a chat template the published follow-ups all have the last turn's (defect 13).
    """
    own = asking.asked.ask
    if not asking.is_alone and not asking.is_follow_up:
        return own
    is_defect = asking.is_follow_up and asking.is_official and asking.is_chat
    prefix = number_prefix(asking.session.turns[-1].ask if is_defect else own)
    return f"{prefix}\n\n{own}" if prefix else own


TURN = Subtask(
    name="mf",
    strict="number",
    official="math_find",
    label="number",
    ask=ask,
    limit_tokens=16,
    expected_tokens=(2, 10),
    chance=0.05,
)
CARD = TaskCard(
    name="mf",
    title="Math.Find",
    ability=GLOBAL,
    subtasks=(TURN,),
    turns=6,
    head=head,
    # no unit may leave: every answer depends on every number
)
