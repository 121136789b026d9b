"""The candidates of MInference's pattern search, and the probe that scores them while a text is
read densely.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from scbench.kernels import Partial, causal
from scbench.methods.budget import rounded
from scbench.methods.generation.minference import MInference, best_blocks
from scbench.methods.generation.minference_patterns import (
    BLOCK_TOKENS,
    BLOCKS,
    STREAM,
    VERTICAL_SLASH,
    HeadPattern,
)
from scbench.tensors import Tensor, torch

LEAST_BUDGET_TOKENS = 64  # one key block
SAMPLED_ROWS = 256
# Columns as a share of the budget, after the published candidates (30, 800), (100, 750), (500,
# 700), (3500, 100); sinks after (100, 800).
VERTICAL_SHARES = (Fraction(3, 83), Fraction(2, 17), Fraction(5, 12), Fraction(35, 36))
SINK_SHARE = Fraction(1, 9)


def candidates(budget_tokens: int) -> list[HeadPattern]:
    """One pattern of each form with as many keys a row; of two that keep as much, the
    earlier wins.
    """
    found = [
        HeadPattern(
            STREAM, sinks := max(4, rounded(SINK_SHARE * budget_tokens)), budget_tokens - sinks
        )
    ]
    for share in VERTICAL_SHARES:
        vertical = min(max(4, rounded(share * budget_tokens)), budget_tokens - 16)
        found.append(HeadPattern(VERTICAL_SLASH, vertical, budget_tokens - vertical))
    return [*found, HeadPattern(BLOCKS, budget_tokens // BLOCK_TOKENS, 0)]


@dataclass
class Probe:
    """A pattern that attends densely and looks on."""

    budget_tokens: int
    found: dict[int, dict[int, HeadPattern]] = field(default_factory=dict)
    name: str = "pattern-search"
    is_one_shot: bool = True

    def attend(
        self,
        q_HGTD: Tensor,
        k_HSD: Tensor,
        v_HSD: Tensor,
        *,
        layer: int,
        scale: float,
        total_tokens: int,
    ) -> Partial:
        heads, group, _, _ = q_HGTD.shape
        self.found[layer] = {
            head * group + member: best_pattern(
                q_HGTD[head, member], k_HSD[head], candidates(self.budget_tokens), scale
            )
            for head in range(heads)
            for member in range(group)
        }
        return causal(q_HGTD, k_HSD, v_HSD, scale=scale)


def best_pattern(
    q_TD: Tensor, k_TD: Tensor, patterns: Sequence[HeadPattern], scale: float
) -> HeadPattern:
    """The pattern that keeps the largest share of this head's attention, mean over sampled rows of
    the second half; it carries the share.
    """
    tokens = len(q_TD)
    rows_R = (
        torch.linspace(
            tokens // 2, tokens - 1, min(SAMPLED_ROWS, tokens - tokens // 2), device=q_TD.device
        )
        .round()
        .long()
    )
    back_RT = rows_R.unsqueeze(1) - torch.arange(tokens, device=q_TD.device)
    scores_RT = (q_TD[rows_R].float() @ k_TD.float().T) * scale
    weights_RT = torch.softmax(scores_RT.masked_fill(back_RT < 0, float("-inf")), dim=-1)
    marked = []
    for pattern in patterns:
        kept = float(
            (weights_RT * _visible(pattern, q_TD, k_TD, rows_R, back_RT, scale)).sum()
        ) / len(rows_R)
        marked.append(HeadPattern(pattern.kind, pattern.first, pattern.second, round(kept, 6)))
    return max(marked, key=lambda pattern: pattern.score)


def _visible(
    pattern: HeadPattern, q_TD: Tensor, k_TD: Tensor, rows_R: Tensor, back_RT: Tensor, scale: float
) -> Tensor:
    """(R, T) True where the pattern shows a sampled row a key."""
    tokens = len(q_TD)
    if pattern.kind == BLOCKS:
        blocks_RT = best_blocks(q_TD, k_TD, pattern.first)[
            rows_R // BLOCK_TOKENS
        ].repeat_interleave(BLOCK_TOKENS, dim=1)
        return blocks_RT[:, :tokens] & (back_RT >= 0)
    columns, offsets = MInference(budget_tokens=max(20, pattern.keys)).marks(
        q_TD, k_TD, pattern, scale
    )
    return (columns | offsets[back_RT.clamp(min=0)]) & (back_RT >= 0)
