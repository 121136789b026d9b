"""Selective Context: the model reads a shorter text; the words that the rest predicts best are
gone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scbench.methods.generation.word_classifiers import Unigram, WordClassifier
from scbench.methods.generation.word_dropping import WordDropping


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectiveContext(WordDropping):
    """Words of high self-information stay, -log2 of how often a word was read so far in its chunk.

    Source: Selective Context (arXiv 2310.06201): self-information under a causal language model,
    summed over the tokens of a phrase, and the phrases above a percentile of the whole text stay.
    Ours needs no model and no weights: it counts words within a chunk of at most 510 pieces, so
    what is rare or new stays, with a little for longer words, and every word decides for itself.
    """

    def judge(self) -> WordClassifier:
        return Unigram()

    def _plain_scores(self, words: Sequence[str]) -> list[float]:
        """Bits of how rare a word was up to itself, and up to one for its length."""
        forms = [word.strip(".,;:!?\"'()[]").casefold() for word in words]
        return [
            math.log2((at + len(words)) / (forms[:at].count(form) + 1)) + min(len(form), 12) / 12
            for at, form in enumerate(forms)
        ]
