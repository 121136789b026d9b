"""Patterns: in which order a session's turns are asked, and what each goes on from.

A pattern is one file here that ends in `PATTERN = ...`, and an entry of `Mode` in `modes.py`.
"""

from __future__ import annotations

import pkgutil
from functools import cache

from scbench.errors import BadConfig
from scbench.play.contract import Pattern
from scbench.play.patterns.kept import KeptAnswers
from scbench.types import History, Mode, Protocol


def pattern_of(mode: Mode, protocol: Protocol) -> Pattern:
    """The pattern of a mode. Without history the turns of a conversation are requests too.

    >>> pattern_of(Mode.MULTI_TURN, Protocol())
    MultiTurn(waits=False)
    >>> pattern_of(Mode.MULTI_TURN, Protocol(history=History.NONE))
    MultiRequest(waits=False)
    """
    if mode.has_history and protocol.history is History.NONE:
        mode = Mode.MULTI_REQUEST
    if protocol.history is History.KEPT and mode.has_history:
        if mode is not Mode.MULTI_TURN:
            raise BadConfig(
                f"--history kept is of multi-turn conversations, and the mode is {mode}"
            )
        return KeptAnswers()
    return pattern_class(mode)(waits=mode.has_history and protocol.history is History.MODEL)


@cache
def pattern_class(mode: Mode) -> type[Pattern]:
    """What the file of a mode's pattern ends in."""
    found: type[Pattern] = pkgutil.resolve_name(mode.place)
    return found
