"""The reads of a text that somebody brought: made once for all methods that can share one."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from scbench.console import tell
from scbench.engines.contract import Engine
from scbench.engines.observe import (
    COLUMN_SUMS,
    HEAD_GATES,
    QUERY_MOMENTS,
    REPEAT_SCORES,
    ROTATION,
    WINDOW,
)
from scbench.methods.contract import is_default
from scbench.methods.method import Method
from scbench.play.reads import Reads
from scbench.types import CompressAfter

SIGHTS = {  # what a read may have to look at, in words
    WINDOW: "the last queries",
    COLUMN_SUMS: "the attention that every token gets",
    QUERY_MOMENTS: "mean and spread of all queries",
    REPEAT_SCORES: "the model repeat it",
    HEAD_GATES: "which heads look far back",
    ROTATION: "how the model turns keys",
}


@dataclass(slots=True)
class TextReads:
    """How often a text was read, and why again. What is `expected` is looked at by every read."""

    engine: Engine
    is_quiet: bool = False  # a second read is not told when it happens
    times: int = 0
    tokens: int = 0  # of all reads together
    whys: list[str] = field(default_factory=list)  # of every read after the first
    expected: frozenset[str] = frozenset()
    _reads: list[Reads] = field(default_factory=list)

    def of(self, method: Method, after: CompressAfter) -> Reads:
        """The reads whose observations a method can live with, or new ones."""
        for reads in self._reads:
            if method.needs <= reads.needs:
                reads.on_read = partial(self._count, method, after, frozenset())
                return reads
        observed = frozenset[str]().union(*(reads.needs for reads in self._reads))
        reads = Reads(self.engine, None)
        reads.on_read = partial(self._count, method, after, method.needs - observed)
        reads.needs = method.needs | self.expected
        self._reads.append(reads)
        return reads

    def _count(
        self, method: Method, after: CompressAfter, unseen: frozenset[str], tokens: int
    ) -> None:
        self.times += 1
        self.tokens += tokens
        if self.times == 1:
            return
        self.whys.append(_why_again(method, after, unseen))
        if not self.is_quiet:
            tell(f"{tokens:,} tokens, because {self.whys[-1]}", label="read again")


def _why_again(method: Method, after: CompressAfter, unseen: frozenset[str]) -> str:
    """Why a text that has been read is read once more."""
    generation = method.generation
    if generation.traits.is_rewriting:
        return f"{generation} leaves words of it out"
    if after is CompressAfter.FIRST_QUERY and not generation.traits.is_prefix_stable:
        return f"{generation} must see text and question together"
    if unseen:
        return (
            f"{method} must see {' and '.join(SIGHTS.get(need, need) for need in sorted(unseen))}"
        )
    if not is_default(generation):
        return f"{generation} must see it by a pattern of its own"
    return f"{method} must see all of it, read densely"
