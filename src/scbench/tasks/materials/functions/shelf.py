"""Functions in a row: the asked ones at planned depths, others between them so that the whole is as
long as wanted.

Functions are long and of all lengths, so depths are kept in characters, not in numbers of
functions: each gap between two asked functions is filled in seeded order until the next one is too
long, and then with the one that fits best.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import cached_property

from scbench.errors import TooLarge
from scbench.tasks.build import FittedText, Piece, Rendered, solve_length, spans_of
from scbench.tasks.contract import Counter

JOIN = "\n\n\n"  # two blank lines
UNIT_CHARS = 32  # of filler: what the search for the length counts in
_SAMPLE = 32  # functions on which tokens per character are estimated
_EDGE = 0.03  # of a part of the text: kept free at either end


class FunctionShelf:
    """`asked` have strictly different depths, one in each of len(asked) equal parts; `others` are
    taken from the front.
    """

    def __init__(self, asked: Sequence[Piece], others: Sequence[str]) -> None:
        self.asked, self.others = asked, others
        self._room = [len(text) + len(JOIN) for text in others]

    @cached_property
    def _by_room(self) -> list[tuple[int, int]]:
        return sorted((room, i) for i, room in enumerate(self._room))

    @property
    def most_units(self) -> int:
        """Units that ask for all other functions."""
        return -(-sum(self._room) // UNIT_CHARS)

    def order(self, units: int) -> list[int]:
        """What stands on the shelf when `units` of filler are wanted: i >= 0 is others[i], -1 - k
        is asked[k].
        """
        left = _Left(self._room, self._by_room)
        chars = units * UNIT_CHARS + sum(len(piece.text) + len(JOIN) for piece in self.asked)
        row: list[int] = []
        at = 0
        for start, k in self._starts(chars):
            at += left.fill(start - at, row)
            row.append(-1 - k)
            at += len(self.asked[k].text) + len(JOIN)
        left.fill(chars - at, row)
        return row

    def pieces(self, units: int) -> list[Piece]:
        return [
            self.asked[-1 - i] if i < 0 else Piece(self.others[i], 0.0) for i in self.order(units)
        ]

    def _starts(self, chars: int) -> list[tuple[float, int]]:
        """(first character, k) of each asked piece in the order of the text: its centre at its
        depth, but not over another or an end.

        Pushed forward past the one before it, then back before the one after it; while pieces are
        shorter than the parts the text is cut into, each stays in its own part.
        """
        by_depth = sorted(range(len(self.asked)), key=lambda k: self.asked[k].depth)
        rooms = [len(self.asked[k].text) + len(JOIN) for k in by_depth]
        starts: list[float] = []
        end = 0.0
        for k, room in zip(by_depth, rooms, strict=True):
            starts.append(max(self._centre(self.asked[k].depth) * chars - room / 2, end))
            end = starts[-1] + room
        limit = float(chars)
        for i in range(len(starts) - 1, -1, -1):
            starts[i] = min(starts[i], limit - rooms[i])
            limit = starts[i]
        return list(zip(starts, by_depth, strict=True))

    def _centre(self, depth: float) -> float:
        """The depth kept off the borders of its part, which the granularity of functions could push
        it over.
        """
        part = int(depth * len(self.asked))
        inside = depth * len(self.asked) - part
        return (part + min(max(inside, _EDGE), 1 - _EDGE)) / len(self.asked)


class _Left:
    """The functions not yet on the shelf."""

    def __init__(self, room: Sequence[int], by_room: Sequence[tuple[int, int]]) -> None:
        self._room, self._by_room = room, by_room
        self._used = bytearray(len(room))
        self._next = 0

    def fill(self, gap: float, row: list[int]) -> int:
        """Append functions of at most `gap` characters in all to the row; how many they have."""
        filled = 0
        while (found := self._take(gap - filled)) is not None:
            row.append(found)
            filled += self._room[found]
        return filled

    def _take(self, gap: float) -> int | None:
        while self._next < len(self._used) and self._used[self._next]:
            self._next += 1
        if self._next == len(self._used):
            return None
        found = self._next if self._room[self._next] <= gap else self._best(gap)
        if found is not None:
            self._used[found] = 1
        return found

    def _best(self, gap: float) -> int | None:
        """The longest that fits."""
        at = bisect_right(self._by_room, (int(gap), len(self._room))) - 1 if gap >= 0 else -1
        while at >= 0 and self._used[self._by_room[at][1]]:
            at -= 1
        return self._by_room[at][1] if at >= 0 else None


def between(pieces: Sequence[Piece], extra: Sequence[Piece], *, parts: int = 1) -> list[Piece]:
    """The row with each extra piece at the border between two pieces that is nearest to its depth.

    Where it can be, the border lies in the same one of `parts` equal parts of the text as the
    depth.
    """
    borders = [0]
    for piece in pieces:
        borders.append(borders[-1] + len(piece.text) + len(JOIN))
    chosen: dict[int, list[Piece]] = {}
    for piece in sorted(extra, key=lambda p: p.depth):
        chosen.setdefault(_nearest(borders, piece.depth, parts), []).append(piece)
    row: list[Piece] = []
    for i in range(len(borders)):
        row += chosen.get(i, ())
        row += pieces[i : i + 1]
    return row


def _nearest(borders: Sequence[int], depth: float, parts: int) -> int:
    whole, part = borders[-1], int(depth * parts)
    right = min(bisect_right(borders, depth * whole), len(borders) - 1)
    near = (max(right - 1, 0), right)
    low, high = (part + _EDGE) / parts * whole, (part + 1 - _EDGE) / parts * whole
    inside = [i for i in near if low <= borders[i] <= high]
    return min(inside or near, key=lambda i: abs(borders[i] - depth * whole))


def rendered(pieces: Sequence[Piece], *, join: str = JOIN) -> Rendered:
    starts: list[tuple[int, Piece]] = []
    at = 0
    for piece in pieces:
        if piece.marks:
            starts.append((at, piece))
        at += len(piece.text) + len(join)
    return Rendered(join.join(piece.text for piece in pieces) + "\n", spans_of(starts))


def solved(
    shelf: FunctionShelf, render: Callable[..., Rendered], *, target: int, count: Counter, what: str
) -> FittedText:
    """`render(units, padding)` at the wanted length (see solve_length).

    A few more units may leave the text as it is, where no function fits; a secant through two such
    lengths would reach for the whole library and count it. So the search first stays below half as
    much again as should be needed.
    """
    sample = JOIN.join(shelf.others[:_SAMPLE])
    likely = int(1.5 * target * len(sample) / max(count(sample), 1) / UNIT_CHARS) + 64
    try:
        return solve_length(
            render,
            target=target,
            count=count,
            what=what,
            padded=render,
            max_units=min(likely, shelf.most_units),
        )
    except TooLarge:
        if likely >= shelf.most_units:
            raise
        return solve_length(
            render, target=target, count=count, what=what, padded=render, max_units=shelf.most_units
        )
