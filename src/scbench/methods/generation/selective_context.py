"""Selective Context: the model reads a shorter text; the words that the rest predicts best are
gone.
"""

from __future__ import annotations

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
