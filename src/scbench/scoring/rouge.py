"""ROUGE-Lsum, equal to `rouge-score` 0.1.2 without stemming or sentence splitting, and many times
faster on long texts.

The library fills its table of common subsequences cell by cell in Python; here one row of it, for
all prediction sentences, is one step. Of several longest common subsequences the same one is taken,
because the union over sentences depends on it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from scbench.scoring.text import UNSPACED, nfkc

if TYPE_CHECKING:
    import numpy as np

_WORD = re.compile("[a-z0-9]+")
# A sign of a script without blanks is a word; elsewhere a run of letters, digits and their marks.
_MARKS = "\u0300-\u036f\u0591-\u05bd\u064b-\u065f\u0670\u0900-\u0963\u0966-\u0dff"
_ANY_WORD = re.compile(rf"[{UNSPACED}]|(?:(?![{UNSPACED}])[^\W_]|[{_MARKS}])+")
_PUNCTUATION = re.compile(r"[\u3000-\u303f]")
# Sentences of one batch times their longest length times rows: some 16 MB at most.
_BATCH_CELLS = 1 << 24
MOST_CELLS = 1 << 26  # of the whole table: a second's work


class TooManyWords(ValueError):
    """The table of common subsequences would be too large; both texts are long."""


def sentences(text: str) -> list[list[str]]:
    """The words of each non-empty line, lower-cased runs of ASCII letters and digits."""
    return [_WORD.findall(line.lower()) for line in text.split("\n") if line]


def any_sentences(text: str) -> list[list[str]]:
    """The words of each non-empty line, in any script: NFKC, without case, with their accents.

    >>> any_sentences("Été 2023\\n在2023年")
    [['été', '2023'], ['在', '2023', '年']]
    """
    lines = nfkc(text).casefold().split("\n")
    return [_ANY_WORD.findall(_PUNCTUATION.sub(" ", line)) for line in lines if line]


def rouge_lsum(prediction: str, gold: str) -> float:
    """F of the summary-level longest common subsequence; 0 where a side has no word."""
    return rouge_of(sentences(prediction), sentences(gold))


def rouge_of(prediction: Sequence[Sequence[str]], gold: Sequence[Sequence[str]]) -> float:
    """`rouge_lsum` of texts already cut into sentences and words. Raises TooManyWords."""
    gold_words, prediction_words = sum(map(len, gold)), sum(map(len, prediction))
    if not gold_words or not prediction_words:
        return 0.0
    cells = gold_words * prediction_words
    if cells > MOST_CELLS:
        raise TooManyWords(
            f"{prediction_words:,} words against {gold_words:,} are {cells:,} comparisons; at most "
            f"{MOST_CELLS:,} are made"
        )
    left_gold = Counter(word for sentence in gold for word in sentence)
    left_prediction = Counter(word for sentence in prediction for word in sentence)
    hits = 0
    for sentence, union in zip(gold, _unions(gold, prediction), strict=True):
        for index in sorted(union):
            word = sentence[index]
            if left_prediction[word] > 0 and left_gold[word] > 0:
                hits += 1
                left_prediction[word] -= 1
                left_gold[word] -= 1
    if not hits:
        return 0.0
    precision, recall = hits / prediction_words, hits / gold_words
    return 2 * precision * recall / (precision + recall)


def _unions(gold: Sequence[Sequence[str]], prediction: Sequence[Sequence[str]]) -> list[set[int]]:
    """For each gold sentence, the positions in it that lie on its common subsequence with some
    prediction sentence.
    """
    import numpy as np

    codes: dict[str, int] = {}
    for sentence in gold:
        for word in sentence:
            codes.setdefault(word, len(codes))
    # Sentences of like length share a batch, so that padding stays small; the union does not depend
    # on their order.
    coded = sorted(
        ([codes.get(word, -1) for word in sentence] for sentence in prediction if sentence), key=len
    )
    unions: list[set[int]] = [set() for _ in gold]
    for batch in _batches(coded, max(map(len, gold))):
        padded: np.ndarray[Any, Any] = np.full((len(batch), len(batch[-1])), -1, dtype=np.int64)
        for row, sentence_codes in enumerate(batch):
            padded[row, : len(sentence_codes)] = sentence_codes
        lengths = [len(sentence_codes) for sentence_codes in batch]
        present = set(np.unique(padded).tolist())
        for sentence, union in zip(gold, unions, strict=True):
            # A gold word that no sentence of the batch has leaves its table row unchanged and is
            # always stepped over.
            rows = [(i, codes[word]) for i, word in enumerate(sentence) if codes[word] in present]
            if rows:
                union |= _subsequences(rows, padded, lengths)
    return unions


def _batches(coded: list[list[int]], longest_gold: int) -> list[list[list[int]]]:
    """Cut sentences, shortest first, into groups of bounded table size and with lengths within a
    factor of two.
    """
    groups: list[list[list[int]]] = []
    for sentence in coded:
        group = groups[-1] if groups else None
        fits = (
            group
            and len(sentence) <= 2 * len(group[0]) + 8
            and (len(group) + 1) * len(sentence) * longest_gold <= _BATCH_CELLS
        )
        if group and fits:
            group.append(sentence)
        else:
            groups.append([sentence])
    return groups


def _subsequences(
    rows: list[tuple[int, int]], padded: np.ndarray[Any, Any], lengths: list[int]
) -> set[int]:
    """Union over the batch of one longest common subsequence each, as positions in the gold
    sentence.

    Table t[i][j] = length over the first i rows and j columns. Walking back from the end: a match
    is taken; else one column back if t[i][j-1] > t[i-1][j], else one row back (the library's tie
    rule). `back[i, s, j]` holds that comparison, counted from 0.
    """
    import numpy as np

    count, width = padded.shape
    table = np.zeros((count, width + 1), dtype=np.int32)
    back = np.empty((len(rows), count, width), dtype=bool)
    for i, (_, code) in enumerate(rows):
        fresh = np.maximum.accumulate(
            np.maximum(table[:, :-1] + (padded == code), table[:, 1:]), axis=1
        )
        back[i, :, 0] = False
        back[i, :, 1:] = fresh[:, :-1] > table[:, 2:]
        table[:, 1:] = fresh
    union: set[int] = set()
    for s in range(count):
        i, j, columns = len(rows) - 1, lengths[s] - 1, padded[s].tolist()
        while i >= 0 and j >= 0:
            if rows[i][1] == columns[j]:
                union.add(rows[i][0])
                i, j = i - 1, j - 1
            elif back[i, s, j]:
                j -= 1
            else:
                i -= 1
    return union
