"""Mix.RepoQA+KV: Code.RepoQA with lines of key and value between the functions; turns ask for
functions and for values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from scbench import task_cards
from scbench.tasks import kv, repoqa
from scbench.tasks.build import (
    FittedText,
    Mark,
    Piece,
    Rendered,
    by_shape,
    depth_of,
    sealed,
    strata,
)
from scbench.tasks.contract import Counter, Task, checked, one_of, recipe, settle, within
from scbench.tasks.draw import Draw
from scbench.tasks.materials import functions
from scbench.tasks.materials.pairs import PairMaker, PairShape, digits_for, key_words_for, line
from scbench.tasks.mix import ORDERS, order_of, read_part, write_part
from scbench.types import Role, Session, Span, Turn, Wanted

NAME, VERSION = "repoqa_and_kv", 2
PARTS = ("repoqa", "kv")
_OPENING = "# entry {"
_SPARE_PAIRS = 2  # at least so many are not asked for


@dataclass(frozen=True, slots=True)
class RepoqaKvKnobs(functions.FunctionKnobs):
    order: str = "alternate"  # of the sub-tasks: alternate or seeded
    variant: str | None = (
        None  # of the pairs: "uuid" or "easy"; None: easy in compact sessions, else uuid
    )
    pairs_per_1k: float = (
        1.5  # lines for each 1,000 tokens of target; at least two more than are asked for
    )


@dataclass(frozen=True, slots=True)
class _Draft:
    """All of a session but its length. Spans count the function turns first."""

    parts: tuple[str, ...]
    planned: functions.FunctionsPlan
    shape: PairShape
    pairs: tuple[tuple[str, str], ...]  # the asked ones first
    lines: tuple[Piece, ...]
    draw: Draw

    def rendered(self, units: int, padding: int = 0) -> Rendered:
        row = functions.between(
            self.planned.shelf.pieces(units), self.lines, parts=max(self.parts.count("kv"), 1)
        )
        extra = (
            [
                Piece(
                    functions.note(padding, self.draw.child("pad", "words")),
                    self.draw.child("pad").unit(),
                )
            ]
            if padding
            else []
        )
        return functions.rendered(functions.between(row, extra))


def _draft(target: int, turns: int, given: RepoqaKvKnobs, draw: Draw, is_compact: bool) -> _Draft:
    given.checked(NAME)
    one_of(NAME, "order", given.order, ORDERS)
    one_of(NAME, "variant", given.variant, (None, "uuid", "easy"))
    within(NAME, "pairs_per_1k", given.pairs_per_1k, 0, 100)
    parts = order_of(PARTS, turns, given.order, draw.child("order"))
    asked, values = parts.count("repoqa"), parts.count("kv")
    planned = functions.plan_functions(NAME, draw, turns=asked, knobs=given, is_compact=is_compact)
    number = max(values + _SPARE_PAIRS, round(given.pairs_per_1k * target / 1000))
    variant = given.variant or ("easy" if is_compact else "uuid")
    # A single word is likely to stand in code, two joined by a dash are not.
    shape = (
        PairShape("easy", max(2, key_words_for(number)), digits_for(number))
        if variant == "easy"
        else PairShape("uuid")
    )
    pairs = _pairs(shape, number, tuple(given.roots), draw.child("pairs"))
    place = draw.child("place", "pairs")
    depths = [
        *(strata(place, values) if values else ()),
        *strata(place.child("spare"), number - values),
    ]
    lines = tuple(
        _line(pair, depth, asked + i if i < values else None)
        for i, (pair, depth) in enumerate(zip(pairs, depths, strict=True))
    )
    return _Draft(tuple(parts), planned, shape, tuple(pairs), lines, draw)


def _pairs(
    shape: PairShape, number: int, roots: tuple[str, ...], draw: Draw
) -> list[tuple[str, str]]:
    """Pairs of which no part stands in code. (A random UUID does not.)"""
    maker, stream = PairMaker(shape), draw.children("pair")
    if shape.variant == "uuid":
        return [maker.fresh(next(stream)) for _ in range(number)]
    joined, digits = _in_code(roots, shape.digits)
    pairs: list[tuple[str, str]] = []
    while len(pairs) < number:
        key, value = maker.fresh(next(stream))
        if key not in joined and value not in digits:
            pairs.append((key, value))
    return pairs


@lru_cache(maxsize=4)
def _in_code(roots: tuple[str, ...], digits: int) -> tuple[str, frozenset[str]]:
    """(all words joined by dashes, all windows of so many digits) of the library."""
    joined: set[str] = set()
    windows: set[str] = set()
    for function in functions.library(roots).functions:
        joined.update(re.findall(r"[a-z]+(?:-[a-z]+)+", function.source))
        for run in re.findall(rf"\d{{{digits},}}", function.source):
            windows.update(run[i : i + digits] for i in range(len(run) - digits + 1))
    return " ".join(sorted(joined)), frozenset(windows)


def _line(pair: tuple[str, str], depth: float, turn: int | None) -> Piece:
    told = line(*pair)
    text = f"{_OPENING}{told}}}"
    if turn is None:
        return Piece(text, depth)
    start, stop = len(_OPENING), len(_OPENING) + len(told)
    answer = Mark(stop - 1 - len(pair[1]), stop - 1, Role.ANSWER, turn)
    return Piece(text, depth, (Mark(start, stop, Role.SUPPORT, turn), answer))


def make(*, seed: str, target: int, turns: int, count: Counter, **knobs: object) -> Session:
    checked(NAME, target=target, turns=turns)
    given = settle(RepoqaKvKnobs, knobs, task=NAME)
    draw = Draw(NAME, str(VERSION), str(seed))
    draft, fitted = by_shape(
        target,
        lambda is_compact: _fitted(_draft(target, turns, given, draw, is_compact), target, count),
    )
    planned = draft.planned
    made_of = recipe(
        NAME,
        VERSION,
        seed=seed,
        target=target,
        turns=turns,
        knobs=given,
        variant=draft.shape.variant,
        corpus=planned.library.corpus,
        library_sha256=planned.library.sha256,
    )
    asked = _turns(draft, fitted, repo=f"{NAME}/{seed}/{target}/{turns}/{count.name}", count=count)
    return sealed(
        task=NAME,
        context=fitted.context,
        turns=asked,
        counted=fitted.counted,
        counter=count.name,
        recipe=made_of,
    )


def _fitted(draft: _Draft, target: int, count: Counter) -> tuple[_Draft, FittedText]:
    what = f"{NAME} of {len(draft.parts)} turns"
    return draft, functions.solved(
        draft.planned.shelf, draft.rendered, target=target, count=count, what=what
    )


def _turns(draft: _Draft, fitted: FittedText, *, repo: str, count: Counter) -> list[Turn]:
    candidates = draft.planned.candidates(draft.planned.shelf.order(fitted.units))
    functions_asked = draft.parts.count("repoqa")
    done = {"repoqa": 0, "kv": 0}
    turns: list[Turn] = []
    for part in draft.parts:
        k = done[part]
        spans = fitted.spans[k if part == "repoqa" else functions_asked + k]
        depth = depth_of(spans, len(fitted.context))
        if part == "repoqa":
            turns.append(
                draft.planned.turn(
                    k, repo=repo, candidates=candidates, evidence=spans, depth=depth, count=count
                )
            )
        else:
            turns.append(_value_turn(*draft.pairs[k], draft.shape.answer_shape, spans, depth))
        done[part] += 1
    return turns


def _value_turn(
    key: str, value: str, answer_shape: str, spans: Sequence[Span], depth: float | None
) -> Turn:
    ask = f'Key: "{key}"\nThe value associated with this key is:'
    return Turn(
        task="kv",
        ask=ask,
        gold=value,
        wanted=Wanted(
            golds=(value,), generated=True, question=ask, shape=answer_shape, asked_key=key
        ),
        max_new_tokens=kv.MAX_NEW_TOKENS,
        evidence=tuple(spans),
        depth=depth,
    )


def minimum(*, turns: int, count: Counter, **knobs: object) -> int:
    """The longest functions that may be asked for, and the lines of a few sessions."""
    given = settle(RepoqaKvKnobs, knobs, task=NAME)
    lines = 0
    for seed in range(4):
        draft = _draft(
            1, turns, given, Draw(NAME, str(VERSION), "minimum", str(seed)), is_compact=True
        )
        lines = max(lines, sum(count(piece.text + functions.JOIN) for piece in draft.lines))
    return functions.most_tokens(draft.parts.count("repoqa"), given, count) + lines


def read_turn(row: Mapping[str, object], item: Mapping[str, object]) -> Turn:
    return read_part(NAME, {"repoqa": repoqa.read_turn, "kv": kv.read_turn}, row, item)


def write_row(session: Session, index: int) -> dict[str, object]:
    repo = next((turn.wanted.repo for turn in session.turns if turn.wanted.repo), None)
    items = [write_part(turn) for turn in session.turns]
    return {
        "id": index,
        "context": session.context,
        "lang": "python",
        "repo": repo,
        "multi_turns": items,
    }


TASK = Task(
    card=task_cards.PAPER[NAME],
    version=VERSION,
    make=make,
    minimum=minimum,
    read_turn=read_turn,
    write_row=write_row,
    knobs=RepoqaKvKnobs,
)
