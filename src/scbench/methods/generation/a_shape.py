"""A-shape: while the context is read, a token sees the first tokens and a local band."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Self

from scbench.errors import Mismatch
from scbench.kernels import Partial, masked, rows_joined
from scbench.kv import CacheShape
from scbench.methods.contract import DEFAULT_SHARE, Generation, rounded, smallest_share
from scbench.methods.generation import plain_masks
from scbench.methods.invariants import Invariants, Probed
from scbench.methods.units import sinks
from scbench.tensors import Tensor, torch

MINIMUM_TOKENS = 8
# query rows that share one gathered set of keys; a row's own mask is exact whatever this is
BLOCK_ROWS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class AShape(Generation):
    """Row i sees key j <= i if j < init_tokens or i - j < local_tokens; the same for all heads and
    layers.

    Source: the static pattern of SCBench (arXiv 2412.10319), after StreamingLLM (arXiv 2309.17453)
    as a mask. The full K and V stay. With a budget of K keys a row (default: 1/32 of the tokens):
    init = max(4, K/32), local = K - init. Decoding and follow-ups are dense.
    """

    init_tokens: int | None = None
    local_tokens: int | None = None
    tau: Fraction | None = None
    budget_tokens: int | None = None

    def __post_init__(self) -> None:
        if self.tau is not None and self.budget_tokens is not None:
            raise Mismatch(
                f"a-shape was given tau={self.tau} and budget_tokens={self.budget_tokens}; give "
                f"one of them"
            )
        if self.tau is not None and not 0 < self.tau <= 1:
            raise Mismatch(f"a-shape[tau={self.tau}]: a share lies in (0, 1]; for instance tau=1/8")
        if (self.init_tokens is None) != (self.local_tokens is None):
            raise Mismatch(
                f"{self}: give init_tokens and local_tokens together, or a budget (tau, "
                f"budget_tokens)"
            )
        if (
            self.init_tokens is not None
            and self.local_tokens is not None
            and (self.init_tokens < 0 or self.local_tokens < 1)
        ):
            raise Mismatch(
                f"{self}: local_tokens must be at least 1 (a token sees itself) and init_tokens at "
                f"least 0"
            )

    def sizes(self, tokens: int) -> tuple[int, int]:
        """(init, local) for a context of `tokens` tokens."""
        if (
            self.tau is None
            and self.budget_tokens is None
            and self.init_tokens is not None
            and self.local_tokens is not None
        ):
            return self.init_tokens, self.local_tokens
        share = self.tau if self.tau is not None else DEFAULT_SHARE
        budget = self.budget_tokens or max(
            MINIMUM_TOKENS if self.tau is None else 0, rounded(share * tokens)
        )
        init = sinks(budget)
        return init, budget - init

    def units(
        self, *, shape: CacheShape, tokens: int, question_tokens: int | None = None
    ) -> dict[str, int]:
        init, local = self.sizes(tokens)
        return {"init_tokens": init, "local_tokens": local}

    def lossless(self, tokens: int) -> Self:
        return replace(self, tau=None, budget_tokens=2 * tokens + 16)

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        init, local = self.sizes(tokens)
        if (self.tau is not None or self.budget_tokens is not None) and init + local < min(
            8, tokens
        ):
            least = smallest_share(min(8, tokens), tokens)
            raise Mismatch(
                f"{self} computes {init + local} keys a row of {tokens:,} tokens; at least 8 are "
                f"needed, that is tau={least}"
            )

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
        init, local = self.sizes(total_tokens)
        tokens, seen = q_HGTD.shape[2], k_HSD.shape[1]
        first_row = seen - tokens
        parts = []
        for start in range(0, tokens, BLOCK_ROWS):
            stop = min(start + BLOCK_ROWS, tokens)
            parts.append(
                self._block(
                    q_HGTD[:, :, start:stop], k_HSD, v_HSD, first_row + start, init, local, scale
                )
            )
        return rows_joined(parts)

    def _block(
        self,
        q_HGTD: Tensor,
        k_HSD: Tensor,
        v_HSD: Tensor,
        row: int,
        init: int,
        local: int,
        scale: float,
    ) -> Partial:
        """Rows row .. row + T - 1, over the sinks and the union of their bands; no key is gathered
        twice.
        """
        end = row + q_HGTD.shape[2]
        band_start = max(0, row - local + 1)
        sinks = min(init, band_start)
        keys = torch.cat([torch.arange(sinks), torch.arange(band_start, end)]).to(k_HSD.device)
        rows = torch.arange(row, end, device=k_HSD.device).unsqueeze(1)
        visible = (keys <= rows) & ((keys < init) | (rows - keys < local))
        if sinks == band_start:  # nothing is skipped: the keys are one slice, no copy needed
            return masked(q_HGTD, k_HSD[:, :end], v_HSD[:, :end], visible, scale=scale)
        return masked(q_HGTD, k_HSD[:, keys], v_HSD[:, keys], visible, scale=scale)

    def invariants(self) -> Invariants:
        return {"rows read the first keys and their band": plain_masks.rows_read(self._plain)}

    def _plain(self, probed: Probed) -> Tensor:
        tokens = probed.k_HSD.shape[1]
        return plain_masks.band(tokens, *self.sizes(tokens))

    def computed_share(self, tokens: int) -> float:
        init, local = self.sizes(tokens)
        width = min(init + local, tokens)
        pairs = width * (width + 1) / 2 + (tokens - width) * width
        return pairs / (tokens * (tokens + 1) / 2)
