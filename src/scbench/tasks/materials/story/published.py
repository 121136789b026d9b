"""The published rows of the three book tasks: `context`, `multi_turns` of {input, answer,
options?}, `id`.
"""

from __future__ import annotations

from collections.abc import Mapping

from scbench.errors import BadRow
from scbench.tasks.materials.story.options import LETTERS
from scbench.tasks.materials.story.session import MAX_NEW_TOKENS
from scbench.types import Session, Turn, Wanted


def texts(item: Mapping[str, object], field: str, *, task: str) -> tuple[str, ...]:
    """A field that is one text or a list of them. Raises BadRow for anything else, or for none."""
    value = item.get(field)
    found = [value] if isinstance(value, str | int) and not isinstance(value, bool) else value
    if (
        not isinstance(found, list | tuple)
        or not found
        or not all(isinstance(text, str | int) and str(text).strip() for text in found)
    ):
        raise BadRow(
            f"{task}: a turn's {field!r} is {value!r}; it must be a text or a list of texts, none "
            f"empty. Is this file the config scbench_{task}?"
        )
    return tuple(str(text) for text in found)


def read_named(
    row: Mapping[str, object], item: Mapping[str, object], *, task: str, is_chinese: bool
) -> Turn:
    """A turn of En.QA or Zh.QA; several accepted answers may come as a list, and the first is shown
    in history.
    """
    golds, question = texts(item, "answer", task=task), texts(item, "input", task=task)[0]
    wanted = Wanted(golds=golds, question=question, is_chinese=is_chinese)
    return Turn(
        task=task, ask=question, gold=golds[0], wanted=wanted, max_new_tokens=MAX_NEW_TOKENS
    )


def read_choice(row: Mapping[str, object], item: Mapping[str, object], *, task: str) -> Turn:
    """A turn of En.MultiChoice: the published answer is an option's text (or its letter); the gold
    shown is the letter.
    """
    question, options = texts(item, "input", task=task)[0], texts(item, "options", task=task)
    answers = texts(item, "answer", task=task)
    at = [options.index(answer) for answer in answers if answer in options]
    at = at or [
        i
        for i, option in enumerate(options)
        if option.strip() in {answer.strip() for answer in answers}
    ]
    at = at or [
        LETTERS.index(answer) for answer in answers if answer in tuple(LETTERS[: len(options)])
    ]
    if not at or len(options) > len(LETTERS):
        raise BadRow(
            f"{task}: the answer {answers!r} must be one of at most four options; they are "
            f"{list(options)!r}"
        )
    letters = tuple(dict.fromkeys(LETTERS[place] for place in at))
    wanted = Wanted(golds=letters, question=question, options=options)
    return Turn(
        task=task, ask=question, gold=letters[0], wanted=wanted, max_new_tokens=MAX_NEW_TOKENS
    )


def write_row(session: Session, index: int) -> dict[str, object]:
    """The session as a published row: answers as text, also where the gold is a letter."""
    items: list[dict[str, object]] = []
    for turn in session.turns:
        if options := turn.wanted.options:
            items.append(
                {
                    "answer": options[LETTERS.index(turn.gold)],
                    "input": turn.ask,
                    "options": list(options),
                }
            )
        else:
            items.append({"answer": turn.gold, "input": turn.ask})
    return {"context": session.context, "multi_turns": items, "id": index}
