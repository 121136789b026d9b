"""From a plan to a session: where evidence goes, how a context gets its length, and the session's
seal.

Length is solved on the whole text, because token counts do not add up over pieces, and with few
counts, because a real tokenizer is slow.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TypeVar

from scbench.errors import BadConfig, TooLarge, TooSmall
from scbench.tasks.contract import Counter
from scbench.tasks.draw import Draw
from scbench.types import Role, Session, Span, Turn

COMPACT_BELOW_TOKENS = 4096
MOST_COUNTS = 12  # of whole texts
SAMPLE_UNITS = 64
T = TypeVar("T")
Spans = dict[int, tuple[Span, ...]]


@dataclass(frozen=True, slots=True)
class Mark:
    """Characters [start, stop) of a piece's text are `role` for turn `turn` (0-based)."""

    start: int
    stop: int
    role: Role
    turn: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of evidence, or a near miss, and how deep it lies: 0 before all filler, towards 1
    after it. Equal places keep their order.
    """

    text: str
    depth: float
    marks: tuple[Mark, ...] = ()


def statement(before: str, answer: str, after: str, *, depth: float, turn: int) -> Piece:
    """A sentence that supports a turn, with the answer's characters marked inside.

    >>> statement("The key is ", "12", ".", depth=0.5, turn=0).marks[1].start
    11
    """
    text = before + answer + after
    marks = [Mark(0, len(text), Role.SUPPORT, turn)]
    if answer:
        marks.append(Mark(len(before), len(before) + len(answer), Role.ANSWER, turn))
    return Piece(text, depth, tuple(marks))


@dataclass(frozen=True, slots=True)
class Rendered:
    """A context of some length and its spans by turn."""

    context: str
    spans: Spans


@dataclass(frozen=True, slots=True)
class FittedText(Rendered):
    """A rendering that has the wanted length."""

    counted: int
    units: int  # of filler
    padding: int  # steps of the pad slot


def compact(target: int) -> bool:
    """Whether a context of this length takes the compact shapes, in which two turns fit 256
    tokens.
    """
    return target < COMPACT_BELOW_TOKENS


def by_shape(target: int, attempt: Callable[[bool], T]) -> T:
    """`attempt(is_compact)` in the shape of this length; where many turns do not fit the large
    shape, in the compact one.
    """
    if compact(target):
        return attempt(True)
    try:
        return attempt(False)
    except TooSmall:
        return attempt(True)


def tolerance(target: int) -> int:
    """How far from `target` a length may lie: 2 %, or 4 tokens where that is more."""
    return max(target // 50, 4)


def strata(draw: Draw, pieces: int) -> list[float]:
    """A depth in [0, 1) for each piece: one in every `pieces`-th part, dealt by a permutation."""
    order = list(range(pieces))
    draw.shuffle(order)
    return [(stratum + draw.unit()) / pieces for stratum in order]


def depth_of(spans: Sequence[Span], context_chars: int) -> float | None:
    """The centre of the first answer span, else of the first support span, over the context's
    length; None without either.
    """
    for role in (Role.ANSWER, Role.SUPPORT):
        for span in spans:
            if span.role is role:
                return (span.start + span.stop) / 2 / context_chars
    return None


# --- rendering ------------------------------------------------------------------------------------


def weave(
    pieces: Sequence[Piece], units: Sequence[str], *, join: str = "", head: str = "", tail: str = ""
) -> Rendered:
    """head, the units with each piece before unit floor(depth * (units + 1)), tail. `join` stands
    between neighbours, not at the ends.

    A piece of empty text is left out. Work grows with the pieces; the units between two of them are
    joined in one go.
    """
    placed = sorted((int(p.depth * (len(units) + 1)), i) for i, p in enumerate(pieces) if p.text)
    parts: list[str] = []
    starts: list[tuple[int, Piece]] = []
    at, done = len(head), 0
    for slot, i in placed:
        if slot > done:
            parts.append(join.join(units[done:slot]))
            at += len(parts[-1]) + len(join)
            done = slot
        starts.append((at, pieces[i]))
        parts.append(pieces[i].text)
        at += len(pieces[i].text) + len(join)
    if done < len(units):
        parts.append(join.join(units[done:]))
    return Rendered(f"{head}{join.join(parts)}{tail}", spans_of(starts))


def spans_of(starts: Sequence[tuple[int, Piece]]) -> Spans:
    """The spans of pieces that begin at these characters of the context, by turn, in the pieces'
    order in the text.
    """
    spans: dict[int, list[Span]] = {}
    for at, piece in starts:
        for mark in piece.marks:
            spans.setdefault(mark.turn, []).append(Span(at + mark.start, at + mark.stop, mark.role))
    return {turn: tuple(found) for turn, found in spans.items()}


class Units(Sequence[str]):
    """The first filler units, made once and kept while lengths are tried."""

    def __init__(self, make: Callable[[int], str]) -> None:
        self._make = make
        self._made: list[str] = []

    def first(self, units: int) -> list[str]:
        made = self._made
        if len(made) < units:
            made.extend(map(self._make, range(len(made), units)))
        return made[:units]

    def __len__(self) -> int:
        return len(self._made)

    def __getitem__(self, i):  # type: ignore[no-untyped-def]
        return self._made[i]


def fit(
    *,
    pieces: Sequence[Piece],
    filler: Callable[[int], str],
    pad: Callable[[int], str] | None = None,
    pad_depth: float = 0.5,
    join: str = "",
    head: str = "",
    tail: str = "",
    target: int,
    count: Counter,
    what: str,
    max_units: int | None = None,
) -> FittedText:
    """Weave pieces and as many filler units as make `target` tokens under `count`.

    `filler(i)` is unit i, whatever their number; it is asked for in order, once each. `pad(steps)`
    is a harmless piece of about `steps` tokens ("" for 0) put at `pad_depth`. `max_units`: the
    source of filler has no more. `what` names the session in errors. Raises TooSmall, TooLarge (see
    solve_length).
    """
    units = Units(filler)

    def render(n: int, padding: int = 0) -> Rendered:
        extra = [Piece(pad(padding), pad_depth)] if pad and padding else []
        return weave([*pieces, *extra], units.first(n), join=join, head=head, tail=tail)

    return solve_length(
        render,
        target=target,
        count=count,
        what=what,
        padded=render if pad else None,
        max_units=max_units,
    )


# --- length ---------------------------------------------------------------------------------------


def solve_length(
    render: Callable[[int], Rendered],
    *,
    target: int,
    count: Counter,
    what: str,
    padded: Callable[[int, int], Rendered] | None = None,
    max_units: int | None = None,
) -> FittedText:
    """The rendering whose count is within tolerance(target) of `target`, found with at most
    MOST_COUNTS counts of whole texts.

    `render(units)`, and `padded(units, steps)` which is render(units) grown by about one token a
    step, must not shrink as they grow. Raises TooSmall when no filler at all is already too long,
    TooLarge when `max_units` are too short, BadConfig when one unit is coarser than the tolerance
    and there is no pad slot.
    """
    return _Search(render, padded, target, count, what, max_units).run()


class _Search:
    """Secant steps inside a bracket: `low` units are not too long, `high` units are."""

    def __init__(
        self,
        render: Callable[[int], Rendered],
        padded: Callable[[int, int], Rendered] | None,
        target: int,
        count: Counter,
        what: str,
        max_units: int | None,
    ) -> None:
        self.render, self.padded, self.target, self.count, self.what = (
            render,
            padded,
            target,
            count,
            what,
        )
        self.max_units = max_units
        self.counts = 0
        self.best: FittedText | None = None

    def run(self) -> FittedText:
        low = self._try(0, 0)
        if low.counted > self.target + tolerance(self.target):
            raise TooSmall(
                f"{self.what}: {self.target:,} tokens ({self.count.name}) are too few; its turns "
                f"alone need {low.counted:,}. Ask for at least {low.counted:,}, or for fewer turns",
                minimum=low.counted,
            )
        if low.counted < self.target:
            low = self._units(low)
            if self.padded and not self._is_close():
                self._close(low)
        best = self.best
        assert best is not None
        if not self._is_met():
            raise BadConfig(
                f"{self.what}: no context of {self.target:,} tokens ({self.count.name}) within 2 % "
                f"exists; the nearest has {best.counted:,}. Ask for that length, or for a longer "
                f"one"
            )
        return best

    def _try(self, units: int, padding: int) -> FittedText:
        drawn = self.padded(units, padding) if padding and self.padded else self.render(units)
        self.counts += 1
        tried = FittedText(drawn.context, drawn.spans, self.count(drawn.context), units, padding)
        if self.best is None or abs(tried.counted - self.target) < abs(
            self.best.counted - self.target
        ):
            self.best = tried
        return tried

    def _is_met(self) -> bool:
        return self.best is not None and abs(self.best.counted - self.target) <= tolerance(
            self.target
        )

    def _is_close(self) -> bool:
        return self.best is not None and abs(self.best.counted - self.target) <= max(
            1, self.target // 2000
        )

    def _units(self, low: FittedText) -> FittedText:
        """The longest rendering found that is not too long; leaves a few counts for the pad
        slot.
        """
        most = self.max_units if self.max_units is not None else 1 << 40
        sample = min(SAMPLE_UNITS, most)
        if not sample:
            return self._dry(low)
        grown = self.count(self.render(sample).context) - low.counted
        if not grown:
            raise BadConfig(
                f"{self.what}: {self.count.name} counts no tokens in {sample} units of filler; "
                f"count with a model's tokenizer, or bytes"
            )
        per_unit = max(grown / sample, 1e-6)
        high: FittedText | None = None
        limit = MOST_COUNTS - 4 if self.padded else MOST_COUNTS
        while self.counts < limit and not self._is_close():
            lowest, highest = low.units + 1, high.units - 1 if high else most
            if lowest > highest:
                break
            short = (self.target - low.counted) / per_unit
            guess = int(short) if self.padded else round(short)
            if self.padded and guess < 1:
                break  # the rest is less than a unit
            tried = self._try(min(max(low.units + guess, lowest), highest), 0)
            per_unit = max((tried.counted - low.counted) / (tried.units - low.units), 1e-6)
            low, high = (tried, high) if tried.counted <= self.target else (low, tried)
        return self._dry(low) if low.units == most else low

    def _dry(self, low: FittedText) -> FittedText:
        if low.counted < self.target - tolerance(self.target) and not (
            self.padded and self.max_units == 0
        ):
            raise TooLarge(
                f"{self.what}: {self.target:,} tokens ({self.count.name}) are too many; its source "
                f"fills {low.counted:,}. Ask for {low.counted:,} or less",
                maximum=low.counted,
            )
        return low

    def _close(self, base: FittedText) -> None:
        """Close the rest by the pad slot; where even its first step is too much, give up some units
        for it.
        """
        self._pad(base)
        for back in (1, 3):
            if not self._is_met() and base.units >= back and self.counts < MOST_COUNTS - 1:
                self._pad(self._try(base.units - back, 0))

    def _pad(self, base: FittedText) -> None:
        """Grow the pad slot, one token a step at first guess."""
        low, high, per_step = base, None, 1.0
        while self.counts < MOST_COUNTS and not self._is_close():
            lowest, highest = low.padding + 1, high.padding - 1 if high else 1 << 40
            if lowest > highest:
                break
            guess = max(round((self.target - low.counted) / per_step), 1)
            tried = self._try(base.units, min(max(low.padding + guess, lowest), highest))
            if tried.counted <= low.counted and high is None:
                per_step /= 2  # the slot did not grow the count: reach further
                low = replace(low, padding=tried.padding)
                continue
            per_step = max((tried.counted - low.counted) / (tried.padding - low.padding), 1e-6)
            low, high = (tried, high) if tried.counted <= self.target else (low, tried)


# --- seal -----------------------------------------------------------------------------------------


def sealed(
    *,
    task: str,
    context: str,
    turns: Sequence[Turn],
    counted: int,
    counter: str,
    recipe: Mapping[str, object],
) -> Session:
    """The session with its digest: SHA-256 of the canonical JSON (sorted keys, no blanks, UTF-8) of
    everything in it.
    """
    session = Session(
        task=task,
        context=context,
        turns=tuple(turns),
        counted=counted,
        counter=counter,
        recipe=dict(recipe),
        digest="",
    )
    return replace(session, digest=digest_of(session))


def digest_of(session: Session) -> str:
    """What `session.digest` must be."""
    named = asdict(session)
    del named["digest"]
    for turn in named["turns"]:  # what most sessions have not is no part of their digest
        for name, absent in (("material", ""), ("after", None)):
            if turn[name] == absent:
                del turn[name]
    text = json.dumps(named, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
