"""Who follows assignments: a variable holds a value if it was set to it, or to one that holds it.

An assignment holds wherever it stands, as in a list of definitions.
"""

from __future__ import annotations

import re

_SET = re.compile(r"\bVAR ([A-Z]+) = (?:VAR )?([A-Z]+|\d+)\.")
_VALUE = re.compile(r"\bvalue (\d+)\b")


def read(context: str, question: str) -> str | None:
    """The names in the order of the text, as a list with commas."""
    asked = _VALUE.search(question)
    if asked is None:
        return None
    sets = _SET.findall(context)
    if len({name for name, _ in sets}) != len(sets):
        return None  # set twice: the question has no one answer
    source = dict(sets)

    def value(name: str) -> str:
        seen = set[str]()
        while name in source and name not in seen:
            seen.add(name)
            name = source[name]
        return name

    found = [name for name, _ in sets if value(name) == asked[1]]
    return ", ".join(found) or None
