"""A text with its questions as a session that nobody records."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from scbench.methods.method import Method
from scbench.play.cell import CellPlay
from scbench.play.contract import Reply
from scbench.play.talks import Talks
from scbench.prompts import Conversation, Rendering
from scbench.task_cards import Subtask, TaskCard, bring
from scbench.types import Cell, Mode, Protocol, Session, Turn, Wanted

TASK = "text_and_question"
# No task's own words stand around a text that somebody brings, and nothing but the model ends an
# answer. Its scorer is never asked.
bring(
    TaskCard(
        name=TASK,
        title="Text and question",
        subtasks=(Subtask(name=TASK, strict="contains", is_short=False),),
    )
)


def session_of(
    text: str, questions: Sequence[str], answers: Sequence[str], max_tokens: int
) -> Session:
    """The text with its questions; answers given so far stand as the history."""
    golds = [*(answer.strip() for answer in answers), ""]
    turns = tuple(
        Turn(task=TASK, ask=question, gold=gold, wanted=Wanted(golds=()), max_new_tokens=max_tokens)
        for question, gold in zip(questions, golds, strict=True)
    )
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return Session(
        task=TASK,
        context=text,
        turns=turns,
        counted=len(text),
        counter="characters",
        recipe={},
        digest=digest,
    )


def cell_of(session: Session, method: Method, protocol: Protocol, mode: Mode) -> CellPlay:
    """The last turn of a session, as a cell that nobody records."""
    last = len(session.turns) - 1
    cell = Cell(
        task=TASK,
        length_tokens=0,
        seed="",
        mode=mode,
        model="",
        method=str(method),
        protocol=protocol,
        turns=len(session.turns),
        session_digest=session.digest,
        key="",
    )
    return CellPlay(cell, method, {last})


def whole_tokens(talks: Talks, talk: Rendering, method: Method) -> int:
    """Tokens of the text as dense is shown it, whether or not the model holds them."""
    if not method.generation.traits.is_rewriting:
        return len(talk.context.ids)
    whole = Conversation(talks.session, talks.engine.tokenizer, talks.protocol, talk.mode)
    return len(whole.context.ids)


def nobody(cell: CellPlay, turn: int, talk: Rendering, reply: Reply) -> None:
    """A question is no record."""
