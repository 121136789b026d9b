"""The numbers of a model that set the size of its cache."""

from __future__ import annotations

from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheShape:
    """`attention_layers` are the indices (of all layers) that keep K and V; a pure recurrent model has none."""

    layers: int
    attention_layers: tuple[int, ...]
    query_heads: int
    kv_heads: int
    head_dim: int
    dtype_bytes: int
    recurrent_bytes: int = 0  # of all recurrent layers together, independent of the tokens read
    model_digest: str = field(
        default="", compare=False
    )  # whose cache this is, so that a file made for one model is refused by another; "" where weights are not known

    @property
    def group(self) -> int:
        return self.query_heads // self.kv_heads if self.kv_heads else 0

    @property
    def token_bytes(self) -> int:
        """KV bytes of one token over all layers: 2 L Hk d e (131,072 for Llama-3.1-8B in 16 bit)."""
        return 2 * len(self.attention_layers) * self.kv_heads * self.head_dim * self.dtype_bytes

    def counted(self, dtype_bytes: int) -> CacheShape:
        """The same cache with numbers of `dtype_bytes`, recurrent states included."""
        states = self.recurrent_bytes * dtype_bytes // max(1, self.dtype_bytes)
        return replace(self, dtype_bytes=dtype_bytes, recurrent_bytes=states)

    def dense_bytes(self, tokens: int) -> int:
        """What the full cache of `tokens` tokens holds."""
        return self.token_bytes * tokens + self.recurrent_bytes
