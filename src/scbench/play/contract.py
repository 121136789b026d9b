"""What a pattern and a player say to each other: steps one way, replies the other. Plain data.

A pattern decides what is asked and what stays; a player answers, whoever it is: a model in this
process, a server, a user's object. No tensor crosses this line, so a step can cross a socket.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias

from scbench.prompts import Prompt, Rendering, Stops, Thinking
from scbench.types import Answer, Cost, GoldScore

NO_STOPS = Stops()


class Keep(StrEnum):
    """What of a step's state stays for the steps that go on from it."""

    NOTHING = "nothing"
    PROMPT = "prompt"  # the prompt's KV; what the answer added is thrown away
    ANSWER = "answer"  # the answer's KV too, as it was generated


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request of a session, with the whole rendered prompt.

    >>> Step(id="turn 1", prompt=Prompt(turn=0, ids=(5, 6), spans={}), turn=0).is_material
    False
    """

    id: str
    prompt: Prompt
    parent: str | None = None  # whose kept state it goes on from; None: from nothing
    ends_parent: bool = False  # nobody else goes on from there: its state may be moved, not copied
    turn: int | None = None  # graded turn; None: material that is read and not answered
    keep: Keep = Keep.NOTHING
    limit_tokens: int = 0
    stops: Stops = NO_STOPS  # texts that end the answer
    thinking: Thinking | None = None  # how a thought before it is known
    gold_ids: tuple[int, ...] = ()  # fed beside the answer, where the player has logits

    @property
    def is_material(self) -> bool:
        return self.turn is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came of a step. What a player cannot know is None, never zero.

    >>> Reply().text
    ''
    """

    answer: Answer | None = None  # None: material
    gold: GoldScore | None = None
    cost: Cost = field(default_factory=Cost)  # what was reused, held, loaded
    evidence_kept: float | None = None
    prompt_tokens: int = 0
    notes: tuple[str, ...] = ()
    units: Mapping[str, int] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return "" if self.answer is None else self.answer.text


Steps: TypeAlias = Generator[Step, Reply | None, None]


class Pattern(Protocol):
    """How a session's turns share its context: one file each in `patterns/`."""

    @property
    def waits(self) -> bool:
        """Whether a step's prompt depends on the replies before it.

        Where it does not, `steps` may be run to its end with None for every reply, and a player may
        play steps side by side: no step of it may go on from an answer (`Keep.ANSWER`).
        """
        ...

    def steps(self, talk: Rendering) -> Steps:
        """The steps of a session, as `talk` renders it. Each `yield` gives the step's reply."""
        ...
