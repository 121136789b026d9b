"""Recurrent states as part of a stream, and the cache object `transformers` wants to see for models
that have them.
"""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin, DynamicCache, LinearAttentionLayer


class PassThrough(CacheLayerMixin):  # type: ignore[misc]
    """Stands where `transformers` keeps K and V: hands them on untouched, because our attention
    function stores them itself.
    """

    is_sliding = False

    def __init__(self, logical_tokens: int = 0) -> None:
        super().__init__()
        self.logical_tokens = logical_tokens
        self.is_initialized = True

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None: ...

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        return key_states, value_states

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.logical_tokens + query_length, 0

    def get_seq_length(self) -> int:
        return self.logical_tokens

    def get_max_length(self) -> int:
        return -1


class States:
    """All recurrent layers of one stream. Copying is the only way to share them: a state cannot be
    cropped.
    """

    def __init__(self, cache: Any) -> None:
        self.cache = cache

    @classmethod
    def empty(cls, config: Any) -> States:
        layers = DynamicCache(config=config).layers
        return cls(
            Cache(
                layers=[
                    layer if isinstance(layer, LinearAttentionLayer) else PassThrough()
                    for layer in layers
                ]
            )
        )

    def copy(self) -> States:
        return States(Cache(layers=[copy.deepcopy(layer) for layer in self.cache.layers]))

    def seen(self, logical_tokens: int) -> None:
        """Tell the attention layers' stand-ins how many tokens came before."""
        for layer in self.cache.layers:
            if isinstance(layer, PassThrough):
                layer.logical_tokens = logical_tokens

    def by_layer(self) -> dict[int, list[Tensor]]:
        """The tensors of each layer that has states."""
        held: dict[int, list[Tensor]] = {}
        for name, x in self.tensors().items():
            held.setdefault(int(name.split(".")[1]), []).append(x)
        return held

    def tensors(self) -> dict[str, Tensor]:
        held: dict[str, Tensor] = {}
        for index, layer in enumerate(self.cache.layers):
            if isinstance(layer, LinearAttentionLayer):
                for kind in ("conv_states", "recurrent_states"):
                    values = getattr(layer, kind, None)
                    for at, x in enumerate(
                        values.values() if isinstance(values, dict) else values or []
                    ):
                        if x is not None:
                            held[f"{kind}.{index}.{at}"] = x
        return held
