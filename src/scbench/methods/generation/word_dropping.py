"""Prompt compression by words: the model reads a shorter text, from which the words that say least
are gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import compress
from math import inf, isinf
from typing import ClassVar, Self

from scbench.errors import Mismatch
from scbench.kv import CacheShape
from scbench.methods.generation.shorter_text import ShorterText
from scbench.methods.generation.word_classifiers import WordClassifier
from scbench.methods.generation.word_features import MARKS, SENTENCE_ENDS
from scbench.methods.invariants import Invariants, Trial
from scbench.methods.traits import Knob

WORD = re.compile(
    r"\n|\?|[぀-ヿ㐀-鿿]|[^\s?぀-ヿ㐀-鿿]+"
)  # scripts without spaces: a character is a word
SMALLEST_SHARE, LEAST_TOKENS = Fraction(1, 10), 32


@dataclass(frozen=True, slots=True, kw_only=True)
class WordDropping(ShorterText):
    """Keep the share `tau` of the context's tokens (default 1/3), by words, chunk after chunk.

    In every chunk, cut at a sentence end where there is one, words above the percentile
    100 (1 - tau) + 1 of their scores stay, each word counting as often as it has pieces. What is
    forced stays and uses the share up first: newlines, question marks, words with a digit (off),
    and any of `force_words`, written "a|b|c" (a bar outside quotes is a sweep). What is left is
    read densely.

    The share is one of the judge's pieces, and words stay or go whole. In the model's own tokens it
    is near that in plain prose, and another where the words that stay are longer for the model
    than for the judge: tau=1/8 of a tiny key-value context, whose values the lab tokenizer spells
    digit by digit, is 12.4 % of the pieces and 24.2 % of the tokens (docs/methods.md).
    """

    tau: Fraction | None = None
    force_newlines: bool = True
    force_question_marks: bool = True
    force_digits: bool = False
    force_words: str = ""

    knob: ClassVar[Knob | None] = Knob(
        "tau", tuple(Fraction(percent, 100) for percent in range(10, 101))
    )  # it cuts at whole percents

    def __post_init__(self) -> None:
        if self.tau is not None and not SMALLEST_SHARE <= self.tau <= 1:
            raise Mismatch(
                f"{self.name}[tau={self.tau}]: the share of the text that is kept lies in "
                f"[{SMALLEST_SHARE}, 1]; use tau={SMALLEST_SHARE}"
            )

    @property
    def share(self) -> Fraction:
        return Fraction(1, 3) if self.tau is None else self.tau

    def lossless(self, tokens: int) -> Self:
        return replace(self, tau=Fraction(1))

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        """`tokens` are those left."""
        if tokens < LEAST_TOKENS:
            raise Mismatch(
                f"{self} leaves a prompt of {tokens} tokens; at least {LEAST_TOKENS} are needed: "
                "use a longer context or a larger tau"
            )

    def judge(self) -> WordClassifier:
        """Who scores the words."""
        raise NotImplementedError

    def kept_ranges(self, context: str) -> list[tuple[int, int]]:
        if self.share == 1:
            return [(0, len(context))]
        return self.kept_by(self.judge(), context)

    def kept_by(self, judge: WordClassifier, context: str) -> list[tuple[int, int]]:
        """Half-open ranges of the words that this judge leaves. Raises Mismatch where nothing would
        go.
        """
        found = [match.span() for match in WORD.finditer(context)]
        words = [context[start:stop] for start, stop in found]
        pieces = judge.pieces(words)
        informed = judge.having_read(words)
        stays: list[bool] = []
        for start, stop in chunks(words, pieces, judge.chunk_pieces):
            stays += self._chunk(informed, words[start:stop], pieces[start:stop])
        if all(stays):
            raise self._dropped_nothing(len(words))
        starts = [0, *(stop for _, stop in found[:-1])]  # a word takes the blanks before it along
        return [
            (start, stop)
            for start, (_, stop), stay in zip(starts, found, stays, strict=True)
            if stay
        ]

    def _dropped_nothing(self, words: int) -> Mismatch:
        return Mismatch(
            f"{self} would drop nothing of this context of {words:,} words, most of them forced; "
            "force less or use a smaller tau"
        )

    def _forced_tokens(self) -> list[str]:
        marks = [
            mark
            for mark, must in (("\n", self.force_newlines), ("?", self.force_question_marks))
            if must
        ]
        return [*marks, *filter(None, self.force_words.split("|"))]

    def _forced(self, words: Sequence[str]) -> list[bool]:
        """A forced word also stays with marks around it; a digit anywhere in a word keeps it."""
        forced = set(self._forced_tokens())
        return [
            word in forced
            or word.strip(MARKS) in forced
            or (self.force_digits and any(map(str.isdigit, word)))
            for word in words
        ]

    def _chunk(
        self, judge: WordClassifier, words: Sequence[str], pieces: Sequence[int]
    ) -> list[bool]:
        scores, forced = judge.keep(words), self._forced(words)
        ranked = [
            inf if must else score for must, score in zip(forced, scores, strict=True)
        ]  # what is forced uses the share up first
        counted = [score for score, count in zip(ranked, pieces, strict=True) for _ in range(count)]
        limit = percentile(counted, int(100 * (1 - self.share) + 1)) if counted else 0.0
        return [must or score > limit for must, score in zip(forced, scores, strict=True)]

    def invariants(self) -> Invariants:
        return {
            "what stays are whole words, in their order": self._keeps_words,
            "no more than the share stays": self._keeps_its_share,
            "words that are forced stay": self._keeps_forced,
            "the words that say most stay": self._keeps_the_best,
        }

    def _words(self, text: str) -> tuple[list[str], list[bool]]:
        """All words of a text, and which of them stay: those whose last character is left."""
        kept = {at for start, stop in self.kept_ranges(text) for at in range(start, stop)}
        found = list(WORD.finditer(text))
        return [word[0] for word in found], [word.end() - 1 in kept for word in found]

    def _keeps_words(self, trial: Trial) -> str:
        ranges, end = self.kept_ranges(trial.text), 0
        borders = {0, len(trial.text), *(word.end() for word in WORD.finditer(trial.text))}
        for start, stop in ranges:
            if start < end or not {start, stop} <= borders:
                return f"{trial.text[start:stop]!r} is cut out of a word, or comes twice"
            end = stop
        return ""

    def _keeps_its_share(self, trial: Trial) -> str:
        words, stays = self._words(trial.text)
        pieces = self.judge().pieces(words)
        forced = self._forced(words)
        all_pieces = sum(pieces)
        most = max(float(self.share) * all_pieces, sum(compress(pieces, forced)))
        left = sum(compress(pieces, stays))
        if left <= most + max(pieces):
            return ""
        return f"{left} of {all_pieces} pieces stay, and {float(self.share):.3f} were asked for"

    def _keeps_forced(self, trial: Trial) -> str:
        words, stays = self._words(trial.text)
        always = self._forced_tokens()
        lost = [
            word
            for word, stay in zip(words, stays, strict=True)
            if not stay and word.strip(MARKS or None) in always
        ]
        return f"{lost[:4]} are forced and gone" if lost else ""

    def _keeps_the_best(self, trial: Trial) -> str:
        """Of one chunk: what stays unforced scores at least as much as what goes."""
        words, stays = self._words(trial.text)
        judge = self.judge()
        start, stop = next(chunks(words, judge.pieces(words), judge.chunk_pieces))
        scores = self._plain_scores(words[start:stop])
        forced = self._forced(words[start:stop])
        free = [
            (score, stay)
            for score, stay, must in zip(scores, stays[start:stop], forced, strict=True)
            if not must
        ]
        least = min((score for score, stay in free if stay), default=inf)
        most = max((score for score, stay in free if not stay), default=-inf)
        return (
            "" if most <= least else f"a word of score {most:.3f} is gone, one of {least:.3f} not"
        )

    def _plain_scores(self, words: Sequence[str]) -> list[float]:
        """How much each word of a chunk says."""
        return self.judge().having_read(words).keep(words)

    def computed_share(self, tokens: int) -> float:
        """Of a context of `tokens` tokens before any word went."""
        return float(self.share) ** 2


def chunks(words: Sequence[str], pieces: Sequence[int], most: int) -> Iterator[tuple[int, int]]:
    """Half-open word ranges of at most `most` pieces (a longer word alone), each ending with a
    sentence where one ends in it.
    """
    start, held, end = 0, 0, 0  # `end`: after the last sentence that ended in this chunk
    at = 0
    while at < len(words):
        if held and held + pieces[at] > most:
            stop = end if end > start else at
            yield start, stop
            start, held, end, at = stop, 0, stop, stop
            continue
        held += pieces[at]
        at += 1
        if words[at - 1].endswith(SENTENCE_ENDS):
            end = at
    if start < len(words):
        yield start, len(words)


def percentile(values: Sequence[float], percent: int) -> float:
    """The value below which `percent` of the values lie, interpolated linearly."""
    ordered = sorted(values)
    place = min(percent, 100) / 100 * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return (
        ordered[low]
        if isinf(ordered[high])
        else ordered[low] + (ordered[high] - ordered[low]) * (place - low)
    )
