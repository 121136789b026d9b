"""What a session of functions asks for, and what else may stand in it; independent of the session's
length.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from scbench.errors import BadConfig
from scbench.tasks.build import Mark, Piece, strata
from scbench.tasks.contract import Counter, one_of, within
from scbench.tasks.draw import Draw
from scbench.tasks.materials.functions.describe import HINTS, described
from scbench.tasks.materials.functions.harvest import Library, Needle, library
from scbench.tasks.materials.functions.shelf import JOIN, FunctionShelf
from scbench.tasks.materials.functions.source import LINES, Function
from scbench.types import Role, Span, Turn, Wanted

_LINES, _COMPACT_LINES = (6, 40), (3, 8)
_COMPACT_CHARS = (
    300  # so that two functions and what parts them fit 256 tokens of a sub-word tokenizer
)
_MOST_ANSWER_TOKENS = 1024


@dataclass(frozen=True, slots=True)
class FunctionKnobs:
    lines: tuple[int, int] | None = (
        # of an asked function; None: 6 to 40, in compact sessions 3 to 8 and at most 300 characters
        None
    )
    # what a description tells besides the docstring's sense: none, structure, lexical
    hints: str = "structure"
    module_lines: bool = False  # a line "# module: textwrap" before each function
    roots: tuple[str, ...] = ()  # folders whose .py files are used too

    def checked(self, task: str) -> None:
        one_of(task, "hints", self.hints, HINTS)
        one_of(task, "module_lines", self.module_lines, (True, False))
        if isinstance(self.roots, str) or not all(isinstance(root, str) for root in self.roots):
            raise BadConfig(f"{task}: roots={self.roots!r} is not allowed; give a list of folders")
        if self.lines is not None:
            if isinstance(self.lines, str) or len(self.lines) != 2:
                raise BadConfig(
                    f"{task}: lines={self.lines!r} is not allowed; give the least and the most "
                    f"lines, such as (6, 40)"
                )
            for lines in self.lines:
                within(task, "lines", lines, LINES.start, LINES.stop - 1)


def library_of(knobs: FunctionKnobs) -> Library:
    return library(tuple(knobs.roots))


@dataclass(frozen=True, kw_only=True)
class FunctionsPlan:
    asked: tuple[Needle, ...]
    depths: tuple[float, ...]
    others: tuple[int, ...]  # indices into the library, in seeded order
    library: Library
    knobs: FunctionKnobs

    def function(self, turn: int) -> Function:
        return self.library.functions[self.asked[turn].index]

    @cached_property
    def shelf(self) -> FunctionShelf:
        """Its spans count the functions asked for."""
        asked = [self._asked_piece(k) for k in range(len(self.asked))]
        return FunctionShelf(
            asked,
            [
                self._head(self.library.functions[i]) + self.library.functions[i].source
                for i in self.others
            ],
        )

    def _head(self, function: Function) -> str:
        return f"# module: {function.module}\n" if self.knobs.module_lines else ""

    def _asked_piece(self, k: int) -> Piece:
        function = self.function(k)
        head = self._head(function)
        start, stop = len(head), len(head) + len(function.source)
        marks = tuple(Mark(start, stop, role, k) for role in (Role.SUPPORT, Role.ANSWER))
        return Piece(head + function.source, self.depths[k], marks)

    def candidates(self, order: Sequence[int]) -> dict[str, str]:
        """Every function of the context by name, as `Shelf.order` lists them; a name that occurs
        again is told by its path.
        """
        found = {self.function(k).name: self.function(k).source for k in range(len(self.asked))}
        for i in order:
            if i >= 0:
                function = self.library.functions[self.others[i]]
                name = function.name if function.name not in found else function.path
                while name in found:
                    name += "'"
                found[name] = function.source
        return found

    def turn(
        self,
        k: int,
        *,
        repo: str,
        candidates: Mapping[str, str],
        evidence: tuple[Span, ...],
        depth: float | None,
        count: Counter,
    ) -> Turn:
        function, needle = self.function(k), self.asked[k]
        description = described(function, self.knobs.hints, needle.rare)
        ask = f"Description: {description}\nRepeat the described function exactly, in a code block."
        gold = f"```python\n{function.source}\n```"
        wanted = Wanted(
            golds=(function.source,),
            generated=True,
            question=description,
            name=function.name,
            lang="python",
            repo=repo,
            candidates=candidates,
        )
        limit = min(max(64, math.ceil(1.5 * count(gold)) + 32), _MOST_ANSWER_TOKENS)
        return Turn(
            task="repoqa",
            ask=ask,
            gold=gold,
            wanted=wanted,
            max_new_tokens=limit,
            evidence=evidence,
            depth=depth,
        )


def plan_functions(
    task: str, draw: Draw, *, turns: int, knobs: FunctionKnobs, is_compact: bool
) -> FunctionsPlan:
    """Asked functions have different names and shapes and none is another's rival; their rivals,
    and what has the shape of one, stay out of the context.
    """
    books = library_of(knobs)
    able = askable(books, knobs, is_compact=is_compact)
    draw.child("plan").shuffle(able)
    asked: list[Needle] = []
    names, shapes = set[str](), set[str]()
    barred: set[int] = set()
    for needle in able:
        if len(asked) == turns:
            break
        name, looks = books.functions[needle.index].name.lower(), books.shapes[needle.index]
        if (
            name in names
            or looks in shapes
            or needle.index in barred
            or any(one.index in needle.rivals for one in asked)
        ):
            continue
        asked.append(needle)
        names.add(name)
        shapes.add(looks)
        barred.update(needle.rivals)
    if len(asked) < turns:
        raise BadConfig(
            f"{task}: {turns} turns ask for more functions than there are: {len(asked)} of the "
            "lines asked for; ask for fewer turns, widen lines, or add folders by roots"
        )
    out = barred | {needle.index for needle in asked}
    others = [i for i, looks in enumerate(books.shapes) if i not in out and looks not in shapes]
    draw.child("filler").shuffle(others)
    depths = tuple(strata(draw.child("place"), turns)) if turns else ()
    return FunctionsPlan(
        asked=tuple(asked), depths=depths, others=tuple(others), library=books, knobs=knobs
    )


def askable(books: Library, knobs: FunctionKnobs, *, is_compact: bool) -> list[Needle]:
    """The needles of the wanted size."""
    least, most = knobs.lines or (_COMPACT_LINES if is_compact else _LINES)
    chars = _COMPACT_CHARS if is_compact and knobs.lines is None else 1 << 30
    found = ((needle, books.functions[needle.index]) for needle in books.needles)
    return [
        needle
        for needle, function in found
        if least <= function.lines <= most and len(function.source) <= chars
    ]


def most_tokens(turns: int, knobs: FunctionKnobs, count: Counter) -> int:
    """Tokens of the longest `turns` compact functions: whatever is asked for, it is not longer."""
    books = library_of(knobs)
    able = askable(books, knobs, is_compact=True)
    counts = sorted(
        (count(books.functions[needle.index].source + JOIN) for needle in able), reverse=True
    )
    return sum(counts[:turns])
