"""The pad slot of a session of functions: comment lines that say nothing."""

from __future__ import annotations

from scbench.tasks.draw import Draw

_LINE_WORDS = 12
_SAYING = (
    "see also the shelf above and below this one for more of that kind then rest a while before "
    "you go on with what comes after it as long as there is time left to read and nothing else "
    "waits"
)
_WORDS = tuple(_SAYING.split())


def note(words: int, draw: Draw) -> str:
    """ "# note: ..." of about `words` tokens, on as many lines as it needs; "" for none."""
    first = draw.below(len(_WORDS))
    said = [_WORDS[(first + i) % len(_WORDS)] for i in range(words)]
    lines = (said[i : i + _LINE_WORDS] for i in range(0, len(said), _LINE_WORDS))
    return "\n".join(f"# note: {' '.join(line)}" for line in lines)
