"""Sweeps in a spelling: `snapkv[tau=1/4|1/8|1/16]` is three methods."""

from __future__ import annotations

from itertools import pairwise, product

from scbench.errors import BadConfig
from scbench.methods.spelling import is_balanced

BAR = "|"


def swept(text: str) -> list[str]:
    """A spelling with every choice made, the first choice slowest.

    >>> swept("snapkv[tau=1/4|1/8]+kivi[bits=2|4]")[1]
    'snapkv[tau=1/4]+kivi[bits=4]'

    A bar stands between values inside brackets and outside quotes and inner brackets. Raises
    BadConfig for an empty choice, or a bar elsewhere.
    """
    if BAR not in text or not is_balanced(text):
        return [text]
    pieces: list[list[str]] = []  # the choices of each stretch of the text
    start = depth = 0
    is_quoted = False
    bars: list[int] = []
    for at, sign in enumerate(text):
        is_quoted ^= sign == '"'
        if is_quoted:
            continue
        if sign == BAR:
            if depth == 0:
                raise BadConfig(
                    f"{text!r}: | stands between values in brackets, as in snapkv[tau=1/4|1/8]; "
                    "methods are joined by commas, and a path with a bar stands in quotes"
                )
            bars += [at] if depth == 1 else []
        depth += (sign == "[") - (sign == "]")
        is_end = (sign == "]" and depth == 0) or (sign == "," and depth == 1)
        if is_end and bars:
            begin = text.rindex("=", 0, bars[0]) + 1
            pieces += [[text[start:begin]], _choices(text, begin, bars, at)]
            start = at
        if is_end:
            bars = []
    pieces.append([text[start:]])
    return ["".join(chosen) for chosen in product(*pieces)]


def _choices(text: str, begin: int, bars: list[int], stop: int) -> list[str]:
    edges = [begin - 1, *bars, stop]
    choices = [text[a + 1 : b].strip() for a, b in pairwise(edges)]
    if not all(choices):
        raise BadConfig(
            f"{text!r}: nothing stands on one side of a |; leave it out, or name a value"
        )
    return choices
