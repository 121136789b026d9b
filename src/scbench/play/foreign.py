"""The player that asks somebody's own object: a patched model, a server, a cache of their making.

Nothing of its cache is seen here, so there are no logits, no shared read and no counted bytes: what
it says of its bytes is marked as declared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from scbench.errors import BadConfig, CannotWrite
from scbench.play.cell import CellPlay
from scbench.play.contract import Reply, Step
from scbench.play.faults import FAULTS, Fault, fault_of
from scbench.play.patterns import pattern_of
from scbench.play.saying import Saying
from scbench.play.talks import Talks
from scbench.prompts import Prompt, Rendering
from scbench.prompts.tokenizer import Tokenizer, encode_data
from scbench.types import Answer, Cost, Finish

DECLARED = "declared_cost"  # a note: the bytes are what the method itself says
Emit = Callable[[CellPlay, int, Rendering, Reply], None]
Fail = Callable[[CellPlay, Fault, frozenset[int]], None]


class BlackBox(Protocol):
    """What an object needs in order to be asked. `held_bytes(handle) -> int` may be there too.

    A prompt has `text`, `messages` and `ids`; each is the whole prompt, and begins with that of the
    request before it where the handle is the same.

    >>> class Echo:
    ...     def open(self, prompt): return {"read": len(prompt.ids)}
    ...     def ask(self, handle, prompt, limit_tokens): return prompt.text.split()[-1]
    ...     def close(self, handle): pass
    """

    def open(self, prompt: Prompt) -> Any:
        """Begin with the shared context (requests) or the first prompt (a conversation)."""
        ...

    def ask(self, handle: Any, prompt: Prompt, limit_tokens: int) -> str | Sequence[int]:
        """The answer as text or token ids, of at most so many tokens."""
        ...

    def close(self, handle: Any) -> None: ...


class ForeignPlayer:
    """Plays the cells of one black box, step by step. `emit` gets each reply, `fail` what
    failed.

    >>> from scbench.engines.toy import ToyEngine
    >>> from scbench.front.session import cell_of, session_of
    >>> from scbench.methods import parse
    >>> from scbench.types import Mode, Protocol
    >>> class Parrot:
    ...     def open(self, prompt): return prompt.text
    ...     def ask(self, handle, prompt, limit_tokens): return prompt.text[-2:]
    ...     def close(self, handle): pass
    >>> session = session_of("a: 1", ["a?"], answers=[], max_tokens=4)
    >>> talks, said = Talks(ToyEngine(), session, Protocol()), []
    >>> player = ForeignPlayer(talks, emit=lambda *got: said.append(got[-1].text), fail=print)
    >>> player.play(cell_of(session, parse("dense"), Protocol(), Mode.MULTI_REQUEST), Parrot())
    >>> said
    ['a?']
    """

    def __init__(self, talks: Talks, *, emit: Emit, fail: Fail, debug: bool = False) -> None:
        self.talks = talks
        self.emit = emit
        self.fail = fail
        self.debug = debug

    def play(self, cell: CellPlay, box: BlackBox) -> None:
        """All steps of a cell. A request that fails is a gap of its own; where prompts depend on
        earlier answers the turns after it are gaps too."""
        try:
            self._play(cell, box)
        except CannotWrite:  # the disk failed: no play can go on
            raise
        except FAULTS as error:
            if self.debug:
                raise
            self.fail(cell, fault_of(error), frozenset(cell.todo))

    def _play(self, cell: CellPlay, box: BlackBox) -> None:
        talk = self.talks.talk(cell.cell.mode, cell.method.generation)
        pattern = pattern_of(cell.cell.mode, self.talks.protocol)
        steps = pattern.steps(talk)
        handle: Any = None
        reply: Reply | None = None
        try:
            while cell.todo:
                try:
                    step = steps.send(reply)
                except StopIteration:
                    return
                if step.parent is None:
                    handle = box.open(step.prompt.whole)
                if step.turn not in cell.todo:
                    reply = cell.known(step.turn)
                    continue
                try:
                    reply = self._ask(cell, talk, step, box, handle)
                except CannotWrite:
                    raise
                except FAULTS as error:
                    if pattern.waits or self.debug:
                        raise
                    self.fail(cell, fault_of(error), frozenset({step.turn}))
        finally:
            if handle is not None:
                box.close(handle)

    def _ask(
        self, cell: CellPlay, talk: Rendering, step: Step, box: BlackBox, handle: Any
    ) -> Reply:
        assert step.turn is not None
        said = box.ask(handle, step.prompt.whole, step.limit_tokens)
        answer = answer_of(said, self.talks.engine.tokenizer, step, who=str(cell.method))
        declared = getattr(box, "held_bytes", None)
        held_bytes = None if declared is None else int(declared(handle))
        reply = Reply(
            answer=answer,
            cost=Cost(
                held_bytes=held_bytes,
                logical_tokens=len(step.prompt.whole.ids),
                estimated=() if held_bytes is None else ("held_bytes",),
            ),
            prompt_tokens=len(step.prompt.whole.ids),
            notes=() if held_bytes is None else (DECLARED,),
        )
        self.emit(cell, step.turn, talk, reply)
        return reply


def answer_of(said: object, tokenizer: Tokenizer, step: Step, *, who: str) -> Answer:
    """Text or ids as an answer that ends where one of ours would: at an end token, a stop text or
    the limit. Raises BadConfig for anything else."""
    if isinstance(said, str):
        ids = tuple(encode_data(tokenizer, said, goes_on=True).ids)
        ids = ids[1:] if ids[:1] == (tokenizer.bos_id,) else ids
    elif isinstance(said, list | tuple) and all(isinstance(token, int) for token in said):
        ids = tuple(said)
    else:
        raise BadConfig(
            f"{who} answered with {type(said).__name__}; ask() gives the answer's text, or its "
            "token ids as a list of int"
        )
    answer = _read(ids, tokenizer, step)
    is_whole = answer.finish is Finish.END and len(answer.ids) == len(ids) and not answer.thought
    return replace(answer, text=said) if isinstance(said, str) and is_whole else answer


def _read(ids: Sequence[int], tokenizer: Tokenizer, step: Step) -> Answer:
    """The answer of a model of ours that would make these ids."""
    said = Saying(tokenizer, step.stops, step.thinking)
    for at, token in enumerate(ids):
        if token in tokenizer.end_ids:
            return said.answer(Finish.END)
        said.add(token)
        if said.cut is not None:
            return said.answer(Finish.STOP)
        if not said.is_thinking and said.answer_tokens >= step.limit_tokens:
            is_ended = at + 1 < len(ids) and ids[at + 1] in tokenizer.end_ids
            return said.answer(Finish.END if is_ended else Finish.LENGTH)
    return said.answer(Finish.END)
