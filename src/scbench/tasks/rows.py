"""Reading the fields of published rows, whose answers are texts, whole numbers or lists, and whose
asks stand in `input`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from scbench.errors import BadRow


def ask_of(item: Mapping[str, object], *, task: str) -> str:
    """The turn's `input`. Raises BadRow unless it is text."""
    value = item.get("input")
    if not isinstance(value, str):
        raise BadRow(
            f"{task}: a turn's 'input' is {value!r}; it must be text. Is this file the config "
            f"scbench_{task}?"
        )
    return value


def answers_of(item: Mapping[str, object], *, task: str) -> tuple[str, ...]:
    """The turn's `answer` as texts: one for text or a number, several for a list. Raises BadRow for
    anything else, for none, or for one without any character that can be seen.
    """
    value = item.get("answer")
    found = list(value) if isinstance(value, list | tuple) else [value]
    if not found or not all(_is_answer(one) for one in found):
        raise BadRow(
            f"{task}: a turn's 'answer' is {value!r}; it must be text, a number or a list of "
            f"these, none of them empty. Is this file the config scbench_{task}?"
        )
    return tuple(map(_as_text, found))


def _is_answer(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, str | int) and not isinstance(value, bool) and bool(str(value).strip())


def _as_text(value: object) -> str:
    """A whole number that came as 7.0 is 7."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
