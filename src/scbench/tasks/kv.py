"""Retr.KV: a JSON object of random pairs; a turn asks for one key's value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from scbench import task_cards
from scbench.errors import BadConfig
from scbench.scoring.strings import shape_of
from scbench.tasks.build import FittedText, Mark, Piece, by_shape, depth_of, fit, sealed, strata
from scbench.tasks.contract import Counter, Task, checked, one_of, recipe, settle, whole
from scbench.tasks.draw import Draw
from scbench.tasks.materials.pairs import (
    MOST_DIGITS,
    MOST_KEY_WORDS,
    PairMaker,
    PairShape,
    easy_shape,
    line,
)
from scbench.tasks.materials.words import WORDS
from scbench.tasks.rows import answers_of, ask_of
from scbench.types import Role, Session, Turn, Wanted

NAME, VERSION = "kv", 1
CARD = task_cards.PAPER[NAME]
MAX_NEW_TOKENS = CARD.subtask(NAME).limit_tokens
MINIMUM_SEEDS = 8
_QUOTED = re.compile(r'"([^"]+)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class KvKnobs:
    variant: str | None = None  # "uuid" or "easy"; None: easy in the compact shape, else uuid
    key_words: int | None = (
        None  # easy: words in a key; None: the fewest that leave 4 keys for each pair
    )
    digits: int | None = (
        None  # easy: digits of a value; None: at least 4, and 20 numbers for each pair
    )
    near_keys: int = 0  # pairs whose key is 1 or 2 edits from the asked one, for each turn


@dataclass(frozen=True, slots=True)
class KvPlan:
    """What is asked, and where it lies."""

    maker: PairMaker
    asked: tuple[tuple[str, str], ...]
    pieces: tuple[Piece, ...]


def _settled(knobs: Mapping[str, object]) -> KvKnobs:
    given = settle(KvKnobs, knobs, task=NAME)
    one_of(NAME, "variant", given.variant, (None, "uuid", "easy"))
    whole(NAME, "near_keys", given.near_keys, 0, 100)  # a two-letter key has 675 neighbours
    for knob, value, most in (
        ("key_words", given.key_words, MOST_KEY_WORDS),
        ("digits", given.digits, MOST_DIGITS),
    ):
        if value is not None:
            whole(NAME, knob, value, 1, most)
    return given


def _shape(knobs: KvKnobs, target: int, turns: int, count: Counter, small: bool) -> PairShape:
    variant = knobs.variant or ("easy" if small else "uuid")
    if variant == "uuid":
        if knobs.key_words is not None or knobs.digits is not None:
            raise BadConfig(
                f"{NAME}: key_words and digits belong to variant='easy', but the variant here is "
                f"'uuid'; give variant='easy'"
            )
        return PairShape("uuid")
    shape = easy_shape(target, count, key_words=knobs.key_words, digits=knobs.digits)
    wide = easy_shape(target, count)
    asked = turns * (1 + knobs.near_keys)
    if (
        shape.key_words < wide.key_words
        or shape.digits < wide.digits
        or 9 * 10 ** (shape.digits - 1) < 20 * asked
    ):
        raise BadConfig(
            f"{NAME}: key_words={shape.key_words} and digits={shape.digits} do not make enough "
            f"different pairs for {target:,} tokens and {turns:,} turns; take "
            f"key_words={wide.key_words} and digits={wide.digits} or more"
        )
    return shape


def _plan(seed: str, turns: int, shape: PairShape, near_keys: int) -> KvPlan:
    maker, draw = PairMaker(shape), Draw(NAME, seed, "plan")
    asked = tuple(maker.fresh(draw.child(str(turn))) for turn in range(turns))
    near = [
        (turn, maker.near(asked[turn][0], draw.child(str(turn), "near", str(i))))
        for turn in range(turns)
        for i in range(near_keys)
    ]
    place = Draw(NAME, seed, "place")
    depths, near_depths = strata(place, turns), strata(place.child("near"), len(near))
    pieces = [
        _asked(turn, *pair, depth)
        for turn, (pair, depth) in enumerate(zip(asked, depths, strict=True))
    ]
    for (turn, pair), depth in zip(near, near_depths, strict=True):
        text = line(*pair)
        pieces.append(Piece(text, depth, (Mark(0, len(text), Role.DISTRACTOR, turn),)))
    return KvPlan(maker, asked, tuple(pieces))


def _asked(turn: int, key: str, value: str, depth: float) -> Piece:
    text = line(key, value)
    answer = Mark(len(text) - 1 - len(value), len(text) - 1, Role.ANSWER, turn)
    return Piece(text, depth, (Mark(0, len(text), Role.SUPPORT, turn), answer))


def _fit(plan: KvPlan, seed: str, target: int, count: Counter) -> FittedText:
    streams = Draw(NAME, seed).children("filler")
    padding = Draw(NAME, seed, "pad")
    note: list[str] = []

    def filler(_: int) -> str:
        return line(*plan.maker.fresh(next(streams)))

    def pad(steps: int) -> str:
        while len(note) < steps:
            note.append(padding.choice(WORDS))
        return line("_note", " ".join(note[:steps])) if steps else ""

    return fit(
        pieces=plan.pieces,
        filler=filler,
        pad=pad,
        pad_depth=Draw(NAME, seed, "place", "pad").unit(),
        join=",\n",
        head="{\n",
        tail="\n}",
        target=target,
        count=count,
        what=f"{NAME}, seed {seed}",
    )


def make(*, seed: str, target: int, turns: int, count: Counter, **knobs: object) -> Session:
    """A session of Retr.KV (see Task)."""
    checked(NAME, target=target, turns=turns)
    given = _settled(knobs)

    def attempt(small: bool) -> tuple[PairShape, KvPlan, FittedText]:
        shape = _shape(given, target, turns, count, small)
        plan = _plan(seed, turns, shape, given.near_keys)
        return shape, plan, _fit(plan, seed, target, count)

    shape, plan, fitted = by_shape(target, attempt)
    told: dict[str, object] = {"variant": shape.variant}
    if shape.variant == "easy":
        told |= {"key_words": shape.key_words, "digits": shape.digits}
    return sealed(
        task=NAME,
        context=fitted.context,
        turns=[_turn(i, *pair, shape.answer_shape, fitted) for i, pair in enumerate(plan.asked)],
        counted=fitted.counted,
        counter=count.name,
        recipe=recipe(NAME, VERSION, seed=seed, target=target, turns=turns, knobs=given, **told),
    )


def _turn(turn: int, key: str, value: str, answer_shape: str, fitted: FittedText) -> Turn:
    ask, spans = f'Key: "{key}"\nThe value associated with this key is:', fitted.spans[turn]
    return Turn(
        task=NAME,
        ask=ask,
        gold=value,
        wanted=Wanted(
            golds=(value,), generated=True, question=ask, shape=answer_shape, asked_key=key
        ),
        max_new_tokens=MAX_NEW_TOKENS,
        evidence=spans,
        depth=depth_of(spans, len(fitted.context)),
    )


def minimum(*, turns: int, count: Counter, **knobs: object) -> int:
    """The least target of the compact shape, in tokens: the asked pairs alone, the longest of a few
    seeds.
    """
    checked(NAME, target=1, turns=turns)
    given = _settled(knobs)
    shape = _shape(given, 1, turns, count, True)
    plans = [_plan(f"minimum:{i}", turns, shape, given.near_keys) for i in range(MINIMUM_SEEDS)]
    return max(
        count("{\n" + ",\n".join(piece.text for piece in plan.pieces) + "\n}") for plan in plans
    )


def read_turn(row: Mapping[str, object], item: Mapping[str, object]) -> Turn:
    """A published turn; the key asked for is the first quoted text of its ask."""
    ask, golds = ask_of(item, task=NAME), answers_of(item, task=NAME)
    quoted = _QUOTED.search(ask)
    wanted = Wanted(
        golds=golds, question=ask, shape=shape_of(golds[0]), asked_key=quoted[1] if quoted else None
    )
    return Turn(task=NAME, ask=ask, gold=golds[0], wanted=wanted, max_new_tokens=MAX_NEW_TOKENS)


def write_row(session: Session, index: int) -> dict[str, object]:
    """The session as a row of scbench_kv."""
    items = [{"answer": turn.gold, "input": turn.ask} for turn in session.turns]
    return {"id": index, "context": session.context, "multi_turns": items}


TASK = Task(
    card=CARD,
    version=VERSION,
    make=make,
    minimum=minimum,
    read_turn=read_turn,
    write_row=write_row,
    knobs=KvKnobs,
)
