"""The event log: what happened, without words. Both languages tell the same log, and a reader of
the prose must get it back.
"""

from __future__ import annotations

from typing import NamedTuple

DATED = ("goes", "finds", "gives", "puts", "buys", "sells", "mends", "meets", "learns")
FACTS = ("trade", "mother", "father", "aunt", "town", "born")
KINDS = DATED + FACTS


class Event(NamedTuple):
    """One statement of the story. Unused slots are -1, and a fact has day 0.

    `a` acts (or has the trade, is the mother, ...), `b` is the other person, `o` an object, `p` a
    place, `x` a craft, a trade, a town (by kind, an index of the shared tables) or a birth year.
    """

    kind: str
    day: int = 0
    a: int = -1
    b: int = -1
    o: int = -1
    p: int = -1
    x: int = -1
