"""Reading the fields of published rows, whose answers are texts, whole numbers or lists, and whose
asks stand in `input`.
"""

from __future__ import annotations

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
    """The turn's `answer` as texts: one for text or a whole number, several for a list. Raises
    BadRow for anything else, or for none.
    """
    value = item.get("answer")
    found = list(value) if isinstance(value, list | tuple) else [value]
    if not found or not all(
        isinstance(one, str | int) and not isinstance(one, bool) for one in found
    ):
        raise BadRow(
            f"{task}: a turn's 'answer' is {value!r}; it must be text, a whole number or a list of "
            f"these. Is this file the config scbench_{task}?"
        )
    return tuple(str(one) for one in found)
