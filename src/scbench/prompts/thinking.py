"""Thoughts: what a model writes for itself before its answer, between two marks.

They are KV like any token, so they stay in a stream and in its bytes. They are no part of the
answer, and templates leave them out of the history.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scbench.errors import BadConfig
from scbench.reading import read_json
from scbench.types import Answering, Think

if TYPE_CHECKING:
    from scbench.prompts.tokenizer import Tokenizer

# Opening and closing mark of each family that thinks.
MARKS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("[THINK]", "[/THINK]"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<seed:think>", "</seed:think>"),
    ("<reasoning>", "</reasoning>"),
)
MOST_OPENING_TOKENS = 16  # a thought that begins later than this is part of the answer
TAIL_TOKENS = 24  # of which a closing mark is looked for


@dataclass(frozen=True, slots=True)
class Thinking:
    """What an answer needs to know of thoughts; plain data.

    `is_open`: the prompt has opened a thought already. Past `budget_tokens` it is closed by
    `closing_ids`, which are fed as if the model had said them. A mark that is one token is known
    by its id, since decoding may leave it out; any other by its text.
    """

    is_open: bool
    budget_tokens: int
    closing_ids: tuple[int, ...]
    open_ids: frozenset[int]
    close_ids: frozenset[int]

    def opens(self, ids: Sequence[int], text: str) -> bool:
        """Whether an answer that begins so begins with a thought."""
        begun = text.lstrip()
        return bool(ids) and (
            ids[0] in self.open_ids or any(begun.startswith(mark) for mark, _ in MARKS)
        )

    def closes(self, ids: Sequence[int], tail: str) -> bool:
        """Whether the last of these ids ends a thought; `tail` is the text of the last few."""
        return ids[-1] in self.close_ids or any(mark in tail for _, mark in MARKS)


def thinking_of(tokenizer: Tokenizer, opening: str, budget_tokens: int) -> Thinking:
    """The marks as this tokenizer writes them; `opening` is what the prompt ends with."""
    known = marks_of(tokenizer)
    pairs = MARKS if known is None else (known,)
    close = f"\n{pairs[0][1]}\n\n"
    return Thinking(
        is_open=is_open(opening),
        budget_tokens=budget_tokens,
        closing_ids=tokenizer.encode_on(close).ids,
        open_ids=_single(tokenizer, [opened for opened, _ in MARKS]),
        close_ids=_single(tokenizer, [closed for _, closed in MARKS]),
    )


def is_open(opening: str) -> bool:
    """Whether a text opens a thought and does not close it."""
    return any(opening.rfind(begin) > opening.rfind(end) for begin, end in MARKS)


def marks_of(tokenizer: Tokenizer) -> tuple[str, str] | None:
    """The pair of marks that the tokenizer or its template knows; None if it knows no thoughts."""
    for begin, end in MARKS:
        is_written = begin in tokenizer.template_text or end in tokenizer.template_text
        if is_written or {begin, end} <= set(tokenizer.added_words):
            return begin, end
    return None


def thought_room(tokenizer: Tokenizer, opening: str, answering: Answering) -> int:
    """Tokens that a thought may take behind `opening`: the budget where one is open, or where a
    model that knows marks may open one itself; 0 where it is closed already."""
    if is_open(opening):
        return answering.think_tokens
    is_closed = any(end in opening for _, end in MARKS)
    is_silent = answering.think is Think.OFF or is_closed or marks_of(tokenizer) is None
    return 0 if is_silent else answering.think_tokens


def opened_as(tokenizer: Tokenizer, opening: str, think: Think) -> str:
    """What stands behind the header of an answer, thoughts switched as asked.

    A template that takes no argument for it is completed by hand: a thought that it opens is
    closed, or one that it does not open is opened. Raises BadConfig for a model without marks.
    """
    if think is Think.AUTO or is_open(opening) == (think is Think.ON):
        return opening
    pair = marks_of(tokenizer)
    if pair is None:
        if think is Think.OFF:
            return opening
        raise BadConfig(
            f"--think on: neither the tokenizer nor the template of {tokenizer.name} knows a mark "
            f"for thoughts ({', '.join(begin for begin, _ in MARKS)}); leave --think away"
        )
    begin, end = pair
    if think is Think.OFF:
        return f"{opening.rstrip()}\n\n{end}\n\n"
    return f"{begin}\n"


SWITCHES = ("enable_thinking", "thinking")  # names that templates give their switch


def arguments_of(tokenizer: Tokenizer, answering: Answering) -> dict[str, object]:
    """What the template is told: the switch for thoughts that it knows, and what was asked for."""
    told: dict[str, object] = {}
    if answering.think is not Think.AUTO:
        switches = [word for word in SWITCHES if word in tokenizer.template_text]
        told |= dict.fromkeys(switches, answering.think is Think.ON)
    return told | {
        name: read_json(value.encode(), f"template argument {name}")
        for name, value in answering.template_args
    }


def _single(tokenizer: Tokenizer, marks: Sequence[str]) -> frozenset[int]:
    found = [tokenizer.encode_on(mark).ids for mark in marks]
    return frozenset(ids[0] for ids in found if len(ids) == 1)
