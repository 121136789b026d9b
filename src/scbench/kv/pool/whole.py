"""A pool of whole snapshots in memory, each with data of its own."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from scbench.errors import BadConfig
from scbench.kv.pool.chain import links, root
from scbench.kv.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Hit:
    """A stored snapshot and how many of its first tokens a request may reuse (a whole number of
    blocks).
    """

    snapshot: Snapshot
    tokens: int
    disk_tokens: int = 0  # of these, from disk
    read_bytes: int = 0  # of files, whole
    seconds: float = 0.0  # to find and fetch


class Pool:
    """Snapshots by the chained hash of their blocks, least recently used out first when
    `capacity_bytes` is passed.

    The hash of block n covers the hash of block n - 1, its own tokens, and `salt` (model, dtype,
    positions, method): equal hashes mean "these tokens after that prefix, read in that way". Bytes
    shared by two snapshots are counted once for each.
    """

    def __init__(
        self, *, block_tokens: int, capacity_bytes: int | None = None, salt: str = ""
    ) -> None:
        if block_tokens < 1:
            raise BadConfig(f"block_tokens={block_tokens}: a block holds at least one token")
        self.block_tokens, self.capacity_bytes, self.salt = block_tokens, capacity_bytes, salt
        self._entries: OrderedDict[str, Snapshot] = OrderedDict()  # by digest of all ids
        self._by_block: dict[
            bytes, str
        ] = {}  # hash of a block chain -> the newest entry that has it
        self._chains: dict[str, list[bytes]] = {}  # entry -> its block chains
        self.hit_tokens = self.miss_tokens = 0

    def hashes(self, ids: Sequence[int]) -> list[bytes]:
        """Chained hash of every whole block of `ids`."""
        return links(ids, self.block_tokens, root(self.salt))

    def lookup(self, ids: Sequence[int]) -> Hit | None:
        """The longest run of whole blocks that some stored snapshot begins with; counts hit and
        missed tokens. At least one token is left to compute, because a request needs the logits
        after its last token.
        """
        usable = self.hashes(ids[: max(0, len(ids) - 1)])
        for blocks in range(len(usable), 0, -1):
            key = self._by_block.get(usable[blocks - 1])
            if key is not None and self._entries[key].ids[: blocks * self.block_tokens] == tuple(
                ids[: blocks * self.block_tokens]
            ):
                self._entries.move_to_end(key)
                self.hit_tokens += blocks * self.block_tokens
                self.miss_tokens += len(ids) - blocks * self.block_tokens
                return Hit(self._entries[key], blocks * self.block_tokens)
        self.miss_tokens += len(ids)
        return None

    def put(self, snapshot: Snapshot) -> None:
        """Keep a sealed snapshot; the least recently used leave first when the pool is full."""
        snapshot.check()
        key = hashlib.sha256(repr(snapshot.ids).encode()).hexdigest()
        self._entries[key] = snapshot
        self._entries.move_to_end(key)
        self._chains[key] = self.hashes(snapshot.ids)
        self._by_block |= dict.fromkeys(self._chains[key], key)
        while (
            self.capacity_bytes is not None
            and self.held_bytes() > self.capacity_bytes
            and len(self._entries) > 1
        ):
            gone, _ = self._entries.popitem(last=False)
            del self._chains[gone]
            # the blocks of the one that left may be held by others too
            self._by_block = {chain: key for key in self._entries for chain in self._chains[key]}

    def held_bytes(self) -> int:
        return sum(snapshot.held_bytes() for snapshot in self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)
