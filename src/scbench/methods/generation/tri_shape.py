"""Tri-shape: A-shape, and the last rows of the prefix see everything."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar, Self

from scbench.errors import Mismatch
from scbench.kernels import Partial, causal, full, merge, rows_joined
from scbench.kv import CacheShape
from scbench.methods.contract import Generation
from scbench.methods.generation import plain_masks
from scbench.methods.generation.a_shape import BLOCK_ROWS, AShape
from scbench.methods.invariants import Invariants, Probed
from scbench.methods.stage import Stage
from scbench.methods.traits import Traits
from scbench.methods.units import dense_rows
from scbench.tensors import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class TriShape(Generation):
    """A-shape with dense rows at the bottom: the last `last_tokens` rows of what is read attend to
    everything.

    Source: SCBench (arXiv 2412.10319). The dense rows are meant for instruction and question, so
    where the protocol compresses after the first query they are read with the context; after the
    bare context they are context tokens, and little but A-shape is left. With a budget of K keys a
    row (default: 1/32 of the tokens) sinks and band are those of a-shape and last = max(32, K/32),
    which K does not pay for.
    """

    init_tokens: int | None = None
    local_tokens: int | None = None
    last_tokens: int | None = None
    tau: Fraction | None = None
    budget_tokens: int | None = None

    traits: ClassVar[Traits] = Traits(is_prefix_stable=False)

    def __post_init__(self) -> None:
        try:
            self.upper()
        except Mismatch as err:
            raise Mismatch(str(err).replace(AShape.name, self.name)) from None
        if self.last_tokens is not None and self.last_tokens < 0:
            raise Mismatch(f"{self}: last_tokens must be at least 0")

    def upper(self) -> AShape:
        """The pattern of all rows but the last."""
        return AShape(
            init_tokens=self.init_tokens,
            local_tokens=self.local_tokens,
            tau=self.tau,
            budget_tokens=self.budget_tokens,
        )

    def parts(self) -> tuple[Stage, ...]:
        return (self, self.upper())

    def notes(self, *, shape: CacheShape, tokens: int) -> tuple[str, ...]:
        return ("nearly_dense",) if 2 * self.sizes(tokens)[2] >= tokens else ()

    def sizes(self, tokens: int) -> tuple[int, int, int]:
        """(init, local, last) for a prefix of `tokens` tokens."""
        init, local = self.upper().sizes(tokens)
        last = dense_rows(init + local) if self.last_tokens is None else self.last_tokens
        return init, local, max(0, min(last, tokens - 1))

    def units(
        self, *, shape: CacheShape, tokens: int, question_tokens: int | None = None
    ) -> dict[str, int]:
        init, local, last = self.sizes(tokens)
        return {"init_tokens": init, "local_tokens": local, "last_tokens": last}

    def lossless(self, tokens: int) -> Self:
        return replace(self, tau=None, budget_tokens=2 * tokens + 16)

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        try:
            self.upper().check(shape=shape, tokens=tokens)
        except Mismatch as err:
            raise Mismatch(str(err).replace(AShape.name, self.name)) from None

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
        tokens, seen = q_HGTD.shape[2], k_HSD.shape[1]
        dense_rows = min(tokens, max(0, seen - (total_tokens - self.sizes(total_tokens)[2])))
        upper_rows = tokens - dense_rows
        rows_parts = []
        if upper_rows:  # whole blocks of rows, as A-shape would compute them: the same bits
            rows = min(tokens, -(-upper_rows // BLOCK_ROWS) * BLOCK_ROWS)
            end = seen - tokens + rows
            upper = self.upper().attend(
                q_HGTD[:, :, :rows],
                k_HSD[:, :end],
                v_HSD[:, :end],
                layer=layer,
                scale=scale,
                total_tokens=total_tokens,
            )
            rows_parts.append(Partial(*(x[:, :, :upper_rows] for x in upper)))
        if dense_rows:
            q, before = q_HGTD[:, :, upper_rows:], seen - dense_rows
            parts = [causal(q, k_HSD[:, before:], v_HSD[:, before:], scale=scale)]
            if before:
                parts.append(full(q, k_HSD[:, :before], v_HSD[:, :before], scale=scale))
            rows_parts.append(merge(parts))
        return rows_joined(rows_parts)

    def invariants(self) -> Invariants:
        return {
            "rows read the first keys and their band, the last rows everything": (
                plain_masks.rows_read(self._plain)
            )
        }

    def _plain(self, probed: Probed) -> Tensor:
        tokens = probed.k_HSD.shape[1]
        return plain_masks.with_last_rows(tokens, *self.sizes(tokens))

    def computed_share(self, tokens: int) -> float:
        init, local, last = self.sizes(tokens)
        upper = tokens - last
        width = min(init + local, upper)
        pairs = width * (width + 1) / 2 + (upper - width) * width + last * (upper + tokens + 1) / 2
        return pairs / (tokens * (tokens + 1) / 2)
