"""The prefix pool: every block of every prefix once, in memory or on disk, found by the longest
prefix.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from scbench.errors import BadConfig, Mismatch
from scbench.kv.pool import chain
from scbench.kv.pool.disk import Disk, DiskTier
from scbench.kv.pool.memory import Memory
from scbench.kv.pool.segment import Ending, Segment, segment_of
from scbench.kv.pool.stats import PoolStats
from scbench.kv.pool.whole import Hit
from scbench.kv.snapshot import Rotate, Snapshot
from scbench.kv.store import DenseStore
from scbench.tensors import torch


class Run(NamedTuple):
    """Tokens [start, stop) of a prefix that one segment holds, in memory or on disk."""

    name: str
    on_disk: bool
    start: int
    stop: int


class PrefixPool:
    """Snapshots by their tokens. What a snapshot shares with others, in whole blocks, is kept once.

    Memory never holds more than `capacity_bytes`, the disk never more than its own limit (None: no
    limit). What falls out of memory goes to disk, if there is one; what is hit on disk comes back
    to memory and stays on disk. Both forget what was used longest ago, and continuations before
    what they continue. `made_by` covers all that makes caches of equal tokens differ: model, dtype,
    positions, method, versions. Not for several threads; any number of processes may share a
    folder.
    """

    def __init__(
        self,
        *,
        block_tokens: int,
        capacity_bytes: int | None = None,
        made_by: str = "",
        disk: DiskTier | None = None,
        device: str = "cpu",
    ) -> None:
        if block_tokens < 1:
            raise BadConfig(f"block_tokens={block_tokens}: a block holds at least one token")
        self.block_tokens = block_tokens
        self.stats = PoolStats()
        self.memory = Memory(capacity_bytes)
        self.disk = (
            None if disk is None else Disk(disk, made_by=made_by, stats=self.stats, device=device)
        )
        self._root = chain.root(made_by)
        self._rotate: Rotate | None = None

    # -- put ---------------------------------------------------------------------------------------

    def put(self, snapshot: Snapshot, *, carrying: frozenset[str] | None = None) -> None:
        """Keep what of a snapshot is not in memory yet. Its tensors are shared where its pieces are
        just that, else copied.

        `carrying` None: whole blocks. A set: also where it ends, with what was observed of it (the
        needs so named), for `lookup(carrying=...)`. Raises Mismatch for recurrent states, which
        cannot be cut.
        """
        snapshot.check()
        if snapshot.recurrent is not None:
            raise Mismatch(
                "a recurrent state covers all tokens it has seen; a pool of prefixes cannot cut it "
                "into blocks"
            )
        self._rotate = snapshot.rotate or self._rotate
        found = chain.links(snapshot.ids, self.block_tokens, self._root)
        whole = len(found) * self.block_tokens
        ending = None if carrying is None else _ending(snapshot, carrying)
        runs = chain.gaps(found, self.memory.has)
        if (
            ending is not None
            and not (runs and runs[-1][1] == len(found))
            and not self._ends_here(found, snapshot.ids[whole:], ending)
        ):
            runs.append((len(found), len(found)))
        dropped = []
        for first, stop in runs:
            segment = segment_of(
                snapshot,
                found,
                first,
                stop,
                root=self._root,
                block_tokens=self.block_tokens,
                ending=ending,
            )
            if not self.memory.add(segment):
                dropped.append(segment)
        end = chain.end_mark(found[-1] if found else self._root, snapshot.ids[whole:])
        self.memory.touch(self._names(found, end if carrying is not None else None))
        self._fall([*dropped[::-1], *self.memory.shrink()])

    def _ends_here(self, found: Sequence[bytes], tail: Sequence[int], ending: Ending) -> bool:
        held = self.memory.by_end(chain.end_mark(found[-1] if found else self._root, tail))
        return (
            held is not None and held.ending is not None and ending.carries <= held.ending.carries
        )

    def _names(self, found: Sequence[bytes], end: bytes | None) -> list[str]:
        """The segments in memory of a chain, its last one first."""
        last = self.memory.by_end(end) if end is not None else None
        held = [last, *(self.memory.by_link(link) for link in reversed(found))]
        return list(dict.fromkeys(segment.name for segment in held if segment is not None))

    def _fall(self, segments: Sequence[Segment]) -> None:
        """Segments that have no place in memory: to disk, or gone."""
        for segment in segments:
            if self.disk is None:
                self.stats.dropped += 1
            else:
                self.disk.store(segment)

    # -- lookup ------------------------------------------------------------------------------------

    def lookup(
        self, ids: Sequence[int], *, carrying: frozenset[str] | None = None, leave_tokens: int = 1
    ) -> Hit | None:
        """The longest stored prefix of `ids`, in whole blocks; with `carrying`, the longest that
        was put with (at least) those observations, whole.

        At least `leave_tokens` are left to compute: a request needs the logits after its last
        token.
        """
        began, read_bytes = time.perf_counter(), self.stats.read_bytes
        usable = tuple(ids[: max(0, len(ids) - leave_tokens)])
        found = chain.links(usable, self.block_tokens, self._root)
        if self.disk is not None:
            self.disk.refresh()
        held: dict[Run, Segment] | None = None
        while held is None:  # a file that turns out bad is gone from the plan, so this ends
            runs = self._blocks(found) if carrying is None else self._whole(usable, found, carrying)
            held = self._fetched(runs, usable)
        tokens = runs[-1].stop if runs else 0
        on_disk = sum(run.stop - run.start for run in runs if run.on_disk)
        self.stats.disk_tokens += on_disk
        self.stats.memory_tokens += tokens - on_disk
        self.stats.miss_tokens += len(ids) - tokens
        if not runs:
            return None
        self._used(held, found[: tokens // self.block_tokens], runs, carrying)
        return Hit(
            self._assembled(held, usable[:tokens], carrying),
            tokens,
            disk_tokens=on_disk,
            read_bytes=self.stats.read_bytes - read_bytes,
            seconds=time.perf_counter() - began,
        )

    def held_tokens(self, ids: Sequence[int], *, carrying: frozenset[str] | None = None) -> int:
        """How much of `ids` a lookup that leaves none would find, as far as headers tell; nothing
        is fetched, counted or touched.
        """
        found = chain.links(ids, self.block_tokens, self._root)
        if self.disk is not None:
            self.disk.refresh()
        runs = self._blocks(found) if carrying is None else self._whole(ids, found, carrying)
        return runs[-1].stop if runs else 0

    def _blocks(self, found: Sequence[bytes]) -> list[Run]:
        """Where the longest run of leading blocks is, memory before disk."""
        runs: list[Run] = []
        for at, link in enumerate(found):
            segment = self.memory.by_link(link)
            on_disk = None if segment is not None or self.disk is None else self.disk.by_link(link)
            if segment is None and on_disk is None:
                break
            name = (
                segment.name if segment is not None else on_disk[0] if on_disk is not None else ""
            )
            start, stop = at * self.block_tokens, (at + 1) * self.block_tokens
            if runs and runs[-1][:2] == (name, segment is None):
                runs[-1] = runs[-1]._replace(stop=stop)
            else:
                runs.append(Run(name, segment is None, start, stop))
        return runs

    def _whole(
        self, usable: Sequence[int], found: Sequence[bytes], carries: frozenset[str]
    ) -> list[Run]:
        """Where the longest prefix is that was put with these observations."""
        ends = self.memory.ends() | (self.disk.ends() if self.disk is not None else set())
        for tokens in sorted((end for end in ends if 0 < end <= len(usable)), reverse=True):
            blocks = tokens // self.block_tokens
            end = chain.end_mark(
                found[blocks - 1] if blocks else self._root,
                usable[blocks * self.block_tokens : tokens],
            )
            last = self._last_run(end, tokens, carries)
            if last is None:
                continue
            lead = self._blocks(found[: last.start // self.block_tokens])
            if (lead[-1].stop if lead else 0) == last.start:
                return [*lead, last]
        return []

    def _last_run(self, end: bytes, tokens: int, carries: frozenset[str]) -> Run | None:
        segment = self.memory.by_end(end)
        if segment is not None and segment.ending is not None and carries <= segment.ending.carries:
            return Run(segment.name, False, segment.start, tokens)
        found = None if self.disk is None else self.disk.by_end(end, carries)
        return None if found is None else Run(found[0], True, found[1].start, tokens)

    def _fetched(self, runs: Sequence[Run], usable: tuple[int, ...]) -> dict[Run, Segment] | None:
        """The segment of every run; None if one is not what it should be, which then is no longer
        there.
        """
        held: dict[Run, Segment] = {}
        loaded: dict[str, Segment] = {}
        for run in runs:
            segment: Segment | None
            if not run.on_disk:
                segment = self.memory.segments[run.name]
            else:
                assert self.disk is not None
                segment = loaded.get(run.name) or self.disk.load(run.name)
                if segment is None:
                    return None
                loaded[run.name] = segment
            if (
                segment.ids[run.start - segment.start : run.stop - segment.start]
                != usable[run.start : run.stop]
            ):
                if self.disk is not None and run.on_disk:
                    self.disk.forget(run.name)
                else:
                    self.memory.remove(run.name)
                return None
            held[run] = segment
        return held

    def _used(
        self,
        held: dict[Run, Segment],
        found: Sequence[bytes],
        runs: Sequence[Run],
        carrying: frozenset[str] | None,
    ) -> None:
        """What came from disk goes to memory, all that was used becomes the most recent, and what
        has no place any more falls.
        """
        loaded = {run.name: held[run] for run in runs if run.on_disk}
        for segment in loaded.values():
            kept = [
                segment.cut(first, stop)
                for first, stop in chain.gaps(segment.links, self.memory.has)
            ]
            if (
                segment.ending is not None
                and self.memory.by_end(segment.end) is None
                and not any(one.ending for one in kept)
            ):
                kept.append(segment.cut(len(segment.links), len(segment.links)))
            for one in kept:
                self.memory.add(one)
        self.memory.touch(self._names(found, held[runs[-1]].end if carrying is not None else None))
        if self.disk is not None:
            self.disk.touch(reversed(loaded))
        self._fall(self.memory.shrink())

    def _assembled(
        self, held: dict[Run, Segment], ids: tuple[int, ...], carrying: frozenset[str] | None
    ) -> Snapshot:
        """A snapshot of `ids` over the tensors of the segments. It was never read to its end, so it
        has no logits.
        """
        first, last = next(iter(held.values())), list(held.values())[-1]
        layers: dict[int, tuple[DenseStore, ...]] = {
            layer: tuple(
                segment.store(layer, run.start - segment.start, run.stop - segment.start)
                for run, segment in held.items()
                if run.stop > run.start
            )
            for layer in first.layers
        }
        ending = last.ending if carrying is not None else None
        return Snapshot(
            shape=first.shape,
            layers=layers,
            ids=ids,
            logits_V=torch.empty(0),
            observed={layer: replace(seen) for layer, seen in ending.observed.items()}
            if ending
            else {},
            scales=dict(first.scales),
            read_by=first.read_by,
            rotate=self._rotate,
            missing=dict(ending.missing) if ending else {},
        )

    # -- the whole ---------------------------------------------------------------------------------

    @property
    def hit_tokens(self) -> int:
        return self.stats.hit_tokens

    @property
    def miss_tokens(self) -> int:
        return self.stats.miss_tokens

    def held_bytes(self) -> int:
        """In memory."""
        return self.memory.held_bytes

    def disk_bytes(self) -> int:
        """Of all stored caches in the folder, whoever made them."""
        return 0 if self.disk is None else self.disk.held_bytes()

    def __len__(self) -> int:
        """Segments in memory."""
        return len(self.memory.segments)

    def flush(self) -> None:
        """Let everything fall out of memory: to disk, if there is one."""
        for name in list(self.memory.segments):
            segment = self.memory.remove(name)
            assert segment is not None
            self._fall([segment])

    def close(self) -> None:
        """Give memory back. A folder that was named keeps what memory held; one of the pool's own
        goes.
        """
        if self.disk is not None and not self.disk.is_private:
            self.flush()
        for name in list(self.memory.segments):
            self.memory.remove(name)
        if self.disk is not None:
            self.disk.close()


def _ending(snapshot: Snapshot, carries: frozenset[str]) -> Ending:
    return Ending(
        carries,
        {layer: replace(seen) for layer, seen in snapshot.observed.items()},
        dict(snapshot.missing),
    )
