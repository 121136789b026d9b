"""How the next token is chosen: the best one, or one drawn by its probability.

A draw depends on the cell, the turn and the tokens before it, and on nothing that was packed into
the same forward: each answer has a generator of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from scbench.prompts import Tokenizer
from scbench.types import Answering

Choose = Callable[[Tensor], int]


def chooser(answering: Answering, tokenizer: Tokenizer, *, key: str, turn: int) -> Choose | None:
    """What draws the tokens of one answer; None where the best token is taken."""
    if answering.temperature == 0.0:
        return None
    seed = hashlib.sha256(f"{key}:{turn}".encode()).digest()[:7]
    generator = torch.Generator().manual_seed(int.from_bytes(seed, "big"))
    return partial(
        drawn,
        temperature=answering.temperature,
        top_p=answering.top_p,
        known=tokenizer.vocabulary_tokens,
        generator=generator,
    )


def drawn(
    logits_V: Tensor, *, temperature: float, top_p: float, known: int, generator: torch.Generator
) -> int:
    """A token drawn from the softmax of `logits_V / temperature`, of the fewest best tokens that
    have the probability `top_p` together (nucleus sampling, Holtzman et al. 2020).
    """
    probabilities = (logits_V[:known].double().cpu() / temperature).softmax(dim=0)
    sorted_p, order = probabilities.sort(descending=True, stable=True)
    before = sorted_p.cumsum(0) - sorted_p
    kept = torch.where(before < top_p, sorted_p, torch.zeros_like(sorted_p))
    at = int(torch.multinomial(kept, 1, generator=generator))
    return int(order[at])
