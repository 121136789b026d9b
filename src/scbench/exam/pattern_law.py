"""What a pattern's rows read, seen from outside: the output over unit values is the attention."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from scbench.engines.contract import Gated, Remembering
from scbench.engines.packed import check_partial
from scbench.kernels import Partial
from scbench.kv import LayerShape
from scbench.methods.contract import Generation

CHANNELS = 8  # of queries and keys that are not zero
SCALE = 0.4


class Still:
    """A rotation that turns nothing, so that a key moved to another distance is the same key."""

    steady = True

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        return x

    def backward(self, x: Tensor, positions: Tensor) -> Tensor:
        return x


def lse_error(pattern: Generation, shape: LayerShape, tokens: int) -> float:
    """How far a pattern's log-sum-exp is from that of the keys its rows read, at most. Raises
    Mismatch for what is no partial result."""
    seen = probed(pattern, shape, tokens)
    scores_HGTS = torch.einsum("hgtd,hsd->hgts", seen.q_HGTD, seen.k_HSD) * SCALE
    read_HGTS = scores_HGTS.masked_fill(~seen.mask_HGTS, float("-inf"))
    return float((seen.part.lse - read_HGTS.logsumexp(dim=-1)).abs().max())


def keys_read(pattern: Generation, shape: LayerShape, tokens: int) -> Tensor:
    """Which keys each row of a pattern reads, (H, G, T, S) bool."""
    return probed(pattern, shape, tokens).mask_HGTS


class PatternSeen(NamedTuple):
    """Queries and keys a pattern was given, what it made of them, and which keys each row read."""

    q_HGTD: Tensor
    k_HSD: Tensor
    part: Partial
    mask_HGTS: Tensor


def probed(
    pattern: Generation, shape: LayerShape, tokens: int, *, layer: int = 0, turning: Any = None
) -> PatternSeen:
    """A pattern over random queries and keys.

    Values are the rows of a unit matrix, so the output of a row is its attention to each key, and
    what it read is where that is not 0.
    """
    draw = torch.Generator().manual_seed(2)
    heads = (shape.kv_heads, shape.group)
    q_HGTD = torch.randn(*heads, tokens, CHANNELS, generator=draw)
    k_HSD = torch.randn(heads[0], tokens, CHANNELS, generator=draw)
    q_HGTD, k_HSD = (functional.pad(x, (0, tokens - CHANNELS)) for x in (q_HGTD, k_HSD))
    v_HSD = torch.eye(tokens).expand(heads[0], -1, -1)
    begun = _begun(pattern, heads[0], tokens, turning or Still())
    part = begun.attend(q_HGTD, k_HSD, v_HSD, layer=layer, scale=SCALE, total_tokens=tokens)
    check_partial(part, q_HGTD, pattern.name)
    return PatternSeen(q_HGTD, k_HSD, part, part.out != 0)


def gates_of(kv_heads: int) -> list[list[float]]:
    """Of two layers, whose heads take turns in being full."""
    return [[float((head + layer) % 2) for head in range(kv_heads)] for layer in range(2)]


def _begun(pattern: Any, kv_heads: int, tokens: int, turning: Any) -> Any:
    """A pattern as a read has it: with head gates, or in the middle of one read."""
    if isinstance(pattern, Gated):
        pattern = pattern.gated(gates_of(kv_heads) if pattern.wants_gates else None)
    return pattern.begin(turning, tokens) if isinstance(pattern, Remembering) else pattern
