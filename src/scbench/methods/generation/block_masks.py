"""Choosing key blocks: means of blocks, the best of a row, the fewest that reach a share of the
mass.
"""

from __future__ import annotations

from scbench.methods.budget import top_slots
from scbench.tensors import Tensor, functional, torch


def block_means(x_TD: Tensor, block_tokens: int) -> Tensor:
    """Mean of each block in fp32, the last over the tokens it has: (R, D)."""
    short = -len(x_TD) % block_tokens
    sums = (
        functional.pad(x_TD.float(), (0, 0, 0, short))
        .reshape(-1, block_tokens, x_TD.shape[1])
        .sum(dim=1)
    )
    counts = torch.full((len(sums), 1), float(block_tokens), device=x_TD.device)
    counts[-1] -= short
    return sums / counts


def past(rows: int, device: torch.device) -> Tensor:
    """(R, R) True where the key block does not come after the row block."""
    return torch.ones(rows, rows, dtype=torch.bool, device=device).tril()


def best(scores_RC: Tensor, count: int, forced_RC: Tensor) -> Tensor:
    """The `count` best past blocks of every row, forced ones first: (R, C) bool. Ties go to the
    earlier block.
    """
    allowed = past(len(scores_RC), scores_RC.device)
    ranked = scores_RC.masked_fill(forced_RC, float("inf")).masked_fill(~allowed, float("-inf"))
    return torch.zeros_like(allowed).scatter_(1, top_slots(ranked, count), True) & allowed


def fewest(mass_N: Tensor, share: float, forced_N: Tensor) -> Tensor:
    """The shortest list of entries with at least `share` of the mass along the last axis, forced
    ones always in and counted first: bool.
    """
    order = torch.sort(
        mass_N.masked_fill(forced_N, float("inf")), dim=-1, descending=True, stable=True
    ).indices
    sorted_N = mass_N.gather(-1, order)
    before = sorted_N.cumsum(dim=-1) - sorted_N
    needed = before < share * mass_N.sum(dim=-1, keepdim=True)
    return torch.zeros_like(forced_N).scatter_(-1, order, needed) | forced_N
