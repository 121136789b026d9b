"""Patterns: in which order a session's turns are asked, and what each goes on from."""

from __future__ import annotations

from scbench.play.contract import Pattern
from scbench.play.patterns.branch import Branch
from scbench.play.patterns.grow import Grow
from scbench.play.patterns.multi_request import MultiRequest
from scbench.play.patterns.multi_turn import MultiTurn
from scbench.types import History, Mode, Protocol


def pattern_of(mode: Mode, protocol: Protocol) -> Pattern:
    """Without history the turns of a conversation are requests too."""
    if mode is Mode.GROW:
        return Grow()
    if protocol.history is History.NONE:
        return MultiRequest()
    waits = protocol.history is History.MODEL
    if mode is Mode.BRANCH:
        return Branch(waits=waits)
    return MultiTurn(waits=waits) if mode is Mode.MULTI_TURN else MultiRequest()
