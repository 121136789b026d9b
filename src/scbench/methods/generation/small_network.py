"""The network of the word classifier of our own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scbench.methods.generation.word_features import BUCKETS, FEATURES

NEIGHBOURS = 2  # seen on either side of a word
LETTERS, HIDDEN = 8, 32


class Network(nn.Module):
    """Logit that a word matters, from its hashed letters and its features, and those of NEIGHBOURS
    words on either side.
    """

    def __init__(self) -> None:
        super().__init__()
        self.letters = nn.EmbeddingBag(BUCKETS, LETTERS, mode="mean")
        self.inner = nn.Linear((2 * NEIGHBOURS + 1) * (LETTERS + FEATURES), HIDDEN)
        self.outer = nn.Linear(HIDDEN, 1)

    def forward(
        self, grams: Tensor, offsets_N: Tensor, features_NF: Tensor, *, blind: float = 0.0
    ) -> Tensor:
        """(N,) for N words in order; `grams` holds their buckets one after the other and
        `offsets_N` where each word's begin.

        A word without buckets and features is no word: NEIGHBOURS of them keep two chunks apart.
        `blind`: the share of words whose letters are hidden while it learns.
        """
        letters_NE = self.letters(grams, offsets_N)
        if blind:
            letters_NE = letters_NE * (torch.rand(len(offsets_N), 1) >= blind)
        seen_NF = nn.functional.pad(
            torch.cat([letters_NE, features_NF], dim=-1), (0, 0, NEIGHBOURS, NEIGHBOURS)
        )
        window_NF = seen_NF.unfold(0, 2 * NEIGHBOURS + 1, 1).flatten(1)
        logits_N: Tensor = self.outer(torch.relu(self.inner(window_NF))).squeeze(-1)
        return logits_N
