"""What a pattern and a player say to each other: steps one way, replies the other. Plain data.

A pattern decides what is asked and what stays; a player answers, whoever it is: a model in this
process, a server, a user's object. No tensor crosses this line, so a step can cross a socket.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from scbench.prompts import Prompt, Rendering, Stops, Thinking, Tokenizer, rendering_of
from scbench.types import Answer, Cost, GoldScore, Mode, Protocol, Session

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
class EvidenceShares:
    """Shares of a turn's evidence, as `Record` has them.

    >>> EvidenceShares(kept=0.1, held=0.75).loaded is None  # half of two heads is gone, and missed
    True
    """

    kept: float | None = None
    held: float | None = None
    loaded: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came of a step. What a player cannot know is None, never zero.

    >>> Reply().text
    ''
    """

    answer: Answer | None = None  # None: material
    gold: GoldScore | None = None
    cost: Cost = field(default_factory=Cost)  # what was reused, held, loaded
    evidence: EvidenceShares = EvidenceShares()
    prompt_tokens: int = 0
    notes: tuple[str, ...] = ()
    units: Mapping[str, int] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return "" if self.answer is None else self.answer.text


Steps: TypeAlias = Generator[Step, Reply | None, None]


@dataclass(frozen=True, slots=True)
class Pattern(ABC):
    """How a session's turns share its context: one file each in `patterns/`.

    `waits` says whether a step's prompt depends on the replies before it. Where it does not,
    `steps` may be run to its end with None for every reply, and a player may play steps side by
    side: no step of it may go on from an answer (`Keep.ANSWER`).

    >>> from scbench.prompts import ByteTokenizer
    >>> from scbench.play.patterns import pattern_of
    >>> from scbench.types import Turn, Wanted
    >>> ask = Turn(task="kv", ask="a?", gold="1", wanted=Wanted(golds=("1",)), max_new_tokens=2)
    >>> session = Session(
    ...     task="kv", context="a=1 b=2", turns=(ask, ask), counted=7, counter="bytes", recipe={},
    ...     digest="",
    ... )
    >>> pattern = pattern_of(Mode.MULTI_REQUEST, Protocol())
    >>> talk = pattern.render(session, ByteTokenizer(), Protocol(), Mode.MULTI_REQUEST, None)
    >>> [(step.id, step.parent) for step in pattern.steps(talk)]
    [('context', None), ('turn 1', 'context'), ('turn 2', 'context')]
    """

    waits: bool = False

    @abstractmethod
    def steps(self, talk: Rendering) -> Steps:
        """The steps of a session, as `talk` renders it. Each `yield` gives the step's reply."""

    @classmethod
    def render(
        cls,
        session: Session,
        tokenizer: Tokenizer,
        protocol: Protocol,
        mode: Mode,
        window_tokens: int | None,
    ) -> Rendering:
        """What `steps` is given: the session as ids. A conversation where the mode has history,
        else requests; a pattern with prompts of another kind has its own.
        """
        return rendering_of(session, tokenizer, protocol, mode, window_tokens)
