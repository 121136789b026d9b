"""A word classifier of our own: two layers over a word and its neighbours, 53 kB of weights,
trained on generated sessions (benchmarks/train_words.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from scbench.errors import DataError
from scbench.methods.generation.word_features import (
    BUCKETS,
    FEATURES,
    Counts,
    features_of,
    grams_of,
)

WEIGHTS = Path(__file__).with_name("small_classifier.safetensors")
NEIGHBOURS = 2  # seen on either side of a word
LETTERS, HIDDEN = 8, 32
CHUNK_PIECES = 510


def pieces_of(words: Sequence[str]) -> list[int]:
    """About four characters a token."""
    return [max(1, -(-len(word) // 4)) for word in words]


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


def bags(grams: Sequence[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
    """The n-grams of some words one after the other, and where each word's begin."""
    return torch.tensor([gram for word in grams for gram in word]), torch.tensor(
        [0, *map(len, grams)][:-1]
    ).cumsum(0)


class SmallClassifier:
    """The network behind the door of all word classifiers. Counts come from the whole text, letters
    and neighbours from the chunk.
    """

    chunk_pieces = CHUNK_PIECES

    def __init__(self, network: Network, counts: Counts | None = None) -> None:
        self.network, self.counts = network.eval(), counts

    def pieces(self, words: Sequence[str]) -> list[int]:
        return pieces_of(words)

    def having_read(self, words: Sequence[str]) -> SmallClassifier:
        return SmallClassifier(self.network, Counts.of(words))

    @torch.inference_mode()
    def keep(self, words: Sequence[str]) -> list[float]:
        """Logits, which unlike probabilities do not tie at 1."""
        if not words:
            return []
        features_NF = torch.tensor(features_of(words, self.counts or Counts.of(words)))
        logits: list[float] = self.network(
            *bags([grams_of(word) for word in words]), features_NF
        ).tolist()
        return logits


def load(path: Path = WEIGHTS) -> SmallClassifier:
    """The shipped classifier. Raises DataError where its file is missing or is another
    network's.
    """
    network = Network()
    try:
        network.load_state_dict(load_file(path))
    except (OSError, RuntimeError, SafetensorError) as err:
        raise DataError(
            f"{path.name}, the weights of classifier=trained, cannot be read: "
            f"{str(err).splitlines()[0]}\n"
            "Install scbench again, or make them: python benchmarks/train_words.py --out FILE"
        ) from err
    return SmallClassifier(network)


def save(network: Network, path: Path) -> None:
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, path)


def digest(path: Path = WEIGHTS) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
