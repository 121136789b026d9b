"""Fields of published rows, read with an error that names what is wrong. The loader adds the file and the line."""

from __future__ import annotations

from collections.abc import Mapping

from scbench.errors import BadRow


def text_of(item: Mapping[str, object], field: str, *, task: str) -> str:
    """A field that must be text. Raises BadRow."""
    value = item.get(field)
    if not isinstance(value, str):
        raise BadRow(
            f"{task}: field {field!r} must be text, it is {value!r}; the item has {', '.join(sorted(item)) or 'no field'}"
        )
    return value


def first_text_of(item: Mapping[str, object], field: str, *, task: str) -> str:
    """A field that may be text, a whole number, or a list whose first entry is one. Raises BadRow."""
    value = item.get(field)
    if isinstance(value, list | tuple) and value:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadRow(f"{task}: field {field!r} must be text or a number, or a list of them; it is {item.get(field)!r}")
    return str(value)


def optional_text_of(item: Mapping[str, object], field: str) -> str | None:
    """None where the field is absent, empty, or no text."""
    value = item.get(field)
    return value if isinstance(value, str) and value else None
