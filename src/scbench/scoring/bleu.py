"""BLEU between two functions as RepoQA measures it, and the search for the most similar of many.

Equals NLTK's `sentence_bleu([reference], candidate,
smoothing_function=SmoothingFunction().method4)` with its default 4-gram weights; the arithmetic is
done in NLTK's order, so that a value on the 0.8 threshold falls on the same side.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

THRESHOLD = 0.8
_ORDERS = (1, 2, 3, 4)
_SMOOTH_K = 5


def tokens(text: str) -> tuple[str, ...]:
    """Parts between white space; an empty text is one empty token, as a split gives it."""
    return tuple(text.split()) or ("",)


@dataclass(frozen=True)
class Grams:
    """A tokenised text with its n-gram counts, each order counted when first asked for."""

    words: tuple[str, ...]

    @cached_property
    def counts(self) -> tuple[Counter[tuple[str, ...]], ...]:
        words = self.words
        return tuple(Counter(zip(*(words[i:] for i in range(n)), strict=False)) for n in _ORDERS)

    @cached_property
    def single(self) -> Counter[str]:
        return Counter(self.words)


@lru_cache(maxsize=4096)
def _reference(source: str) -> Grams:
    """Sources recur for every turn of a session and every method; a prediction does not, and is not
    kept.
    """
    return Grams(tokens(source))


def similarity(candidate: str, reference: str) -> float:
    """BLEU of `candidate` against the one `reference`."""
    return _bleu(Grams(tokens(candidate)), _reference(reference))


def most_similar(candidate: str, references: Sequence[str]) -> tuple[int | None, float]:
    """(index, similarity) of the reference most like the candidate; of equals the first; (None,
    0.0) if none has a word in common.

    References are tried by falling upper bound and the search stops below the best: the answer is
    that of trying all, in order.
    """
    grams = Grams(tokens(candidate))
    bounds = [
        (_bound(grams, _reference(reference)), index) for index, reference in enumerate(references)
    ]
    best, best_index = 0.0, None
    for bound, index in sorted(bounds, key=lambda pair: (-pair[0], pair[1])):
        if bound < best or bound == 0.0:
            break
        value = _bleu(grams, _reference(references[index]))
        if value > best or (value == best and best_index is not None and index < best_index):
            best, best_index = value, index
    return best_index, best


def _brevity(candidate_words: int, reference_words: int) -> float:
    return (
        1.0
        if candidate_words > reference_words
        else math.exp(1 - reference_words / candidate_words)
    )


def _bleu(candidate: Grams, reference: Grams) -> float:
    length = len(candidate.words)
    matches = [
        sum(min(n, theirs[gram]) for gram, n in ours.items())
        for ours, theirs in zip(candidate.counts, reference.counts, strict=True)
    ]
    if matches[0] == 0:
        return 0.0
    logs, misses = [], 0
    for n, hits in zip(_ORDERS, matches, strict=True):
        total = max(1, length - n + 1)
        precision = hits / total
        if hits == 0 and length > 1:
            misses += 1
            precision = 1 / (2**misses * _SMOOTH_K / math.log(length)) / total
        if precision > 0:
            logs.append(0.25 * math.log(precision))
    return _brevity(length, len(reference.words)) * math.exp(math.fsum(logs))


def _bound(candidate: Grams, reference: Grams) -> float:
    """At least `_bleu`: no order has more hits than there are common words, or than the reference
    has n-grams.

    An order without a hit is smoothed; the bound takes the larger of the two readings. Slack of
    1e-9 covers rounding.
    """
    length, other = len(candidate.words), len(reference.words)
    ours, theirs = candidate.single, reference.single
    small, large = (ours, theirs) if len(ours) < len(theirs) else (theirs, ours)
    common = sum(min(n, large[word]) for word, n in small.items())
    if common == 0:
        return 0.0
    product = 1.0
    for n in _ORDERS:
        total = max(1, length - n + 1)
        hits = min(common, total, max(0, other - n + 1))
        smoothed = math.log(length) / (2 * _SMOOTH_K) / total if length > 1 else 1.0
        product *= max(hits / total, smoothed)
    return float(_brevity(length, other) * product**0.25 * (1 + 1e-9))
