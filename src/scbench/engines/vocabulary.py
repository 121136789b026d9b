"""Ids that a model has embeddings for: words that were added to its tokenizer may lie beyond them.

Beyond them a CPU raises an error of its own, and a GPU stops for every program that uses it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from scbench.errors import Mismatch
from scbench.prompts import Tokenizer
from scbench.tensors import Tensor, torch


def input_ids(engine: Any, ids: Sequence[int]) -> Tensor:
    """A row of ids as the model of a local engine takes them. Raises Mismatch for an id that it has
    no embedding for.
    """
    rows: int | None = engine.facts.embedded_ids
    if rows is not None and (most := max(ids, default=0)) >= rows:
        raise Mismatch(unembedded(engine.facts.name, most, rows))
    return torch.tensor([list(ids)], device=engine.device)


def unembedded(name: str, token: int, rows: int, word: str = "") -> str:
    """The sentence of a refusal."""
    return (
        f"{name} has embeddings for ids below {rows:,}, and its tokenizer writes "
        f"{f'{word!r} as ' if word else ''}id {token:,}: words were added to the tokenizer and not "
        "to the model; give a folder whose config.json and weights have a larger vocab_size, or "
        "the tokenizer that the model was made with"
    )


def first_beyond(ids: Iterable[int], rows: int, tokenizer: Tokenizer) -> tuple[int, str] | None:
    """The first id that a model of so many embeddings has not, and its word where it is added."""
    token = next((token for token in ids if token >= rows), None)
    if token is None:
        return None
    words = (word for word, number in tokenizer.control.items() if number == token)
    return token, next(words, "")
