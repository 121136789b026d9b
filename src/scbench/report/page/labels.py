"""Where names stand beside the points of a picture: none on another, none on a point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import hypot

LETTER = 0.57  # width of a sign, of the height of the type
STRIDE = 9.0  # pixels between two boxes on a line
STEPS = 24  # lines up or down that a name may be moved, with a line back to its point


@dataclass(frozen=True, slots=True)
class Box:
    left: float
    top: float
    right: float
    bottom: float

    def is_in(self, other: Box) -> bool:
        return (
            self.left >= other.left
            and self.top >= other.top
            and self.right <= other.right
            and self.bottom <= other.bottom
        )

    def meets(self, other: Box) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


@dataclass(frozen=True, slots=True)
class NamePlace:
    """A name: its anchor in pixels from the upper left, and the side that is anchored."""

    x: float
    y: float
    align: str  # left, right


def placed(
    points: Sequence[tuple[float, float, str]],
    width: float,
    height: float,
    size: float,
    line: Sequence[tuple[float, float]] = (),
) -> list[NamePlace | None]:
    """A place for each (x, y, name), the first ones first; None where there is no room.

    Beside the point if that is free, else a line or more above or below; `line` is drawn through
    these points, and no name lies on it. Where names are left over all are set on common lines,
    between which no room is lost.

    >>> placed([(10, 50, "ab"), (10, 50, "cd")], 100, 100, 10)
    [NamePlace(x=18.0, y=50.0, align='left'), NamePlace(x=18.0, y=39.0, align='left')]
    """
    frame = Box(0.0, -size, width, height)
    loose = _set(points, frame, size, line, on_lines=False)
    if None not in loose:
        return loose
    tight = _set(points, frame, size, line, on_lines=True)
    return min(loose, tight, key=lambda found: found.count(None))


def _set(
    points: Sequence[tuple[float, float, str]],
    frame: Box,
    size: float,
    line: Sequence[tuple[float, float]],
    *,
    on_lines: bool,
) -> list[NamePlace | None]:
    dots = [Box(x - 5, y - 5, x + 5, y + 5) for x, y, _ in points]
    taken = _along(line)
    found: list[NamePlace | None] = []
    for place, (x, y, name) in enumerate(points):
        barred = [*taken, *(dot for at, dot in enumerate(dots) if at != place)]
        chosen = None
        for candidate, box in _candidates(x, y, name, size, on_lines=on_lines):
            if box.is_in(frame) and not any(box.meets(one) for one in barred):
                chosen = candidate
                taken.append(box)
                break
        found.append(chosen)
    return found


def _along(line: Sequence[tuple[float, float]]) -> list[Box]:
    """Small boxes on a line, so near to each other that no name fits between two."""
    found = []
    for (x, y), (x2, y2) in pairwise(line):
        steps = max(1, int(hypot(x2 - x, y2 - y) / STRIDE))
        for step in range(1, steps):
            part = step / steps
            at_x, at_y = x + part * (x2 - x), y + part * (y2 - y)
            found.append(Box(at_x - 2, at_y - 2, at_x + 2, at_y + 2))
    return found


def _candidates(
    x: float, y: float, name: str, size: float, *, on_lines: bool
) -> list[tuple[NamePlace, Box]]:
    """Places from the nearest to the farthest."""
    long = LETTER * size * len(name)
    line = 1.1 * size
    start = line * round(y / line) if on_lines else y
    shifts = [0.0]
    for step in range(1, STEPS + 1):
        shifts += [-step * line, step * line]
    found = []
    for far in (0.0, 9.0 * size) if on_lines else (0.0,):
        for shift in shifts:
            middle = start + shift
            gap = far + (8 if abs(middle - y) < 2 * line else 16)
            top = middle - size / 2
            right = Box(x + gap, top, x + gap + long, top + size)
            left = Box(x - gap - long, top, x - gap, top + size)
            found.append((NamePlace(x + gap, middle, "left"), right))
            found.append((NamePlace(x - gap, middle, "right"), left))
    return found
