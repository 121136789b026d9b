"""Retr.Prefix-Suffix: a list of random strings; a turn asks for the one with a given start and a
given end.

Starts and ends of 8 characters and more are letters only, in all strings alike: the strict scorer
takes a word of that length with a digit in it for a rival answer, and a model that repeats the
question before it answers must not fail for that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import log2

from scbench import task_cards
from scbench.errors import BadConfig
from scbench.tasks.build import (
    FittedText,
    Mark,
    Piece,
    Rendered,
    Units,
    by_shape,
    depth_of,
    sealed,
    solve_length,
    strata,
    weave,
)
from scbench.tasks.contract import Counter, Task, checked, recipe, settle, whole
from scbench.tasks.draw import Draw
from scbench.tasks.rows import answers_of, ask_of
from scbench.types import Role, Session, Turn, Wanted

NAME, VERSION = "prefix_suffix", 1
CARD = task_cards.PAPER[NAME]
MAX_NEW_TOKENS = CARD.subtask(NAME).limit_tokens
MINIMUM_SEEDS = 8
RIVAL_CHARS, MIXED_CHARS = (
    32,
    8,
)  # what the strict scorer takes for another string: so long, or so long and with a digit
PADDED_STRINGS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixSuffixKnobs:
    shortest: int | None = None  # characters of a string: [shortest, longest]; None: 65, compact 12
    longest: int | None = None  # None: 122, compact 20
    decoys: int | None = (
        # strings with the asked start only, and as many with the asked end only; None: 2, compact 1
        None
    )
    prefix_len: int | None = None  # None: 8, compact 3
    suffix_len: int | None = None
    alphabet: str = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class StringShape:
    shortest: int
    longest: int
    decoys: int
    prefix_len: int
    suffix_len: int
    alphabet: str

    @property
    def letters(self) -> str:
        return "".join(c for c in self.alphabet if not c.isdigit())

    def ends(self, length: int) -> str:
        """What a start or an end of this length is made of."""
        return self.letters if length >= MIXED_CHARS else self.alphabet


def _shape(given: PrefixSuffixKnobs, turns: int, small: bool) -> StringShape:
    def of(value: int | None, large: int, little: int) -> int:
        return value if value is not None else (little if small else large)

    shape = StringShape(
        of(given.shortest, 65, 12),
        of(given.longest, 122, 20),
        of(given.decoys, 2, 1),
        of(given.prefix_len, 8, 3),
        of(given.suffix_len, 8, 3),
        given.alphabet,
    )
    _check(shape, turns)
    return shape


def _check(shape: StringShape, turns: int) -> None:
    whole(NAME, "shortest", shape.shortest, MIXED_CHARS, 4096)
    whole(NAME, "longest", shape.longest, shape.shortest, 4096)
    whole(NAME, "decoys", shape.decoys, 0, 1000)
    for knob, length in (("prefix_len", shape.prefix_len), ("suffix_len", shape.suffix_len)):
        whole(NAME, knob, length, 1, RIVAL_CHARS - 1)
        if len(shape.ends(length)) ** length < 16 * turns:
            raise BadConfig(
                f"{NAME}: {knob}={length} makes too few different texts for {turns:,} turns; take "
                f"a longer one"
            )
    if shape.prefix_len + shape.suffix_len >= shape.shortest:
        raise BadConfig(
            f"{NAME}: prefix_len + suffix_len = {shape.prefix_len + shape.suffix_len} must be "
            f"below shortest={shape.shortest}; give shorter ones or longer strings"
        )
    characters = set(shape.alphabet)
    if (
        len(characters) < len(shape.alphabet)
        or not shape.alphabet.isascii()
        or not shape.alphabet.isalnum()
    ):
        raise BadConfig(
            f"{NAME}: alphabet={shape.alphabet!r} must be different ASCII letters and digits"
        )
    if not shape.letters or shape.letters == shape.alphabet:
        raise BadConfig(
            f"{NAME}: alphabet={shape.alphabet!r} must hold both letters and digits: a digit is "
            f"how the scorer knows a rival"
        )
    free = shape.shortest - max(shape.prefix_len, shape.suffix_len)
    if free * log2(len(shape.alphabet)) < 40:  # else one string might lie inside another
        raise BadConfig(
            f"{NAME}: strings of {shape.shortest} characters of {len(shape.alphabet)} kinds are "
            f"too alike; take longer ones"
        )


@dataclass(slots=True)
class StringMaker:
    """Makes strings that differ; none but the asked ones and their decoys has an asked start or
    end.
    """

    shape: StringShape
    seen: set[str] = field(default_factory=set)
    prefixes: set[str] = field(default_factory=set)
    suffixes: set[str] = field(default_factory=set)

    def fresh(self, draw: Draw, *, prefix: str | None = None, suffix: str | None = None) -> str:
        """A new string with this start and this end, or with ones nobody asks for."""
        shape = self.shape
        while True:
            length = draw.between(shape.shortest, shape.longest + 1)
            start = (
                prefix
                if prefix is not None
                else draw.text(shape.ends(shape.prefix_len), shape.prefix_len)
            )
            end = (
                suffix
                if suffix is not None
                else draw.text(shape.ends(shape.suffix_len), shape.suffix_len)
            )
            text = start + draw.text(shape.alphabet, length - len(start) - len(end)) + end
            if (prefix is None and start in self.prefixes) or (
                suffix is None and end in self.suffixes
            ):
                continue
            if text not in self.seen and not text.isalpha():
                self.seen.add(text)
                return text

    def asked(self, draw: Draw) -> str:
        """A string with a start and an end no other string has so far."""
        text = self.fresh(draw)
        self.prefixes.add(text[: self.shape.prefix_len])
        self.suffixes.add(text[-self.shape.suffix_len :])
        return text


def _plan(seed: str, turns: int, shape: StringShape) -> tuple[StringMaker, list[str], list[Piece]]:
    maker, draw, place = StringMaker(shape), Draw(NAME, seed, "plan"), Draw(NAME, seed, "place")
    asked = [maker.asked(draw.child(str(turn))) for turn in range(turns)]
    pieces = [
        Piece(
            text,
            depth,
            (Mark(0, len(text), Role.SUPPORT, turn), Mark(0, len(text), Role.ANSWER, turn)),
        )
        for turn, (text, depth) in enumerate(zip(asked, strata(place, turns), strict=True))
    ]
    depths = iter(strata(place.child("decoys"), turns * 2 * shape.decoys))
    for turn, text in enumerate(asked):
        for i in range(shape.decoys):
            own = draw.child(str(turn), "decoy", str(i))
            for decoy in (
                maker.fresh(own, prefix=text[: shape.prefix_len]),
                maker.fresh(own, suffix=text[-shape.suffix_len :]),
            ):
                pieces.append(
                    Piece(decoy, next(depths), (Mark(0, len(decoy), Role.DISTRACTOR, turn),))
                )
    return maker, asked, pieces


def _fit(
    seed: str, maker: StringMaker, pieces: list[Piece], target: int, count: Counter
) -> FittedText:
    shape, streams = maker.shape, Draw(NAME, seed).children("filler")
    spare = Draw(NAME, seed, "pad").text(shape.alphabet, PADDED_STRINGS * shape.longest)
    units = Units(lambda _: maker.fresh(next(streams)))

    def render(n: int, padding: int = 0) -> Rendered:
        strings = units.first(n)
        for at, more in _grown(strings, padding, shape.longest):
            text, own = strings[at], spare[(len(strings) - 1 - at) * shape.longest :]
            strings[at] = text[: shape.prefix_len] + own[:more] + text[shape.prefix_len :]
        return weave(pieces, strings, join="\n")

    return solve_length(
        render, padded=render, target=target, count=count, what=f"{NAME}, seed {seed}"
    )


def _grown(strings: list[str], padding: int, longest: int) -> Iterator[tuple[int, int]]:
    """How many characters each of the last strings grows by, `padding` in all where there
    is room.
    """
    for at in range(len(strings) - 1, max(len(strings) - 1 - PADDED_STRINGS, -1), -1):
        more = min(padding, longest - len(strings[at]))
        padding -= more
        if more:
            yield at, more


def make(*, seed: str, target: int, turns: int, count: Counter, **knobs: object) -> Session:
    """A session of Retr.Prefix-Suffix (see Task)."""
    checked(NAME, target=target, turns=turns)
    given = settle(PrefixSuffixKnobs, knobs, task=NAME)

    def attempt(small: bool) -> tuple[StringShape, list[str], FittedText]:
        shape = _shape(given, turns, small)
        maker, asked, pieces = _plan(seed, turns, shape)
        return shape, asked, _fit(seed, maker, pieces, target, count)

    shape, asked, fitted = by_shape(target, attempt)
    told = {
        name: getattr(shape, name)
        for name in ("shortest", "longest", "decoys", "prefix_len", "suffix_len")
    }
    return sealed(
        task=NAME,
        context=fitted.context,
        turns=[_turn(i, text, shape, fitted) for i, text in enumerate(asked)],
        counted=fitted.counted,
        counter=count.name,
        recipe=recipe(NAME, VERSION, seed=seed, target=target, turns=turns, knobs=given, **told),
    )


def _turn(turn: int, text: str, shape: StringShape, fitted: FittedText) -> Turn:
    prefix, suffix, spans = text[: shape.prefix_len], text[-shape.suffix_len :], fitted.spans[turn]
    ask = (
        f'Which string in the list starts with "{prefix}" and ends with "{suffix}"? Answer with '
        f"the whole string."
    )
    wanted = Wanted(golds=(text,), generated=True, question=ask)
    depth = depth_of(spans, len(fitted.context))
    return Turn(
        task=NAME,
        ask=ask,
        gold=text,
        wanted=wanted,
        max_new_tokens=MAX_NEW_TOKENS,
        evidence=spans,
        depth=depth,
    )


def minimum(*, turns: int, count: Counter, **knobs: object) -> int:
    """The least target of the compact shape, in tokens: asked strings and decoys alone, the longest
    of a few seeds.
    """
    checked(NAME, target=1, turns=turns)
    shape = _shape(settle(PrefixSuffixKnobs, knobs, task=NAME), turns, True)
    plans = [_plan(f"minimum:{i}", turns, shape)[2] for i in range(MINIMUM_SEEDS)]
    return max(count("\n".join(piece.text for piece in pieces)) for pieces in plans)


def read_turn(row: Mapping[str, object], item: Mapping[str, object]) -> Turn:
    """A published turn."""
    ask, golds = ask_of(item, task=NAME), answers_of(item, task=NAME)
    wanted = Wanted(golds=golds, question=ask)
    return Turn(task=NAME, ask=ask, gold=golds[0], wanted=wanted, max_new_tokens=MAX_NEW_TOKENS)


def write_row(session: Session, index: int) -> dict[str, object]:
    """The session as a row of scbench_prefix_suffix, which has no id."""
    items = [{"answer": turn.gold, "input": turn.ask} for turn in session.turns]
    return {"context": session.context, "multi_turns": items}


TASK = Task(
    card=CARD,
    version=VERSION,
    make=make,
    minimum=minimum,
    read_turn=read_turn,
    write_row=write_row,
    knobs=PrefixSuffixKnobs,
)
