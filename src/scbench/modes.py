"""The modes: how the turns of a session share its context. A leaf like `types`; one entry a mode.

An entry is all that a new pattern needs beside its file (docs/add-a-pattern.md): the words of
`--modes`, help, refusals, lists and defaults follow from it, and `play/patterns` finds the file by
the entry's name.
"""

from __future__ import annotations

from enum import StrEnum

HISTORY = True  # a turn sees the turns before it
NO_HISTORY = False


class Mode(StrEnum):
    """A way for the turns of a session to share its context: its word, and a sentence about it.

    Where a turn sees the turns before it, a compression acts after context and first query unless
    told otherwise, and without history (`--history none`) the turns are requests.

    >>> Mode("multi-turn") is Mode.MULTI_TURN, Mode.MULTI_TURN.has_history
    (True, True)
    >>> Mode.GROW.place
    'scbench.play.patterns.grow:PATTERN'
    """

    MULTI_TURN = "multi-turn", "every turn sees the turns before it, in one cache", HISTORY
    MULTI_REQUEST = "multi-request", "every turn starts from the bare context", NO_HISTORY
    GROW = "grow", "the context grows between questions, which are asked alone", NO_HISTORY
    BRANCH = "branch", "a conversation parts: several turns go on from one", HISTORY

    about: str
    has_history: bool

    def __new__(cls, word: str, about: str = "", has_history: bool = False) -> Mode:
        mode = str.__new__(cls, word)
        mode._value_ = word
        mode.about = about
        mode.has_history = has_history
        return mode

    @property
    def place(self) -> str:
        """Where its pattern is: the file that has the entry's name, and its `PATTERN`."""
        return f"scbench.play.patterns.{self.name.lower()}:PATTERN"


PAPER_MODES = (Mode.MULTI_TURN, Mode.MULTI_REQUEST)
