"""FlexPrefill: each head's pattern and its size are read off the prompt itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

from scbench.errors import Mismatch
from scbench.kernels import Partial, causal, sparse
from scbench.kv import CacheShape
from scbench.methods.contract import DEFAULT_SHARE, Generation
from scbench.methods.generation import block_masks, plain_masks
from scbench.methods.generation.minference import vertical_slash_scores
from scbench.methods.invariants import Invariants, Probed
from scbench.methods.stage import Budgeted
from scbench.methods.traits import Traits
from scbench.methods.units import BLOCK, unit, voting_rows
from scbench.tensors import Tensor, functional, torch


@dataclass(frozen=True, slots=True, kw_only=True)
class FlexPrefill(Budgeted, Generation):
    """A head whose pooled keys predict its last block's attention gets the best blocks of a pooled
    map, any other columns and diagonals of blocks.

    Source: FlexPrefill (arXiv 2502.20766). The prediction is good where sqrt(JSD) < `tau_js`; sizes
    are the smallest that cover `gamma` of the mass. cover=tokens turns a count of keys into count /
    block + 1 blocks, as published, and may cover less than gamma where heavy keys lie scattered;
    cover=blocks (ours) counts blocks, so the last rows keep at least gamma. `block_tokens` stands
    for the published sizes, with `min_tokens` and `max_tokens` as limits. With a budget of K keys a
    row instead (default: 1/32 of the tokens) blocks follow the rule of units, near min(T / 128, K /
    16) up to 128; columns and diagonals are capped at K / 2 keys each, rows of block heads at K,
    and gamma=1 makes the caps the sizes. The last K / 8 rows estimate, 128 at most and one block at
    least (own sizes: the last block, as published).

    slashes=blocks, as published, takes a diagonal of blocks for the offsets k b .. k b + b - 1, and
    lets row block r see key block r - k: where offset o is no multiple of b, o mod b rows of each
    block miss their key, the token before a block's first among them. slashes=tokens (ours) weighs
    every diagonal of blocks by what its pairs would catch of each offset, (b - o mod b) / b in
    diagonal floor(o / b) and o mod b / b in the next, and always keeps diagonals 0 and 1.
    """

    gamma: float = 0.9
    tau_js: float = 0.1
    cover: Literal["blocks", "tokens"] = "blocks"
    slashes: Literal["tokens", "blocks"] = "tokens"
    block_tokens: int | None = None
    min_tokens: int | None = None
    max_tokens: int | None = None

    traits: ClassVar[Traits] = Traits(is_prefix_stable=False)
    is_one_shot: ClassVar[bool] = True
    minimum_tokens: ClassVar[int] = 64
    _unit_fields: ClassVar[tuple[str, ...]] = ("block_tokens",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.gamma <= 1 or self.tau_js < 0:
            raise Mismatch(
                f"{self}: gamma is a share in (0, 1] and tau_js a divergence of at least 0"
            )
        limits = (self.min_tokens, self.max_tokens)
        if not self.is_own and limits != (None, None):
            raise Mismatch(
                f"{self}: min_tokens and max_tokens go with block_tokens; under a budget the caps "
                f"follow from it"
            )
        if min(1 if x is None else x for x in (self.block_tokens, *limits)) < 1:
            raise Mismatch(f"{self}: block_tokens, min_tokens and max_tokens must be at least 1")

    @property
    def is_own(self) -> bool:
        """Whether gamma and a block of its own, and no budget, say what is computed."""
        return self.block_tokens is not None and not self._has_budget

    def sizes(self, tokens: int) -> tuple[int, int, int | None, int | None]:
        """(block, least blocks, most columns and most diagonals, most blocks of a row of a block
        head) for a prefix of `tokens` tokens.
        """
        if self.is_own and self.block_tokens is not None:
            block = self.block_tokens
            most = None if self.max_tokens is None else max(1, self.max_tokens // block)
            return block, max(1, (self.min_tokens or 0) // block), most, most
        budget = self.budget(tokens)
        block = self.block_tokens or unit(tokens=tokens, budget=budget, most=BLOCK)
        return block, 1, max(1, budget // (2 * block)), max(1, budget // block)

    def rows(self, tokens: int) -> int:
        """The last rows, whose attention points out the columns and diagonals of all."""
        block = self.sizes(tokens)[0]
        if self.is_own:
            return block
        return max(block, voting_rows(budget=self.budget(tokens), most=BLOCK))

    def units(
        self, *, shape: CacheShape, tokens: int, question_tokens: int | None = None
    ) -> dict[str, int]:
        return {"block_tokens": self.sizes(tokens)[0], "rows": self.rows(tokens)}

    def fixed(self, *, shape: CacheShape, tokens: int) -> Self:
        # A block without a budget would mean sizes of its own.
        is_bare = not self._has_budget and not self.is_own
        with_budget = replace(self, tau=DEFAULT_SHARE) if is_bare else self
        return super(FlexPrefill, with_budget).fixed(shape=shape, tokens=tokens)

    def _under_rule(self, tokens: int) -> Self:
        """Sizes of its own have no budget, and the context alone says how large a block may be."""
        bare = replace(self, block_tokens=None, min_tokens=None, max_tokens=None)
        return replace(bare, budget_tokens=max(64, tokens)) if self.is_own else bare

    def lossless(self, tokens: int) -> Self:
        if self.is_own:
            return replace(self, gamma=1.0, max_tokens=None)
        return replace(self, gamma=1.0, tau=None, budget_tokens=2 * tokens + 256)

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        if not self.is_own:
            super().check(shape=shape, tokens=tokens)
        if not self.is_own and self.block_tokens is not None:
            budget, block = self.budget(tokens), self.block_tokens
            self._check_unit("block_tokens", block, units=4, tokens=tokens, budget=budget)

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
        block, _, most, _ = self.sizes(total_tokens)
        rows = -(-total_tokens // block)
        is_whole = self.gamma >= 1 and (most is None or most >= rows)
        if is_whole or total_tokens <= max(2 * block, self.min_tokens or 0):
            return causal(q_HGTD, k_HSD, v_HSD, scale=scale)
        seen = [
            [self.seen(q_TD, k_TD, scale) for q_TD in q_GTD]
            for q_GTD, k_TD in zip(q_HGTD, k_HSD, strict=True)
        ]
        return sparse.blocks(
            q_HGTD,
            k_HSD,
            v_HSD,
            torch.stack([torch.stack(group) for group in seen]),
            block,
            scale=scale,
        )

    def seen(self, q_TD: Tensor, k_TD: Tensor, scale: float) -> Tensor:
        """Key blocks each row block of a head sees, (R, C) bool."""
        block, least, most, _ = self.sizes(len(q_TD))
        rows = self.rows(len(q_TD))
        columns, offsets = vertical_slash_scores(q_TD, k_TD, scale, rows=rows)
        is_predicted = divergence(q_TD, k_TD, columns, block, scale, rows=rows) < self.tau_js
        if self.slashes == "tokens":
            offsets = caught(offsets, block)
        if not is_predicted:
            sizes = (self._count(scores, block, least, most) for scores in (columns, offsets))
            return self._vertical_slash(columns, offsets, block, *sizes)
        return self._block_head(q_TD, k_TD, scale) | self._vertical_slash(
            columns, offsets, block, least, least
        )

    def _vertical_slash(
        self, columns_T: Tensor, offsets_T: Tensor, block: int, columns: int, diagonals: int
    ) -> Tensor:
        near = 2 if self.slashes == "tokens" else 1
        return vertical_slash_blocks(
            columns_T, offsets_T, block, columns, max(near, diagonals), near=near
        )

    def _count(self, scores_T: Tensor, block: int, least: int, most: int | None) -> int:
        """How many columns (or diagonals) of blocks cover gamma."""
        pooled_R = _pooled(scores_T, block)
        if self.gamma >= 1:
            count = len(pooled_R)
        elif self.cover == "blocks":
            first = torch.zeros_like(pooled_R, dtype=torch.bool)
            first[0] = True
            count = int(block_masks.fewest(pooled_R, self.gamma, first).sum())
        else:
            count = (
                int(
                    block_masks.fewest(
                        scores_T, self.gamma, torch.zeros_like(scores_T, dtype=torch.bool)
                    ).sum()
                )
                // block
                + 1
            )
        return min(max(count, least), len(pooled_R) if most is None else most)

    def _block_head(self, q_TD: Tensor, k_TD: Tensor, scale: float) -> Tensor:
        """The fewest entries of the pooled attention map that hold gamma of it, over all rows
        together.
        """
        block, _, _, most = self.sizes(len(q_TD))
        scores_RC = (
            block_masks.block_means(q_TD, block) @ block_masks.block_means(k_TD, block).T
        ) * scale
        allowed = block_masks.past(len(scores_RC), q_TD.device)
        map_RC = torch.softmax(scores_RC.masked_fill(~allowed, float("-inf")), dim=-1)
        forced = torch.eye(len(map_RC), dtype=torch.bool, device=q_TD.device)
        forced[:, 0] = True
        if self.slashes == "tokens":
            forced |= torch.diag(torch.ones(len(map_RC) - 1, device=q_TD.device), -1) > 0
        kept = (
            allowed
            if self.gamma >= 1
            else block_masks.fewest(map_RC.flatten(), self.gamma, forced.flatten()).view_as(map_RC)
            & allowed
        )
        return kept if most is None else block_masks.best(map_RC, most, forced) & kept

    def invariants(self) -> Invariants:
        if self.slashes != "tokens" or self.cover != "blocks":
            return {}
        return {
            "rows read what covers gamma of the last rows' attention, or its best blocks": (
                plain_masks.rows_read(self._plain)
            )
        }

    def _plain(self, probed: Probed) -> Tensor:
        tokens = probed.k_HSD.shape[1]
        block = self.sizes(tokens)[0]
        if tokens <= max(2 * block, self.min_tokens or 0):
            return plain_masks.band(tokens, tokens, tokens)
        return plain_masks.flexible(self, tokens)(probed)

    def computed_share(self, tokens: int) -> float:
        """A bound: what the budget allows; without one the text decides, and the bound is 1."""
        if self.is_own:
            return 1.0
        width = min(self.budget(tokens), tokens)
        return (width * (width + 1) / 2 + (tokens - width) * width) / (tokens * (tokens + 1) / 2)


def divergence(
    q_TD: Tensor,
    k_TD: Tensor,
    columns_T: Tensor,
    block: int,
    scale: float,
    *,
    rows: int | None = None,
) -> float:
    """sqrt of the Jensen-Shannon divergence (natural log) between the last rows' (default: a
    block's) true mass per key block and what pooled queries and keys predict.
    """
    true_R = _pooled(columns_T, block) / columns_T.sum()
    guess_R = torch.softmax(
        (block_masks.block_means(k_TD, block) @ q_TD[-(rows or block) :].float().mean(dim=0))
        * scale,
        dim=0,
    )
    middle_R = (true_R + guess_R) / 2
    terms = [
        float(torch.xlogy(side, side / middle_R.clamp(min=1e-30)).sum())
        for side in (true_R, guess_R)
    ]
    return math.sqrt(max(0.0, sum(terms) / 2))


def vertical_slash_blocks(
    columns_T: Tensor, offsets_T: Tensor, block: int, columns: int, diagonals: int, *, near: int = 1
) -> Tensor:
    """The heaviest columns and diagonals of blocks, the first column and the `near` first diagonals
    always among them: (R, C) bool.
    """
    chosen = []
    for scores_T, count, first in ((columns_T, columns, 1), (offsets_T, diagonals, near)):
        pooled_R = _pooled(scores_T, block)
        pooled_R[:first] = float("inf")
        marks = torch.zeros_like(pooled_R, dtype=torch.bool)
        marks[torch.sort(pooled_R, descending=True, stable=True).indices[:count]] = True
        chosen.append(marks)
    places = torch.arange(len(chosen[0]), device=columns_T.device)
    apart_RC = places.unsqueeze(1) - places
    return (chosen[0] | chosen[1][apart_RC.clamp(min=0)]) & (apart_RC >= 0)


def caught(offsets_T: Tensor, block: int) -> Tensor:
    """Scores per offset, moved to where diagonals of blocks catch them: (T,), of the same sum.

    Of the pairs at offset o = k b + m, (b - m) / b lie in diagonal k and m / b in diagonal k + 1.
    What the last diagonal hands on beyond the prefix stays with it.
    """
    inside_T = torch.arange(len(offsets_T), device=offsets_T.device) % block
    late_T = offsets_T * inside_T / block
    moved_T = functional.pad(late_T, (block, 0))[: len(offsets_T)]
    lost = late_T.sum() - moved_T.sum()
    found_T = offsets_T - late_T + moved_T
    found_T[-1] += lost
    return found_T


def _pooled(scores_T: Tensor, block: int) -> Tensor:
    """Sum per block, (R,)."""
    return functional.pad(scores_T, (0, -len(scores_T) % block)).view(-1, block).sum(dim=1)
