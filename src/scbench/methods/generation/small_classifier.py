"""A word classifier of our own: two layers over a word and its neighbours, 53 kB of weights,
trained on generated sessions (benchmarks/train_words.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scbench.errors import DataError
from scbench.methods.generation.word_features import Counts, features_of, grams_of
from scbench.tensors import Tensor, torch

if TYPE_CHECKING:
    from scbench.methods.generation.small_network import Network

WEIGHTS = Path(__file__).with_name("small_classifier.safetensors")
CHUNK_PIECES = 510


def pieces_of(words: Sequence[str]) -> list[int]:
    """About four characters a token."""
    return [max(1, -(-len(word) // 4)) for word in words]


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

    def keep(self, words: Sequence[str]) -> list[float]:
        """Logits, which unlike probabilities do not tie at 1."""
        if not words:
            return []
        with torch.inference_mode():
            features_NF = torch.tensor(features_of(words, self.counts or Counts.of(words)))
            logits_N: Tensor = self.network(*bags([grams_of(word) for word in words]), features_NF)
            logits: list[float] = logits_N.tolist()
        return logits


def load(path: Path = WEIGHTS) -> SmallClassifier:
    """The shipped classifier. Raises DataError where its file is missing or is another
    network's.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from scbench.methods.generation.small_network import Network

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
    from safetensors.torch import save_file

    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, path)


def digest(path: Path = WEIGHTS) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
