"""What a pool has done so far."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class PoolStats:
    """Counters since the pool was made. Tokens of a lookup are memory hits, disk hits or misses,
    and add up to what was asked.
    """

    memory_tokens: int = 0
    disk_tokens: int = 0
    miss_tokens: int = 0
    read_bytes: int = 0  # of files
    dropped: int = 0  # pieces that left memory and found no place on disk
    bad_files: int = 0  # damaged, cut short, foreign or unreadable: each was a miss
    vanished: int = 0  # files another process removed in between: a miss
    failed_writes: int = 0

    @property
    def hit_tokens(self) -> int:
        return self.memory_tokens + self.disk_tokens
