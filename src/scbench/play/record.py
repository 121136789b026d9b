"""A played turn to its journal line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from scbench.play.contract import Reply
from scbench.prompts import Rendering
from scbench.scoring import grade
from scbench.scoring.rules import OFFICIAL, STRICT
from scbench.task_cards import card_of
from scbench.types import Cell, Cost, Failure, Record, Score, Session

Needles = Mapping[
    str, Sequence[tuple[str, str]]
]  # repo -> (gold source, function name) of every turn of the run, for official RepoQA


def needles_of(sessions: Sequence[Session]) -> dict[str, list[tuple[str, str]]]:
    """The functions that the published scorer compares with, by repo, in the order of sessions and
    turns.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    for session in sessions:
        for turn in session.turns:
            part = card_of(session.task).subtask(turn.task)
            if part.is_function and turn.wanted.name is not None:
                found.setdefault(turn.wanted.repo or "", []).append(
                    (turn.wanted.golds[0], turn.wanted.name)
                )
    return found


def answered(
    cell: Cell,
    session: Session,
    turn: int,
    reply: Reply,
    *,
    talk: Rendering,
    needles: Needles,
    made: str,
    scored: str,
) -> Record:
    """The record of an answered turn, scored by both rules."""
    blank = replace(
        _blank(cell, session, turn, made),
        prompt_tokens=reply.prompt_tokens,
        answer=reply.answer,
        cost=reply.cost,
        truncated_tokens=talk.truncated_tokens,
        evidence_survives=talk.evidence_survives(turn),
        evidence_kept=reply.evidence.kept,
        evidence_held=reply.evidence.held,
        evidence_loaded=reply.evidence.loaded,
        notes=reply.notes,
        gold=reply.gold,
        units=reply.units,
    )
    return scored_again(blank, session, needles, scored)


def scored_again(record: Record, session: Session, needles: Needles, scored: str) -> Record:
    """The same answer under both rules as they are today; `scored` is `scoring_digest` of them."""
    assert record.answer is not None, "a failure has no answer to score"
    asked = session.turns[record.turn]
    near = needles.get(asked.wanted.repo or "", ())
    text = record.answer.text
    return replace(
        record,
        strict=grade(asked.task, text, asked.wanted, rule="strict", within=session.task),
        official=grade(
            asked.task,
            text,
            asked.wanted,
            rule="official",
            needles=near,
            within=session.task,
            mode=record.mode,
        ),
        scored=scored,
    )


def failed(cell: Cell, session: Session, turn: int, failure: Failure, made: str) -> Record:
    """The record of a turn that has no answer: a gap under both rules, never a zero."""
    blank = _blank(cell, session, turn, made)
    strict, official = (
        replace(blank.strict, why=failure.kind),
        replace(blank.official, why=failure.kind),
    )
    return replace(blank, failure=failure, strict=strict, official=official)


def _blank(cell: Cell, session: Session, turn: int, made: str) -> Record:
    asked = session.turns[turn]
    return Record(
        key=cell.key,
        task=cell.task,
        length_tokens=cell.length_tokens,
        seed=cell.seed,
        mode=cell.mode,
        model=cell.model,
        method=cell.method,
        protocol=cell.protocol,
        session_digest=cell.session_digest,
        turn=turn,
        turns=cell.turns,
        subtask=asked.task,
        prompt_tokens=0,
        answer=None,
        failure=None,
        strict=Score(value=None, rule=STRICT),
        official=Score(value=None, rule=OFFICIAL),
        cost=Cost(),
        depth=asked.depth,
        form=cell.form,
        made=made,
        sample=cell.sample,
    )
