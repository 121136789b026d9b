"""Which stages cannot be joined, and why: data, read by `Method`, `scbench list` and the docs.

A stage is known here by its *words*: its kind, and what its traits answer. A pair of stages is
refused where a row of the table names a word of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from types import MappingProxyType
from typing import TYPE_CHECKING

from scbench.methods.card import OBSERVED

if TYPE_CHECKING:
    from scbench.methods.contract import Stage


@dataclass(frozen=True, slots=True)
class Refused:
    """A pair that makes no sense: a word of one stage, a word of another, and the reason, with the
    two stages in the places of {a} and {b}.

    >>> Refused("codec", "selection", "{b} reads keys, and {a} stores codes").told("kivi", "quest")
    'quest reads keys, and kivi stores codes'
    """

    a: str
    b: str
    why: str

    def told(self, a: object, b: object, needs: str = "") -> str:
        return self.why.format(a=a, b=b, needs=needs)


# What each word means. The first six are kinds: of the stages that a method is spelled by, each has
# exactly one.
WORDS: Mapping[str, str] = MappingProxyType(
    {
        "generation": "says how the context is read",
        "eviction": "keeps some slots",
        "codec": "writes slots down in fewer bits",
        "retrieval": "says which stored cache serves a request",
        "selection": "chooses what a step reads",
        "tier": "says where keys and values live",
        "sparse reading": "a generation that reads sparsely, and rewrites nothing",
        "governing reading": "a generation that also says what is read after the context",
        "reading of its own": "an eviction that says how the context is read",
        "rolling eviction": "an eviction that goes on while tokens are appended",
        "cache of its own": "an eviction that holds something else than K and V per KV head",
        "uneven heads": "an eviction that leaves KV heads with different numbers of slots",
        "pooled": "a retrieval whose requests go through a pool",
        "blended": "a retrieval that puts the context together from stored chunks",
        "closed book": "a generation that leaves nothing of the context",
        "watching": "a stage that must have observed queries or attention of the whole context",
    }
)
KINDS = tuple(WORDS)[:6]
OF_THE_MODEL = frozenset({"rotation"})  # needs that nothing is observed for
# What may stand where a refusal names what a stage must have observed.
ANY_NEED = " / ".join(words for need, words in OBSERVED.items() if need not in OF_THE_MODEL)

_PLAIN = "{a} keeps a cache of its own kind, and {b} needs plain stores; leave one of them out"
_ROLLING = (
    "{a} goes on evicting while tokens are appended, in a cache of its own kind, and {b} needs "
    "plain stores; take rolling=no, or leave one of them out"
)
_UNEVEN = (
    "{a} leaves KV heads with different numbers of slots, and {b} needs plain stores with as many "
    "in each; take an eviction with one budget for every head, such as snapkv"
)
_GOVERNING = (
    "{a} says what is read after the context, too, and goes on from its own read of it; leave {b} "
    "out, or let it read the context alone"
)

_CLOSED = "{a} shows nothing of the context, so {b} has nothing to act on; leave one of them out"

# The first row that fits says why.
TABLE: tuple[Refused, ...] = (
    *(Refused("closed book", kind, _CLOSED) for kind in KINDS[1:]),
    Refused(
        "reading of its own",
        "generation",
        "{a} reads the context in its own way, and {b} in another; choose one of them",
    ),
    Refused("rolling eviction", "codec", _ROLLING),
    Refused("rolling eviction", "selection", _ROLLING),
    Refused("rolling eviction", "tier", _ROLLING),
    Refused("cache of its own", "codec", _PLAIN),
    Refused("cache of its own", "selection", _PLAIN),
    Refused("cache of its own", "tier", _PLAIN),
    Refused("uneven heads", "selection", _UNEVEN),
    Refused("uneven heads", "tier", _UNEVEN),
    Refused(
        "codec",
        "selection",
        "{b} reads full-precision keys, and {a} stores codes; choose one of them",
    ),
    Refused(
        "codec",
        "tier",
        "{b} moves full-precision keys and values, and {a} stores codes; choose one of them",
    ),
    Refused("governing reading", "eviction", _GOVERNING),
    Refused("governing reading", "codec", _GOVERNING),
    Refused("governing reading", "selection", _GOVERNING),
    Refused("governing reading", "tier", _GOVERNING),
    Refused("governing reading", "pooled", _GOVERNING),
    Refused(
        "sparse reading",
        "blended",
        "{b} computes its tokens densely, over chunks read densely; leave {a} out",
    ),
    Refused(
        "watching",
        "blended",
        "{b} computes only some queries of the context, and {a} must have observed them all "
        "({needs}); take one that asks for K and V alone, such as knorm, keydiff, streaming-llm, "
        "kivi or quest",
    ),
)


def markdown() -> str:
    """docs/pairs.md."""
    lines = [
        "# What cannot be joined",
        "",
        "Made by `scbench list pairs --markdown` of the table in `src/scbench/methods/pairs.py`; a",
        "test fails when it is stale. Everything else goes together: one generation, one eviction,",
        "one codec, one retrieval, one selection and one tier.",
        "",
        "| a stage that is | and one that is | why not |",
        "|---|---|---|",
        *(f"| {row.a} | {row.b} | {row.told('*a*', '*b*', ANY_NEED)} |" for row in TABLE),
        "",
        "| word | a stage that |",
        "|---|---|",
        *(f"| {word} | {meaning} |" for word, meaning in WORDS.items()),
    ]
    return "\n".join(lines) + "\n"


def words_of(stage: Stage) -> frozenset[str]:
    """The words that hold for a stage under its parameters."""
    return frozenset(word for word, holds in _HOLDS.items() if holds(stage))


def refusal(stages: Sequence[Stage]) -> str | None:
    """Why the stages of a method cannot be joined; None where they can.

    `stages` are those it is spelled by. There may be one of each kind.
    """
    words = [(stage, words_of(stage)) for stage in stages]
    for kind in KINDS:
        found = [str(stage) for stage, its in words if kind in its]
        if len(found) > 1:
            several = kind + "s" * (kind in ("eviction", "codec", "selection", "tier"))
            return f"{' and '.join(found)} are two {several}; a method has at most one"
    for row, one, other in _matches(words):
        needs = ", ".join(sorted(one.needs - OF_THE_MODEL))
        return row.told(one, other, needs)
    return None


def _matches(
    words: Sequence[tuple[Stage, frozenset[str]]],
) -> Iterator[tuple[Refused, Stage, Stage]]:
    """Rows that fit, in the order of the table, with the two stages."""
    for row in TABLE:
        for (one, its), (other, others) in permutations(words, 2):
            if row.a in its and row.b in others:
                yield row, one, other


_HOLDS: Mapping[str, Callable[[Stage], bool]] = MappingProxyType(
    {
        "generation": lambda stage: stage.role == "generation",
        "eviction": lambda stage: stage.role == "eviction",
        "codec": lambda stage: stage.role == "codec",
        "retrieval": lambda stage: stage.role == "retrieval",
        "selection": lambda stage: stage.role == "selection",
        "tier": lambda stage: stage.role == "tier",
        "sparse reading": lambda stage: (
            stage.role == "generation" and not stage.traits.is_rewriting
        ),
        "governing reading": lambda stage: stage.traits.governs_decoding,
        "reading of its own": lambda stage: getattr(stage, "reading", None) is not None,
        "rolling eviction": lambda stage: stage.traits.is_rolling,
        "cache of its own": lambda stage: stage.traits.has_own_cache,
        "uneven heads": lambda stage: stage.traits.has_uneven_heads,
        "pooled": lambda stage: stage.traits.is_pooled,
        "blended": lambda stage: stage.traits.is_blended,
        "closed book": lambda stage: stage.traits.leaves_nothing,
        "watching": lambda stage: bool(stage.needs - OF_THE_MODEL),
    }
)
assert _HOLDS.keys() == WORDS.keys(), "every word has a meaning and a test"
