"""A solved example of ICL.ManyShot, and what the three families have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Protocol

from scbench.tasks.draw import Draw


@dataclass(frozen=True, slots=True)
class Shot:
    """`kind` is the class the right option stands for, where options stand for classes; else 0."""

    question: str
    options: tuple[str, ...]
    right: int
    kind: int = 0

    @property
    def letter(self) -> str:
        return ascii_uppercase[self.right]

    @property
    def ask(self) -> str:
        """Up to "Answer:", which a turn leaves open."""
        listed = "".join(
            [
                f"({letter}) {text}\n"
                for letter, text in zip(ascii_uppercase, self.options, strict=False)
            ]
        )
        return f"Question: {self.question}\nOptions:\n{listed}Answer:"


class Family(Protocol):
    """Makes examples of one kind. `shot` puts the right option at `right`; where options stand for
    classes the example is of class `kind`.
    """

    @property
    def name(self) -> str: ...
    @property
    def options(self) -> int: ...
    @property
    def kinds(self) -> int: ...  # classes the options stand for; 1 where they stand for none
    def shot(self, draw: Draw, *, right: int, kind: int) -> Shot: ...


def deal(draw: Draw, values: int) -> Iterator[int]:
    """0..values-1 in a seeded order, then again in another, without end: balanced, and no two alike
    in a row of `values`.
    """
    while True:
        order = list(range(values))
        draw.shuffle(order)
        yield from order


def placed(draw: Draw, right_text: str, others: Sequence[str], right: int) -> tuple[str, ...]:
    """The options, the others in seeded order, with the right one at `right`."""
    listed = list(others)
    draw.shuffle(listed)
    listed.insert(right, right_text)
    return tuple(listed)


_ONSETS, _VOWELS, _CODAS = (
    ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "t", "v", "z"),
    "aeiou",
    ("b", "k", "l", "m", "n", "p", "x"),
)


def invented(draw: Draw, names: int) -> list[str]:
    """Different made-up words of two syllables, none inside another (all have five letters)."""
    found: dict[str, None] = {}
    while len(found) < names:
        text = (
            draw.choice(_ONSETS)
            + draw.choice(_VOWELS)
            + draw.choice(_ONSETS)
            + draw.choice(_VOWELS)
            + draw.choice(_CODAS)
        )
        found[text] = None
    return list(found)
