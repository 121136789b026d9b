"""Prompt compression: the model reads a shorter text, and reads it densely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scbench.kernels import Partial, causal, full, merge
from scbench.methods.contract import Generation
from scbench.methods.traits import Traits
from scbench.tensors import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class ShorterText(Generation):
    """Leaves only `kept_ranges` of the context; says which."""

    traits: ClassVar[Traits] = Traits(is_rewriting=True)

    def kept_ranges(self, context: str) -> list[tuple[int, int]]:
        raise NotImplementedError

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
        before = k_HSD.shape[1] - q_HGTD.shape[2]
        parts = [causal(q_HGTD, k_HSD[:, before:], v_HSD[:, before:], scale=scale)]
        if before:
            parts.append(full(q_HGTD, k_HSD[:, :before], v_HSD[:, :before], scale=scale))
        return merge(parts)
