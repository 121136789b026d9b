"""Prefix reuse through a pool: what vLLM, SGLang and LMCache do between requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scbench.errors import Mismatch
from scbench.kv import CacheShape
from scbench.kv.pool import DiskTier, PrefixPool
from scbench.methods.contract import Retrieval
from scbench.methods.traits import Traits

RESERVED = frozenset("[],")  # a method's spelling ends a parameter with them


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixReuse(Retrieval):
    """Every request looks the whole of its prompt up in a pool of stored caches, reuses the longest
    prefix of whole blocks, computes the rest.

    Source: automatic prefix caching (vLLM's block of 16, LMCache's chunk of 256). Exact: the
    answers are those of the method without it; what is measured are hit tokens, where they came
    from, and the seconds they save. Blocks that do not fit into `capacity_mib` fall to a folder of
    at most `disk_mib` (none: there is no disk tier; 0: no limit), least recently used first;
    without `folder` it is one under TMPDIR that goes with the pool. A pool belongs to one cell, so
    hits do not depend on what else is in the grid; a named folder is what outlives it, and may be
    shared by any number of runs. What is stored is always the cache before compression:
    docs/decisions/0064-prefix-pool.md.
    """

    block_tokens: int = 16
    capacity_mib: int = 0  # 0: no limit
    disk_mib: int | None = None
    folder: str = ""

    traits: ClassVar[Traits] = Traits(is_pooled=True)

    def __post_init__(self) -> None:
        if self.block_tokens < 1 or self.capacity_mib < 0 or (self.disk_mib or 0) < 0:
            raise Mismatch(
                f"{self}: block_tokens is at least 1, capacity_mib and disk_mib at least 0 (0 "
                f"means no limit; disk_mib=none: no disk)"
            )
        if self.folder and self.disk_mib is None:
            raise Mismatch(
                f"{self} names a folder and no size; say disk_mib, the most it may hold in MiB (0: "
                f"no limit)"
            )
        if stray := sorted(RESERVED & set(self.folder)) or [
            sign for sign in self.folder if not sign.isprintable()
        ]:
            raise Mismatch(
                f"{self.folder!r} holds {stray[0]!r}, which cannot stand in a method's spelling; "
                f"name another folder"
            )

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        if shape.has_states:
            raise Mismatch(
                f"{self}: a recurrent state covers all tokens it has seen, so a stored cache "
                f"cannot serve a shorter prefix; use dense"
            )

    def prefix_pool(self, made_by: str, device: str) -> PrefixPool:
        disk = (
            None
            if self.disk_mib is None
            else DiskTier(self.folder or None, self.disk_mib << 20 or None)
        )
        return PrefixPool(
            block_tokens=self.block_tokens,
            capacity_bytes=self.capacity_mib << 20 or None,
            made_by=made_by,
            disk=disk,
            device=device,
        )
