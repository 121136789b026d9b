"""SnapKV: the last queries vote for the slots that stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scbench.methods.compression.window_voting import WindowVoting


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapKV(WindowVoting):
    """Keep the window and the prefix slots its queries attend to most, votes smoothed so that
    neighbours survive together.

    Source: SnapKV (arXiv 2404.14469). s_j = sum over the window's rows of softmax attention (fp32),
    pooled along j with zero padding at the edges, then mean over the group. Ours stores per KV
    head, so a budget means what it says; the published code repeats K and V to query heads first
    and holds G times as much (`granularity=query_head`, as in preset `code`).

    Window, pooling and what a question changes: `WindowVoting`.
    """

    minimum_tokens: ClassVar[int] = 8
