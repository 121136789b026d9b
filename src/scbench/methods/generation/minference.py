"""MInference: each query head attends by a pattern of its own, whose places the last queries of the
prompt point out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar, Literal, Self

from scbench.errors import Mismatch
from scbench.kernels import Partial, causal, sparse
from scbench.kv import CacheShape
from scbench.methods import units
from scbench.methods.budget import smallest_share, top_slots
from scbench.methods.contract import Generation
from scbench.methods.generation import block_masks, minference_patterns, plain_masks
from scbench.methods.generation.minference_patterns import (
    BLOCK_TOKENS,
    BLOCKS,
    STREAM,
    VERTICAL_SLASH,
    HeadPattern,
)
from scbench.methods.invariants import Invariants, Probed
from scbench.methods.stage import Budgeted
from scbench.methods.traits import Traits
from scbench.tensors import Tensor, functional, torch

UNLISTED = HeadPattern(VERTICAL_SLASH, 1000, 6096)
MINIMUM_TILE_TOKENS = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class MInference(Budgeted, Generation):
    """Vertical-slash heads see the columns and offsets that the last 64 queries attend to most;
    others see sinks and a band, or the best blocks.

    Source: MInference (arXiv 2407.02490). Column score: attention summed over the last rows (64; of
    a budget of K keys K / 8 up to 64), the first columns forced; offset score: summed along each
    diagonal, the nearest offsets forced. mask=exact computes just those keys; mask=tile64 whole
    64-row tiles around every offset, as the published GPU kernel does, a superset. Ours always
    forces the diagonal block of block-sparse heads. `table` is a JSON file of patterns per head,
    the published ones or one of `scbench search-patterns`; a head it does not list, and every head
    without one, has the same vertical-slash sizes. With a budget of K keys a row (default: 1/32 of
    the tokens): K/5 columns and the rest offsets, or the table scaled to a mean of K.
    """

    table: str | None = None
    vertical_tokens: int | None = None
    slash_tokens: int | None = None
    mask: Literal["exact", "tile64"] = "exact"

    traits: ClassVar[Traits] = Traits(is_prefix_stable=False)
    is_one_shot: ClassVar[bool] = True
    minimum_tokens: ClassVar[int] = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.vertical_tokens is None) != (self.slash_tokens is None):
            raise Mismatch(
                f"{self}: give vertical_tokens and slash_tokens together, or a budget (tau, "
                f"budget_tokens), or a table"
            )
        own = [word for word in ("table", "vertical_tokens") if getattr(self, word) is not None]
        if len(own) > 1 or (
            own == ["vertical_tokens"] and (self.tau or self.budget_tokens) is not None
        ):
            raise Mismatch(
                f"{self} has sizes from more than one place; give a table, or vertical_tokens and "
                f"slash_tokens, or a budget"
            )
        if self.table is not None:
            minference_patterns.read(self.table)
        if (self.vertical_tokens or 0) < 0 or (
            self.slash_tokens is not None and self.slash_tokens < 1
        ):
            raise Mismatch(
                f"{self}: slash_tokens must be at least 1 (a token sees itself) and "
                f"vertical_tokens at least 0"
            )

    def data_digest(self) -> str:
        return "" if self.table is None else minference_patterns.digest(self.table)

    @property
    def least_tokens(self) -> int:
        return MINIMUM_TILE_TOKENS if self.mask == "tile64" else self.minimum_tokens

    def scaled_to(self, tokens: int) -> int | None:
        """K, keys a row; None where the sizes are the pattern's own."""
        if self.tau is None and self.budget_tokens is None:
            has_own = self.table is not None or self.vertical_tokens is not None
            return None if has_own else max(self.least_tokens, self.budget(tokens))
        return self.budget(tokens)

    def pattern(self, layer: int, head: int, tokens: int) -> HeadPattern:
        """The pattern of one query head for a prefix of `tokens` tokens."""
        budget = self.scaled_to(tokens)
        if self.table is not None:
            table = minference_patterns.read(self.table)
            found = table[layer].get(head, UNLISTED) if layer < len(table) else UNLISTED
            return found if budget is None else found.scaled(Fraction(budget) / _mean_keys(table))
        if budget is not None:
            vertical = units.columns(budget)
            return HeadPattern(VERTICAL_SLASH, vertical, budget - vertical)
        assert self.vertical_tokens is not None
        assert self.slash_tokens is not None
        return HeadPattern(VERTICAL_SLASH, self.vertical_tokens, self.slash_tokens)

    def rows(self, tokens: int) -> int:
        """The last rows, which point out columns and offsets: 64, an eighth of a smaller budget."""
        budget = self.scaled_to(tokens)
        if budget is None:
            return units.ESTIMATE_ROWS
        return units.voting_rows(budget=budget, most=units.ESTIMATE_ROWS)

    def units(
        self, *, shape: CacheShape, tokens: int, question_tokens: int | None = None
    ) -> dict[str, int]:
        if self.table is not None:
            return {"rows": self.rows(tokens)}
        pattern = self.pattern(0, 0, tokens)
        sizes = {"vertical_tokens": pattern.first, "slash_tokens": pattern.second}
        return {**sizes, "rows": self.rows(tokens)}

    def forced(self, pattern: HeadPattern, tokens: int) -> tuple[int, int]:
        """First columns and nearest offsets that are always seen: 30 and 100, fewer under a budget,
        so that they cannot use it up.
        """
        if self.scaled_to(tokens) is None:
            return 30, 100
        return min(30, -(-pattern.first // 4)), min(100, -(-pattern.second // 4))

    def lossless(self, tokens: int) -> Self:
        return replace(
            self,
            table=None,
            vertical_tokens=None,
            slash_tokens=None,
            tau=None,
            budget_tokens=2 * tokens + 160,
        )

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        budget = self.scaled_to(tokens)
        least = self.least_tokens
        if budget is not None and budget < min(least, tokens):
            raise Mismatch(
                f"{self} computes {budget} keys a row of {tokens:,} tokens; with mask={self.mask} "
                f"at least {least} are needed, that is "
                f"tau={smallest_share(min(least, tokens), tokens)}"
            )
        table = [] if self.table is None else minference_patterns.read(self.table)
        heads = max((head for layer in table for head in layer), default=-1) + 1
        if table and (len(table) != len(shape.attention_layers) or heads > shape.query_heads):
            raise Mismatch(
                f"{self.table!r} is a table of {len(table)} layers and heads up to {heads - 1}; "
                f"this model has {len(shape.attention_layers)} attention layers of "
                f"{shape.query_heads} query heads: make its own with `scbench search-patterns "
                f"MODEL --out FILE`"
            )

    def notes(self, *, shape: CacheShape, tokens: int) -> tuple[str, ...]:
        if self.table is None or self.scaled_to(tokens) is None:
            return ()
        return (
            f"keys_per_row={self._mean_width(tokens):.0f}",
        )  # floors and rounding move the mean off the budget

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
        whole = Partial(
            torch.empty_like(q_HGTD), q_HGTD.new_empty(q_HGTD.shape[:3], dtype=torch.float32)
        )
        for head in range(heads):
            for member in range(group):
                pattern = self.pattern(layer, head * group + member, total_tokens)
                q, k, v = (
                    q_HGTD[head : head + 1, member : member + 1],
                    k_HSD[head : head + 1],
                    v_HSD[head : head + 1],
                )
                part = self._head(q, k, v, pattern, scale)
                whole.out[head, member] = part.out[0, 0]
                whole.lse[head, member] = part.lse[0, 0]
        return whole

    def _head(
        self, q_11TD: Tensor, k_1TD: Tensor, v_1TD: Tensor, pattern: HeadPattern, scale: float
    ) -> Partial:
        tokens = q_11TD.shape[2]
        if pattern.keys >= tokens and (
            pattern.kind == BLOCKS or max(pattern.first, pattern.second) >= tokens
        ):
            return causal(q_11TD, k_1TD, v_1TD, scale=scale)
        if pattern.kind == BLOCKS:
            seen = best_blocks(q_11TD[0, 0], k_1TD[0], pattern.first)
            return sparse.blocks(q_11TD, k_1TD, v_1TD, seen[None, None], BLOCK_TOKENS, scale=scale)
        columns, offsets = self.marks(q_11TD[0, 0], k_1TD[0], pattern, scale)
        tiles = self.mask == "tile64" and pattern.kind == VERTICAL_SLASH
        part = sparse.vertical_slash(
            q_11TD[0, 0], k_1TD[0], v_1TD[0], columns, offsets, scale=scale, whole_tiles=tiles
        )
        return Partial(part.out[None, None], part.lse[None, None])

    def marks(
        self, q_TD: Tensor, k_TD: Tensor, pattern: HeadPattern, scale: float
    ) -> tuple[Tensor, Tensor]:
        """Columns and offsets a head sees, (T,) bool each."""
        tokens = len(q_TD)
        places = torch.arange(tokens, device=q_TD.device)
        if pattern.kind == STREAM:
            return places < pattern.first, places < max(1, pattern.second)
        columns, offsets = vertical_slash_scores(q_TD, k_TD, scale, rows=self.rows(tokens))
        first, near = self.forced(pattern, tokens)
        floors = (30, 50) if self.scaled_to(tokens) is None else (1, 1)
        columns[:first] = offsets[:near] = float("inf")
        sizes = (max(pattern.first, floors[0]), max(pattern.second, floors[1]))
        marked = [torch.zeros_like(places, dtype=torch.bool) for _ in sizes]
        for marks, scores, size in zip(marked, (columns, offsets), sizes, strict=True):
            marks[top_slots(scores.unsqueeze(0), size)[0]] = True
        return marked[0], marked[1]

    def invariants(self) -> Invariants:
        if self.table is not None or self.mask != "exact" or self.vertical_tokens is not None:
            return {}
        return {
            "rows read the columns and offsets that the last rows attend to": (
                plain_masks.rows_read(self._plain)
            )
        }

    def _plain(self, probed: Probed) -> Tensor:
        return plain_masks.vertical_slash(self, probed.k_HSD.shape[1])(probed)

    def computed_share(self, tokens: int) -> float:
        """Of the sizes asked for: at most this where columns and offsets overlap, more where whole
        tiles are computed.
        """
        widths = [min(pattern.keys, tokens) for pattern in self._patterns(tokens)]
        pairs = sum(width * (width + 1) / 2 + (tokens - width) * width for width in widths) / len(
            widths
        )
        return pairs / (tokens * (tokens + 1) / 2)

    def _patterns(self, tokens: int) -> list[HeadPattern]:
        table = minference_patterns.read(self.table) if self.table is not None else ()
        return [
            self.pattern(at, head, tokens) for at, layer in enumerate(table) for head in layer
        ] or [self.pattern(0, 0, tokens)]

    def _mean_width(self, tokens: int) -> float:
        found = self._patterns(tokens)
        return sum(pattern.keys for pattern in found) / len(found)


def _mean_keys(table: minference_patterns.Table) -> Fraction:
    keys = [pattern.keys for layer in table for pattern in layer.values()] or [UNLISTED.keys]
    return max(Fraction(1), Fraction(sum(keys), len(keys)))


def vertical_slash_scores(
    q_TD: Tensor, k_TD: Tensor, scale: float, *, rows: int = units.ESTIMATE_ROWS
) -> tuple[Tensor, Tensor]:
    """Attention of the last `rows` rows summed per key and per offset (row - key): (T,)
    fp32 each.
    """
    tokens = len(q_TD)
    rows = min(rows, tokens)
    scores_MT = (q_TD[-rows:].float() @ k_TD.float().T) * scale
    hidden = torch.ones(rows, rows, dtype=torch.bool, device=q_TD.device).triu(1)
    scores_MT[:, tokens - rows :].masked_fill_(hidden, float("-inf"))
    weights_MT = torch.softmax(scores_MT, dim=-1)
    # Zeros around, one more column per row: read with rows one element longer, key j of row r
    # stands in column rows - 1 + j - r
    padded = functional.pad(weights_MT, (rows - 1, rows + 1)).flatten()
    width = tokens + 2 * rows
    diagonals = padded.as_strided((rows, tokens + rows - 1), (width + 1, 1)).sum(dim=0)
    return weights_MT.sum(dim=0), diagonals[:tokens].flip(0)  # column c holds the offset T - 1 - c


def best_blocks(q_TD: Tensor, k_TD: Tensor, count: int) -> Tensor:
    """The `count` key blocks per query block with the largest product of mean query and mean key,
    its own always among them: (R, C) bool.
    """
    queries, keys = (
        block_masks.block_means(q_TD, BLOCK_TOKENS),
        block_masks.block_means(k_TD, BLOCK_TOKENS),
    )
    return block_masks.best(
        queries @ keys.T, count, torch.eye(len(keys), dtype=torch.bool, device=q_TD.device)
    )
