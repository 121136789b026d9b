"""TOVA: the last query alone ranks the slots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from scbench.errors import Mismatch
from scbench.kv import LayerView
from scbench.methods.compression.snapkv import window_attention
from scbench.methods.contract import WINDOW, Eviction


@dataclass(frozen=True, slots=True, kw_only=True)
class TOVA(Eviction):
    """Score = attention of the last query, mean over all query heads of the layer: one ranking per layer, and all heads hold the same slots.

    Source: Transformers are Multi-State RNNs (arXiv 2401.06104). Compressed after the bare context, the last token is a context token and the
    ranking nearly arbitrary: read its numbers by timing. The last token itself always stays.
    """

    capacity_tokens: int | None = None

    name: ClassVar[str] = "tova"
    category: ClassVar[str] = "KV dropping"
    paper: ClassVar[str] = "TOVA, arXiv 2401.06104"
    presets: ClassVar[dict[str, dict[str, object]]] = {"paper": {"capacity_tokens": 2048}, "code": {}}
    needs: ClassVar[frozenset[str]] = frozenset({WINDOW})
    minimum_tokens: ClassVar[int] = 4
    comparable: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super(TOVA, self).__post_init__()
        if self.capacity_tokens is not None and self.capacity_tokens < self.minimum_tokens:
            raise Mismatch(f"{self}: capacity_tokens is at least {self.minimum_tokens}")

    def own_tokens(self) -> int | None:
        return self.capacity_tokens

    def rank(self, view: LayerView) -> Tensor:
        observed = view.observed.window_HGWD
        assert observed is not None, "the last query is needed and the read did not observe it"
        weights_S = window_attention(observed[:, :, -1:], view.k_HSD, scale=view.scale).mean(dim=(0, 1))
        weights_S[-1] = float("inf")
        return weights_S.expand(view.k_HSD.shape[0], -1)
