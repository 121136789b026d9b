"""Pools of stored caches: found again by the tokens they begin with.

    Pool         whole snapshots in memory, each with its own data even where tokens agree (chunks
                 read in different surroundings)
    PrefixPool   every block of a prefix once, in memory and then on disk; what vLLM, SGLang and
                 LMCache do between requests

A block's hash folds in the hash before it, so equal hashes mean "these tokens after that prefix,
read in that way".
"""

from scbench.kv.pool.disk import DiskTier
from scbench.kv.pool.file import CacheWarning
from scbench.kv.pool.prefix import PrefixPool
from scbench.kv.pool.stats import PoolStats
from scbench.kv.pool.whole import Hit, Pool

__all__ = ["CacheWarning", "DiskTier", "Hit", "Pool", "PoolStats", "PrefixPool"]
