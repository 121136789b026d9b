"""Who looks for the one string with a beginning and an end."""

from __future__ import annotations

import re

_QUOTED = re.compile(r'"([^"]+)"')


def read(context: str, question: str) -> str | None:
    start, end = _QUOTED.findall(question)[:2]
    found = {
        text
        for text in context.split()
        if text.startswith(start) and text.endswith(end) and len(text) >= len(start) + len(end)
    }
    return found.pop() if len(found) == 1 else None
