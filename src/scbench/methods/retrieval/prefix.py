"""Prefix reuse through a pool: what vLLM and SGLang do between requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from scbench.errors import Mismatch
from scbench.kv import CacheShape
from scbench.kv.pool import Hit, Pool
from scbench.methods.contract import Retrieval


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixReuse(Retrieval):
    """Every request looks the whole of its prompt up in a pool of stored caches, reuses the longest prefix of whole blocks, computes the rest.

    Source: automatic prefix caching (vLLM's block of 16, LMCache's chunk of 256). Exact: the answers are those of dense; what is measured are
    hit tokens and the seconds they save. The pool lives as long as the run's session group and evicts least recently used snapshots first.
    """

    block_tokens: int = 16
    capacity_mib: int = 0  # 0: no limit

    name: ClassVar[str] = "prefix"
    category: ClassVar[str] = "KV retrieval"
    paper: ClassVar[str] = "automatic prefix caching (PagedAttention, arXiv 2309.06180; RadixAttention, arXiv 2312.07104)"
    bytes_formula: ClassVar[str] = "2 H T D e per cached token"
    difference: ClassVar[str] = "exact, and counted: hit tokens and what they save, within one session"
    presets: ClassVar[dict[str, dict[str, object]]] = {"code": {"block_tokens": 16}, "lmcache": {"block_tokens": 256}}
    pooled: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.block_tokens < 1 or self.capacity_mib < 0:
            raise Mismatch(f"{self}: block_tokens is at least 1 and capacity_mib at least 0 (0 means no limit)")

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        if shape.recurrent_bytes:
            raise Mismatch(
                f"{self}: a recurrent state covers all tokens it has seen, so a stored cache cannot serve a shorter prefix; use dense"
            )

    def pool(self, salt: str) -> Pool:
        """An empty pool with this stage's block and capacity."""
        return Pool(block_tokens=self.block_tokens, capacity_bytes=self.capacity_mib << 20 or None, salt=salt)

    def lookup(self, pool: Pool, ids: Sequence[int]) -> Hit | None:
        return pool.lookup(ids)
