"""XAttention: sums along antidiagonals of strided queries and keys say which blocks matter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from scbench.errors import Mismatch
from scbench.kernels import Partial, causal, sparse
from scbench.kv import CacheShape
from scbench.methods.contract import Generation
from scbench.methods.generation import block_masks, plain_masks
from scbench.methods.invariants import Invariants, Probed, Trial
from scbench.methods.stage import Budgeted
from scbench.methods.units import BLOCK, stride_of, unit
from scbench.tensors import Tensor, functional, torch

ESTIMATE_BYTES = (
    1 << 20
)  # of estimated scores at a time: what lies in a core's cache (three times faster than 16 MiB)


STRIDE = 8  # the paper's, of its blocks of 128


@dataclass(frozen=True, slots=True, kw_only=True)
class XAttention(Budgeted, Generation):
    """Each row block sees the fewest key blocks whose estimated attention reaches `threshold`,
    first and own block always among them.

    Source: XAttention (arXiv 2503.16428). A tile of `stride` x `stride` scores is estimated by its
    antidiagonal, one product of `stride` keys side by side with as many queries in reverse; softmax
    over the estimates, summed into blocks. Exact causal attention inside the blocks. `block_tokens`
    and `stride` are 128 and 8 with `threshold`. With a budget of K keys a row (default: 1/32 of the
    tokens) the count of blocks is fixed instead: K / block of them, with blocks by the rule of
    units, near min(T / 128, K / 16) up to 128, and a stride of block / 16 within 2 .. 8.
    """

    threshold: float | None = None
    block_tokens: int | None = None
    stride: int | None = None
    norm: float = 1.0

    is_one_shot: ClassVar[bool] = True
    minimum_tokens: ClassVar[int] = 48
    _unit_fields: ClassVar[tuple[str, ...]] = ("block_tokens", "stride")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.threshold is not None and (self.tau is not None or self.budget_tokens is not None):
            raise Mismatch(
                f"{self} has a threshold and a budget; a budget replaces the threshold by a count "
                f"of blocks: give one of them"
            )
        if self.threshold is not None and self.threshold <= 0:
            raise Mismatch(
                f"{self}: threshold is a share of the attention above 0; 1 keeps everything"
            )
        block = BLOCK if self.block_tokens is None else self.block_tokens
        stride = self.stride
        if stride is None:
            stride = stride_of(block) if self.threshold is None else STRIDE
        if block < 1 or stride < 1 or block % stride:
            raise Mismatch(f"{self}: block_tokens must be a multiple of stride, both at least 1")
        if not self.norm > 0:
            raise Mismatch(f"{self}: norm must be above 0")

    def sizes(self, tokens: int) -> tuple[int, int, int | None]:
        """(block, stride, blocks per row block; None where the threshold decides) for a prefix of
        `tokens` tokens.
        """
        if self.threshold is not None:
            block = self.block_tokens or BLOCK
            return block, self.stride or STRIDE, None
        budget = self.budget(tokens)
        block = self.block_tokens or unit(tokens=tokens, budget=budget, most=BLOCK)
        return block, self.stride or stride_of(block), max(1, budget // block)

    def units(
        self, *, shape: CacheShape, tokens: int, question_tokens: int | None = None
    ) -> dict[str, int]:
        block, stride, _ = self.sizes(tokens)
        return {"block_tokens": block, "stride": stride}

    def _under_rule(self, tokens: int) -> Self:
        """A threshold has no budget, and the context alone says how large a block may be."""
        bare = replace(self, block_tokens=None, stride=None, threshold=None)
        return bare if self.threshold is None else replace(bare, budget_tokens=max(48, tokens))

    def lossless(self, tokens: int) -> Self:
        return replace(self, threshold=None, tau=None, budget_tokens=tokens + 128)

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        if self.threshold is None:
            super().check(shape=shape, tokens=tokens)
        if self.threshold is None and self.block_tokens is not None:
            budget, block = self.budget(tokens), self.block_tokens
            self._check_unit("block_tokens", block, units=3, tokens=tokens, budget=budget)

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
        block, stride, count = self.sizes(total_tokens)
        if (self.threshold is not None and self.threshold >= 1) or (
            count is not None and count * block >= total_tokens
        ):
            return causal(q_HGTD, k_HSD, v_HSD, scale=scale)
        seen = [
            [self.seen(q_TD, k_TD, block, stride, count, scale) for q_TD in q_GTD]
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

    def seen(
        self, q_TD: Tensor, k_TD: Tensor, block: int, stride: int, count: int | None, scale: float
    ) -> Tensor:
        """Key blocks each row block of a head sees, (R, C) bool."""
        mass_RC = block_masses(q_TD, k_TD, block, stride, scale / self.norm)
        forced = torch.eye(len(mass_RC), dtype=torch.bool, device=q_TD.device)
        forced[:, 0] = True
        if count is not None:
            return block_masks.best(mass_RC, count, forced)
        assert self.threshold is not None
        return block_masks.fewest(mass_RC, self.threshold, forced) & block_masks.past(
            len(mass_RC), q_TD.device
        )

    def invariants(self) -> Invariants:
        return {
            "rows read the blocks of the largest antidiagonals": (
                plain_masks.rows_read(self._plain)
            ),
            "rows read as many blocks as they may": self._fills,
        }

    def _fills(self, trial: Trial) -> str | None:
        if not self._has_budget:
            return None
        block, tokens = self.sizes(trial.tokens)[0], trial.tokens
        last = -(-tokens // block) - 1
        count = self.budget(tokens) // block
        keys = int(trial.probed.mask_HGTS[0, 0, last * block - 1].sum())
        wanted = min(count * block, last * block)
        return "" if keys == wanted else f"a late row reads {keys} keys; {wanted} were asked for"

    def _plain(self, probed: Probed) -> Tensor:
        return plain_masks.antidiagonals(self, probed.k_HSD.shape[1])(probed)

    def computed_share(self, tokens: int) -> float:
        """Of the blocks a budget buys; under a threshold the text decides, and 1 is the bound."""
        block, _, count = self.sizes(tokens)
        if count is None:
            return 1.0
        width = min(count * block, tokens)
        return (width * (width + 1) / 2 + (tokens - width) * width) / (tokens * (tokens + 1) / 2)


def block_masses(q_TD: Tensor, k_TD: Tensor, block: int, stride: int, scale: float) -> Tensor:
    """Estimated attention from each row block to each key block, (R, C) fp32; rows sum to the
    strided rows they hold. Stride 1 is exact.

    Strided row I and key J meet in s = sum over r of q[I stride + stride - 1 - r] . k[J stride +
    r], times scale / stride; causal in I, J.
    """
    tokens, dim = q_TD.shape
    padded_q, padded_k = (
        functional.pad(x.float(), (0, 0, 0, -tokens % block)) for x in (q_TD, k_TD)
    )
    q_NE = padded_q.reshape(-1, stride, dim).flip(1).flatten(1) * (scale / stride)
    k_EN = padded_k.reshape(-1, stride, dim).flatten(1).T.contiguous()
    strided, per_block, real = k_EN.shape[1], block // stride, -(-tokens // stride)
    mass_RC = torch.zeros(strided // per_block, strided // per_block, device=q_TD.device)
    step = min(strided, max(1, ESTIMATE_BYTES // (4 * strided * per_block)) * per_block)
    future = torch.ones(step, step, dtype=torch.bool, device=q_TD.device).triu(1)
    for start in range(0, strided, step):
        stop = min(start + step, strided)
        scores = q_NE[start:stop] @ k_EN[:, :stop]
        scores[:, start:].masked_fill_(future[: stop - start, : stop - start], float("-inf"))
        weights = torch.softmax(scores, dim=-1)
        weights[max(0, real - start) :] = 0.0  # rows of padding alone
        by_row_block = weights.view(-1, per_block, stop).sum(dim=1)
        sums = by_row_block.view(len(by_row_block), -1, per_block).sum(dim=2)
        mass_RC[start // per_block : stop // per_block, : stop // per_block] = sums
    return mass_RC
