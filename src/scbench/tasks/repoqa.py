"""Code.RepoQA: a function is described, and is to be found among others and repeated.

Functions are those of two pinned packages (materials/functions/corpus.py); the recipe says which
versions, and the digest of what was read. How hard it is to tell functions apart by words alone:
among 240 functions BM25 of the description on the code puts the asked one first in 35 % of turns
(hints=none 45 %, hints=lexical 83 %), among 980 in 20 %. tests/tasks/test_repoqa.py measures it. No
other function of the context has the asked one's shape, so a description fits one only.
"""

from __future__ import annotations

from collections.abc import Mapping

from scbench import task_cards
from scbench.tasks.build import FittedText, Piece, Rendered, by_shape, depth_of, sealed
from scbench.tasks.contract import Counter, Task, checked, recipe, settle
from scbench.tasks.draw import Draw
from scbench.tasks.materials.functions import (
    FunctionKnobs,
    FunctionsPlan,
    between,
    most_tokens,
    note,
    plan_functions,
    rendered,
    solved,
)
from scbench.tasks.rows import answers_of, ask_of
from scbench.types import Session, Turn, Wanted

NAME, VERSION = "repoqa", 2
CARD = task_cards.PAPER[NAME]
PUBLISHED_ANSWER_TOKENS = CARD.subtask(NAME).limit_tokens


def make(*, seed: str, target: int, turns: int, count: Counter, **knobs: object) -> Session:
    checked(NAME, target=target, turns=turns)
    settled = settle(FunctionKnobs, knobs, task=NAME)
    settled.checked(NAME)
    draw = Draw(NAME, str(VERSION), str(seed))
    planned, fitted = by_shape(
        target, lambda is_compact: _fitted(draw, is_compact, target, turns, settled, count)
    )
    candidates = planned.candidates(planned.shelf.order(fitted.units))
    repo = f"{NAME}/{seed}/{target}/{turns}/{count.name}"
    asked = []
    for k in range(turns):
        spans = fitted.spans[k]
        depth = depth_of(spans, len(fitted.context))
        asked.append(
            planned.turn(
                k, repo=repo, candidates=candidates, evidence=spans, depth=depth, count=count
            )
        )
    books = planned.library
    made_of = recipe(
        NAME,
        VERSION,
        seed=seed,
        target=target,
        turns=turns,
        knobs=settled,
        corpus=books.corpus,
        library_sha256=books.sha256,
    )
    return sealed(
        task=NAME,
        context=fitted.context,
        turns=asked,
        counted=fitted.counted,
        counter=count.name,
        recipe=made_of,
    )


def _fitted(
    draw: Draw, is_compact: bool, target: int, turns: int, knobs: FunctionKnobs, count: Counter
) -> tuple[FunctionsPlan, FittedText]:
    planned = plan_functions(NAME, draw, turns=turns, knobs=knobs, is_compact=is_compact)
    pad_depth = draw.child("pad").unit()

    def render(units: int, padding: int = 0) -> Rendered:
        extra = [Piece(note(padding, draw.child("pad", "words")), pad_depth)] if padding else []
        return rendered(between(planned.shelf.pieces(units), extra))

    return planned, solved(
        planned.shelf, render, target=target, count=count, what=f"{NAME} of {turns} turns"
    )


def minimum(*, turns: int, count: Counter, **knobs: object) -> int:
    settled = settle(FunctionKnobs, knobs, task=NAME)
    settled.checked(NAME)
    return most_tokens(turns, settled, count)


def read_turn(row: Mapping[str, object], item: Mapping[str, object]) -> Turn:
    """`wanted.candidates` is left to who has all rows: they are the golds of every row with the
    same `repo`.
    """
    sources = answers_of(item, task=NAME)
    wanted = Wanted(
        golds=sources,
        question=ask_of(item, task=NAME),
        name=_text_or_none(item.get("name")),
        lang=_text_or_none(row.get("lang")),
        repo=_text_or_none(row.get("repo")),
    )
    return Turn(
        task=NAME,
        ask=wanted.question,
        gold=sources[0],
        wanted=wanted,
        max_new_tokens=PUBLISHED_ANSWER_TOKENS,
    )


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def write_row(session: Session, index: int) -> dict[str, object]:
    items = [
        {"answer": turn.wanted.golds[0], "input": turn.ask, "name": turn.wanted.name}
        for turn in session.turns
    ]
    first = session.turns[0].wanted
    return {
        "id": index,
        "context": session.context,
        "lang": first.lang,
        "repo": first.repo,
        "multi_turns": items,
    }


TASK = Task(
    card=CARD,
    version=VERSION,
    make=make,
    minimum=minimum,
    read_turn=read_turn,
    write_row=write_row,
    knobs=FunctionKnobs,
)
