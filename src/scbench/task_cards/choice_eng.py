"""En.MultiChoice in words: four options a question, and a letter as the answer."""

from __future__ import annotations

from string import ascii_uppercase

from scbench.task_cards import qa_eng
from scbench.task_cards.card import SEMANTIC, Asking, Subtask, TaskCard
from scbench.task_cards.units import SENTENCE


def ask(asking: Asking) -> str:
    """Question, options, and the beginning of the answer.

    The published words ("The the") differ with turn and template; they are kept as they are.
    """
    asked = asking.asked
    options = "".join(
        f"\n{letter}. {text}"
        for letter, text in zip(ascii_uppercase, asked.wanted.options, strict=False)
    )
    block = f"Question: {asked.ask}{options}\n\n"
    if not asking.is_official:
        return f"{block}Answer with one letter only. The letter of the correct answer is"
    if asking.is_follow_up and not asking.is_chat:
        return f"{block}The letter of the correct answer is"
    return f"{block}The the correct answer is"


def shown_gold(asking: Asking) -> str:
    """The published history shows the option's text, not its letter."""
    gold, options = asking.asked.gold, asking.asked.wanted.options
    if asking.is_official and gold in ascii_uppercase[: len(options)]:
        return options[ascii_uppercase.index(gold)]
    return gold


TURN = Subtask(
    name="choice_eng",
    strict="choice",
    official="choice",
    label="option",
    ask=ask,
    shown_gold=shown_gold,
    expected_tokens=(2, 25),
    chance=0.25,
    tiny_chance=0.25,
)
CARD = TaskCard(
    name="choice_eng",
    title="En.MultiChoice",
    ability=SEMANTIC,
    subtasks=(TURN,),
    head="Read the book and answer the question.",
    unit_ends=SENTENCE,
    source=qa_eng.SOURCE,
    aliases=("en.mc",),
)
