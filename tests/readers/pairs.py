"""Who looks up a key: `"key": "value"` on a line, whatever stands around it."""

from __future__ import annotations

import re

_PAIR = re.compile(r'"([^"]+)": "([^"]*)"')
_QUOTED = re.compile(r'"([^"]+)"')


def read(context: str, question: str) -> str | None:
    """The value of the quoted key; None where the key stands with two different values, or none."""
    asked = _QUOTED.search(question)
    if asked is None:
        return None
    found = {value for key, value in _PAIR.findall(context) if key == asked[1]}
    return found.pop() if len(found) == 1 else None
