"""What a small classifier sees of a word: its letters as hashed n-grams, its shape, how rare it is
in the text, and the sentence it stands in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import log2
from zlib import crc32

SENTENCE_ENDS = (".", "!", "?", "。", "！", "？", "\n")
MARKS = ".,;:!?\"'()[]"
BUCKETS = 1024  # of hashed n-grams
LONGEST_GRAMS = 24  # n-grams looked at in one word
FEATURES = 24


@dataclass(frozen=True, slots=True)
class Counts:
    """How often the forms of a text, and their neighbourhoods, occur in it."""

    forms: Counter[str]
    pairs: Counter[tuple[str, str]]
    total: int

    @classmethod
    def of(cls, words: Sequence[str]) -> Counts:
        forms = [form_of(word) for word in words]
        return cls(Counter(forms), Counter(pairwise(forms)), max(len(forms), 1))

    def rarity(self, form: str) -> float:
        """Self-information in units of 16 bits."""
        return -log2(max(self.forms[form], 1) / self.total) / 16

    def novelty(self, left: str, right: str) -> float:
        """1 where two words stand together once, falling towards 0 as they do so often."""
        return 1 / max(self.pairs[left, right], 1)


@lru_cache(maxsize=1 << 16)
def form_of(word: str) -> str:
    return word.strip(MARKS).casefold() or word


@lru_cache(maxsize=1 << 16)
def grams_of(word: str) -> tuple[int, ...]:
    """Buckets of the word's trigrams and of the whole; digits are alike."""
    plain = "^" + "".join("0" if sign.isdigit() else sign for sign in form_of(word)) + "$"
    grams = [plain, *(plain[at : at + 3] for at in range(min(len(plain) - 2, LONGEST_GRAMS)))]
    return tuple(sorted({crc32(gram.encode("utf-8", "surrogatepass")) % BUCKETS for gram in grams}))


@lru_cache(maxsize=1 << 16)
def shape_of(word: str) -> tuple[float, ...]:
    """Twelve numbers in 0..1 that depend on the word alone."""
    chars = len(word)
    return (
        min(chars, 24) / 24,
        sum(map(str.isdigit, word)) / chars,
        sum(map(str.isupper, word)) / chars,
        float(word[0].isupper()),
        sum(not sign.isalnum() for sign in word) / chars,
        float(word.endswith(SENTENCE_ENDS)),
        float(word.endswith((",", ";", ":"))),
        float(word[0] in "\"'([{<"),
        float(word == "\n"),
        float(word == "?"),
        float(ord(word[0]) >= 0x3040),
        float(any(sign in "_=<>/\\{}()[]+*#@" for sign in word)),
    )


def features_of(words: Sequence[str], counts: Counts) -> list[tuple[float, ...]]:
    """FEATURES numbers per word of one chunk; counts of the whole text tell what is rare."""
    forms = [form_of(word) for word in words]
    rare = [counts.rarity(form) for form in forms]
    fresh = [counts.novelty(left, right) for left, right in pairwise(forms)]
    rows: list[tuple[float, ...]] = []
    for start, stop in sentences(words):
        inside = fresh[start : stop - 1]
        whole = (
            min(stop - start, 40) / 40,
            sum(rare[start:stop]) / (stop - start),
            max(rare[start:stop]),
            sum(inside) / len(inside) if inside else 0.0,
            sum(words[at][:1].isdigit() for at in range(start, stop)) / (stop - start),
        )
        for at in range(start, stop):
            count = counts.forms[forms[at]]
            own = (rare[at], float(count <= 1), float(count == 2))
            beside = (fresh[at - 1] if at else 0.0, fresh[at] if at < len(fresh) else 0.0)
            place = (min(at - start, 30) / 30, float(at == start))
            rows.append((*shape_of(words[at]), *own, *beside, *place, *whole))
    return rows


def sentences(words: Sequence[str]) -> list[tuple[int, int]]:
    """Half-open ranges that cover all words, each ending with a sentence, a line or the chunk."""
    ends = [at + 1 for at, word in enumerate(words) if word.endswith(SENTENCE_ENDS)]
    if words and (not ends or ends[-1] < len(words)):
        ends.append(len(words))
    return list(pairwise([0, *ends]))
