"""The words of a run that say how answers are made: their room, thoughts, the choice of a token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypedDict

from scbench.flags import ANSWERS, Flag


class AnswerWords(TypedDict, total=False):
    """Settings of answers; the defaults take the best token, within each task's own limit."""

    max_new_tokens: Annotated[
        int | None,
        Flag(
            "--max-new-tokens",
            int,
            ANSWERS,
            "cap on the tokens of an answer, below the tasks' own limits; default: none (1 in the "
            "default run's first half)",
        ),
    ]
    least_tokens: Annotated[
        int | None,
        Flag(
            "--least-tokens",
            int,
            ANSWERS,
            "room for every answer: tasks' limits below this many tokens are raised to it",
        ),
    ]
    think: Annotated[
        str | None,
        Flag(
            "--think",
            str,
            ANSWERS,
            "thoughts before answers: auto (as the template does), on, off; never scored, always "
            "counted as KV",
        ),
    ]
    think_tokens: Annotated[
        int | None,
        Flag(
            "--think-tokens",
            int,
            ANSWERS,
            "tokens of a thought, beside those of the answer; then it is closed",
        ),
    ]
    template_args: Annotated[
        str | Mapping[str, object] | None,
        Flag(
            "--template-arg",
            str,
            ANSWERS,
            "told to the chat template: enable_thinking=false; several joined by commas; default: "
            "nothing",
        ),
    ]
    temperature: Annotated[
        float | None,
        Flag(
            "--temperature",
            float,
            ANSWERS,
            "draw tokens at this temperature, each answer by a generator of its own; default 0: "
            "the best token",
        ),
    ]
    top_p: Annotated[
        float | None,
        Flag(
            "--top-p",
            float,
            ANSWERS,
            "draw among the fewest best tokens of this probability together; default 1: all",
        ),
    ]
    samples: Annotated[
        int | None,
        Flag(
            "--samples",
            int,
            ANSWERS,
            "answers drawn to each turn (with --temperature); a turn's score is their mean",
        ),
    ]
