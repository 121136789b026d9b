"""Patterns: in which order a session's turns are asked, and what each goes on from."""

from __future__ import annotations

from scbench.play.contract import Pattern
from scbench.play.patterns.multi_request import MultiRequest
from scbench.play.patterns.multi_turn import MultiTurn
from scbench.types import History, Mode, Protocol


def pattern_of(mode: Mode, protocol: Protocol) -> Pattern:
    """Without history the turns of a conversation are requests too."""
    if mode is Mode.MULTI_TURN and protocol.history is not History.NONE:
        return MultiTurn(waits=protocol.history is History.MODEL)
    return MultiRequest()
