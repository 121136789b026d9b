"""Which functions are too like a needle to stand beside it, found among all pairs without comparing
all pairs.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scbench.scoring import bleu
from scbench.tasks.materials.functions.describe import described, prose
from scbench.tasks.materials.functions.source import Function, words_of

MOST_BLEU = 0.6  # well below the scorer's threshold of 0.8
MOST_JACCARD = 0.6  # of the descriptions' word sets
WINDOW_WORDS = 6  # of a docstring; a context that still holds one gives the needle away
_RARE_WORD = re.compile(r"[A-Za-z]{4,}")


def rivals(functions: Sequence[Function], needles: Sequence[int]) -> dict[int, set[int]]:
    """For each needle the functions that must not stand beside it. A needle that is its own rival
    quotes its docstring and cannot be asked.
    """
    found: dict[int, set[int]] = {i: set() for i in needles}
    for part in (
        _alike_in_source(functions, needles),
        _alike_in_words(functions, needles),
        _quoting(functions, needles),
    ):
        for needle, other in part:
            found[needle].add(other)
    return found


@dataclass(frozen=True)
class _Source:
    grams: bleu.Grams
    fours: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, text: str) -> _Source:
        words = bleu.tokens(text)
        return cls(bleu.Grams(words), tuple(zip(*(words[i:] for i in range(4)), strict=False)))


def _alike_in_source(
    functions: Sequence[Function], needles: Sequence[int]
) -> Iterable[tuple[int, int]]:
    """Pairs with BLEU of 0.6 or more in either direction.

    BLEU is at most the fourth root of the 4-gram precision, as no other factor exceeds 1; so such a
    pair shares at least 0.6 ** 4 of the 4-grams of one side. (The smoothed precision of a pair
    without a common 4-gram is below that from 5 tokens on.)
    """
    sources = [_Source.of(function.source) for function in functions]
    holders: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for i, one in enumerate(sources):
        for gram in set(one.fours):
            holders[gram].append(i)
    least = MOST_BLEU**4
    for needle in needles:
        own = sources[needle].fours
        shared: Counter[int] = Counter()
        for gram in own:
            shared.update(holders[gram])
        del shared[needle]
        for other, hits in shared.items():
            if hits < least * len(own) and hits < least * len(sources[other].fours):
                continue
            if (
                _may_be_alike(sources[needle], sources[other])
                and _bleu(functions[needle], functions[other]) >= MOST_BLEU
            ):
                yield needle, other


def _may_be_alike(one: _Source, other: _Source) -> bool:
    """Whether the words in common allow it: no n-gram precision exceeds what the common words can
    fill.
    """
    common = sum((one.grams.single & other.grams.single).values())
    ours, theirs = len(one.grams.words), len(other.grams.words)
    return max(_most(common, ours, theirs), _most(common, theirs, ours)) >= MOST_BLEU


def _most(common: int, candidate: int, reference: int) -> float:
    brevity = 1.0 if candidate > reference else math.exp(1 - reference / candidate)
    product = math.prod(min(1.0, common / max(1, candidate - n + 1)) for n in (1, 2, 3, 4))
    return brevity * float(product**0.25) * (1 + 1e-9)


def _bleu(one: Function, other: Function) -> float:
    return max(bleu.similarity(one.source, other.source), bleu.similarity(other.source, one.source))


def _alike_in_words(
    functions: Sequence[Function], needles: Sequence[int]
) -> Iterable[tuple[int, int]]:
    """Pairs whose descriptions, with or without the shape, share 0.6 of their words."""
    told = [i for i, function in enumerate(functions) if prose(function)]
    for hints in ("none", "structure"):
        bags = {i: frozenset(words_of(described(functions[i], hints))) for i in told}
        yield from _near(bags, needles)


def _near(bags: dict[int, frozenset[str]], needles: Sequence[int]) -> Iterable[tuple[int, int]]:
    """Pairs of word sets of a Jaccard ratio of 0.6 or more: both hold one of the other's rarest two
    fifths of words.
    """
    spread = Counter(word for bag in bags.values() for word in bag)
    ranked = {i: sorted(bag, key=lambda word: (spread[word], word)) for i, bag in bags.items()}
    holders: dict[str, list[int]] = defaultdict(list)
    for i, words in ranked.items():
        for word in words[: _prefix(len(words))]:
            holders[word].append(i)
    for needle in needles:
        words = ranked[needle]
        for other in {i for word in words[: _prefix(len(words))] for i in holders[word]} - {needle}:
            common = len(bags[needle] & bags[other])
            if common >= MOST_JACCARD * (len(bags[needle]) + len(bags[other]) - common):
                yield needle, other


def _prefix(words: int) -> int:
    return words - math.ceil(MOST_JACCARD * words) + 1


def _quoting(functions: Sequence[Function], needles: Sequence[int]) -> Iterable[tuple[int, int]]:
    """Functions that hold six words of a needle's docstring in a row."""
    owners: dict[tuple[str, ...], set[int]] = defaultdict(set)
    for needle in needles:
        for window in _windows(functions[needle].doc):
            owners[window].add(needle)
    for other, function in enumerate(functions):
        for window in _windows(function.source):
            for needle in owners.get(window, ()):
                yield needle, other


def _windows(text: str) -> set[tuple[str, ...]]:
    words = words_of(text)
    return set(zip(*(words[i:] for i in range(WINDOW_WORDS)), strict=False))


def rare_words(functions: Sequence[Function], needles: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """For each needle the two words of its source, its name aside, that the fewest
    functions have.
    """
    bags = [set(map(str.lower, _RARE_WORD.findall(function.source))) for function in functions]
    spread = Counter(word for bag in bags for word in bag)
    rare: dict[int, tuple[str, ...]] = {}
    for i in needles:
        name = functions[i].name.lower()
        words = sorted(
            (word for word in bags[i] if name not in word and word not in name),
            key=lambda w: (spread[w], w),
        )
        rare[i] = tuple(words[:2])
    return rare
