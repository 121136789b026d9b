"""The statistics Math.Find asks for: what each means, how it is asked, and the plan of a session's
turns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from scbench.tasks.draw import Draw

ORDINALS = ("", "", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
MOST_K = len(ORDINALS) - 1
DEFAULT_KINDS = ("min", "max", "median", "kth_largest", "kth_smallest", "mode")
KINDS = (*DEFAULT_KINDS, "first_index", "count_of")
ABOUT = frozenset({"first_index", "count_of"})  # these name a number of the list
ORDERED = frozenset({"min", "max", "kth_largest", "kth_smallest"})
_WORDINGS = {
    "min": "smallest number",
    "max": "largest number",
    "median": "median of the numbers",
    "mode": "most frequent number",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One statistic. `k` counts distinct values for the k-th kinds, and is the number asked about
    for first_index and count_of.
    """

    kind: str
    k: int = 0

    @property
    def is_ordered(self) -> bool:
        """Whether one value at one place of the list decides it."""
        return self.kind in ORDERED

    @property
    def rank(self) -> int:
        """Which distinct value it is, counted from 0 at the small end or from -1 at the
        large end.
        """
        return {"min": 0, "max": -1, "kth_smallest": self.k - 1, "kth_largest": -self.k}[self.kind]

    def wording(self) -> str:
        """Fits "The ... in the list above is", from which the published prompts make "What is the
        ... in the list above?".
        """
        if self.kind == "first_index":
            return f"position, counting from one, of the first {self.k}"
        if self.kind == "count_of":
            return f"number of times that {self.k} occurs"
        if self.kind.startswith("kth"):
            return f"{ORDINALS[self.k]} {self.kind.removeprefix('kth_')} distinct number"
        return _WORDINGS[self.kind]


def ask(figure: Figure) -> str:
    """The question. The k of a k-th value is spelt out, so that no number of the question can be
    taken for an answer.
    """
    return f"Answer with one number only. The {figure.wording()} in the list above is"


def solve(figure: Figure, numbers: Sequence[int]) -> int:
    """The answer by definition. k-th counts distinct values; median is the middle of the sorted
    list with repeats, of odd length.
    """
    if figure.is_ordered:
        return sorted(set(numbers))[figure.rank]
    if figure.kind == "median":
        return sorted(numbers)[len(numbers) // 2]
    if figure.kind == "mode":
        return Counter(numbers).most_common(1)[0][0]
    return (
        numbers.index(figure.k) + 1
        if figure.kind == "first_index"
        else list(numbers).count(figure.k)
    )


def plan(draw: Draw, turns: int, kinds: Sequence[str]) -> list[Figure]:
    """The figures of a session: kinds take turns in a seeded order, and none comes again before all
    have come.

    first_index and count_of are left without a number, which only the finished list can give; they
    may come any number of times.
    """
    order = list(kinds)
    draw.shuffle(order)
    found: list[Figure] = []
    left: dict[str, list[int]] = {}
    while len(found) < turns:
        if not any(left.values()):
            left = {kind: _ks(kind, draw) for kind in order}
        for kind in order:
            if left[kind] and len(found) < turns:
                found.append(Figure(kind, left[kind].pop()))
    return found


def _ks(kind: str, draw: Draw) -> list[int]:
    ks = list(range(2, MOST_K + 1)) if kind.startswith("kth") else [0]
    draw.shuffle(ks)
    return ks
