"""The prefix pool against a model of it in lists: the same hits, the same tiers, the same bytes,
and never above a limit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scbench.kv import CacheShape, DenseStore, Observed, Snapshot
from scbench.kv.pool import DiskTier, PrefixPool

SHAPE = CacheShape.even(
    layers=1, attention_layers=(0,), query_heads=1, kv_heads=1, head_dim=2, dtype_bytes=4
)
TOKEN_BYTES = 16
Ids = tuple[int, ...]
Piece = tuple[int, Ids]  # first token of its own, and all tokens from the very first one


def mark(prefix: Sequence[int]) -> float:
    """A number that only these tokens in this order have."""
    return float(int.from_bytes(hashlib.sha256(bytes(prefix)).digest()[:2], "little"))


def snapshot(ids: Sequence[int], *, observed: bool = False) -> Snapshot:
    k = torch.tensor(
        [[[mark(ids[: at + 1]), at] for at in range(len(ids))]], dtype=torch.float32
    ).reshape(1, -1, 2)
    seen = (
        {0: Observed(window_HGWD=torch.full((1, 1, 3, 2), mark(ids)), query_rows=len(ids))}
        if observed
        else {}
    )
    return Snapshot(
        shape=SHAPE,
        layers={0: (DenseStore(k, k + 1),)},
        ids=tuple(ids),
        logits_V=torch.zeros(4),
        scales={0: 1.0},
        observed=seen,
    )


def file_bytes(tokens: int) -> int:
    return 4096 + -(-4 * tokens // 64) * 64 + 2 * (-(-8 * tokens // 64) * 64)


@dataclass
class Model:
    """Two lists of pieces, least recently used first."""

    block: int
    memory_bytes: int | None
    disk_bytes: int | None
    memory: list[Piece] = field(default_factory=list)
    disk: list[Piece] = field(default_factory=list)

    def links(self, piece: Piece) -> list[Ids]:
        start, ids = piece
        return [ids[:stop] for stop in range(start + self.block, len(ids) + 1, self.block)]

    def owner(self, tier: list[Piece], link: Ids) -> Piece | None:
        return next((piece for piece in tier if link in self.links(piece)), None)

    def missing(self, tier: list[Piece], piece: Piece) -> list[Piece]:
        out: list[tuple[int, int]] = []
        links = self.links(piece)
        for link in links:
            if self.owner(tier, link) is None:
                if out and out[-1][1] == len(link) - self.block:
                    out[-1] = (out[-1][0], len(link))
                else:
                    out.append((len(link) - self.block, len(link)))
        last = len(links[-1]) if links else -1
        return [(start, piece[1] if stop == last else piece[1][:stop]) for start, stop in out]

    def touch(self, tier: list[Piece], pieces: Sequence[Piece | None]) -> None:
        for piece in dict.fromkeys(pieces):
            if piece in tier:
                tier.remove(piece)
                tier.append(piece)

    def held(self) -> int:
        return sum(TOKEN_BYTES * (len(ids) - start) for start, ids in self.memory)

    def written(self) -> int:
        return sum(file_bytes(len(ids) - start) for start, ids in self.disk)

    def put(self, ids: Ids) -> None:
        too_large = []
        for piece in self.missing(self.memory, (0, ids)):
            if (
                self.memory_bytes is not None
                and TOKEN_BYTES * (len(ids[: len(piece[1])]) - piece[0]) > self.memory_bytes
            ):
                too_large.append(piece)
            else:
                self.memory.append(piece)
        self.touch(
            self.memory, [self.owner(self.memory, link) for link in reversed(self.links((0, ids)))]
        )
        self.fall(too_large[::-1])
        self.shrink()

    def shrink(self) -> None:
        gone = []
        while self.memory_bytes is not None and self.held() > self.memory_bytes:
            gone.append(self.memory.pop(0))
        self.fall(gone)

    def fall(self, pieces: Sequence[Piece]) -> None:
        if self.disk_bytes is None:
            return
        for piece in pieces:
            missing = self.missing(self.disk, piece)
            self.touch(
                self.disk, [self.owner(self.disk, link) for link in reversed(self.links(piece))]
            )
            for start, ids in reversed(missing):
                if file_bytes(len(ids) - start) <= self.disk_bytes:
                    while self.written() + file_bytes(len(ids) - start) > self.disk_bytes:
                        self.disk.pop(0)
                    self.disk.append((start, ids))

    def get(self, ids: Ids) -> tuple[int, int]:
        """Tokens served, and how many of them from disk."""
        used: list[tuple[Piece, bool]] = []
        for link in self.links((0, ids[:-1])):
            piece = self.owner(self.memory, link)
            source = piece or self.owner(self.disk, link)
            if source is None:
                break
            used.append((source, piece is None))
        loaded = list(dict.fromkeys(piece for piece, is_disk in used if is_disk))
        for piece in loaded:
            for part in self.missing(self.memory, piece):
                if (
                    self.memory_bytes is None
                    or TOKEN_BYTES * (len(part[1]) - part[0]) <= self.memory_bytes
                ):
                    self.memory.append(part)
        links = self.links((0, ids[:-1]))[: len(used)]
        self.touch(self.memory, [self.owner(self.memory, link) for link in reversed(links)])
        self.touch(self.disk, loaded[::-1])
        self.shrink()
        return self.block * len(used), self.block * sum(is_disk for _, is_disk in used)


def check_data(served: Snapshot, ids: Sequence[int]) -> None:
    wanted = snapshot(ids).view(0)
    view = served.view(0)
    assert torch.equal(view.k_HSD, wanted.k_HSD)
    assert torch.equal(view.v_HSD, wanted.v_HSD)
    assert torch.equal(
        torch.cat([store.positions(0) for store in served.layers[0]]), torch.arange(len(ids))
    )


STEMS = (
    [0] * 12,
    [0] * 5 + [1] * 7,
    [1, 0] * 6,
)  # prompts that share beginnings, and are continued
PROMPTS = st.one_of(
    st.builds(lambda stem, tokens: stem[:tokens], st.sampled_from(STEMS), st.integers(0, 12)),
    st.lists(st.integers(0, 1), max_size=6),
)
STEPS = st.lists(st.tuples(st.sampled_from(["put", "get"]), PROMPTS), min_size=1, max_size=30)


@settings(max_examples=250, deadline=None)
@given(
    steps=STEPS,
    block=st.integers(1, 3),
    memory_tokens=st.one_of(st.none(), st.integers(0, 30)),
    files=st.one_of(st.none(), st.integers(0, 6)),
)
def test_the_pool_does_what_its_model_does(
    steps: list[tuple[str, list[int]]], block: int, memory_tokens: int | None, files: int | None
) -> None:
    memory_bytes = None if memory_tokens is None else memory_tokens * TOKEN_BYTES
    disk_bytes = None if files is None else files * 4400
    disk = None if disk_bytes is None else DiskTier(capacity_bytes=disk_bytes)
    pool, model = (
        PrefixPool(block_tokens=block, capacity_bytes=memory_bytes, disk=disk),
        Model(block, memory_bytes, disk_bytes),
    )
    asked = 0
    try:
        for verb, listed in steps:
            ids = tuple(listed)
            if verb == "put":
                pool.put(snapshot(ids))
                model.put(ids)
            else:
                hit, wanted = pool.lookup(ids), model.get(ids)
                asked += len(ids)
                assert ((hit.tokens, hit.disk_tokens) if hit else (0, 0)) == wanted
                if hit is not None:
                    check_data(hit.snapshot, ids[: hit.tokens])
            assert pool.held_bytes() == model.held()
            assert pool.held_bytes() == sum(
                segment.held_bytes() for segment in pool.memory.segments.values()
            )
            assert memory_bytes is None or pool.held_bytes() <= memory_bytes
            assert [(s.start, s.stop) for s in pool.memory.segments.values()] == [
                (a, len(b)) for a, b in model.memory
            ]
            assert pool.disk_bytes() == model.written()
            assert disk_bytes is None or pool.disk_bytes() <= disk_bytes
            assert pool.hit_tokens + pool.miss_tokens == asked
            assert pool.stats.bad_files == pool.stats.failed_writes == pool.stats.vanished == 0
    finally:
        pool.close()


@settings(max_examples=120, deadline=None)
@given(
    steps=STEPS, block=st.integers(1, 4), memory_tokens=st.integers(0, 40), files=st.integers(0, 6)
)
def test_what_is_served_with_observations_is_a_whole_prefix_that_was_put_with_them(
    steps: list[tuple[str, list[int]]], block: int, memory_tokens: int, files: int
) -> None:
    memory_bytes, disk_bytes = memory_tokens * TOKEN_BYTES, files * 4700
    pool = PrefixPool(
        block_tokens=block, capacity_bytes=memory_bytes, disk=DiskTier(capacity_bytes=disk_bytes)
    )
    need, ends = frozenset({"window"}), set[Ids]()
    try:
        for at, (verb, listed) in enumerate(steps):
            ids = tuple(listed)
            if verb == "put" and at % 3:
                pool.put(snapshot(ids, observed=True), carrying=need)
                ends.add(ids)
            elif verb == "put":
                pool.put(snapshot(ids))
            else:
                hit = pool.lookup(ids, carrying=need, leave_tokens=0)
                if hit is not None:
                    assert ids[: hit.tokens] in ends
                    check_data(hit.snapshot, ids[: hit.tokens])
                    seen = hit.snapshot.observed[0]
                    assert seen.window_HGWD is not None
                    assert float(seen.window_HGWD[0, 0, 0, 0]) == mark(ids[: hit.tokens])
                    assert seen.query_rows == hit.tokens
            assert (
                pool.held_bytes()
                == sum(segment.held_bytes() for segment in pool.memory.segments.values())
                <= memory_bytes
            )
            assert pool.disk_bytes() <= disk_bytes
    finally:
        pool.close()


@given(
    prompts=st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=9), min_size=1, max_size=6),
    asked=st.lists(st.integers(0, 1), max_size=9),
)
@settings(max_examples=150, deadline=None)
def test_without_limits_the_longest_common_prefix_in_whole_blocks_is_served(
    prompts: list[list[int]], asked: list[int]
) -> None:
    pool = PrefixPool(block_tokens=2)
    for prompt in prompts:
        pool.put(snapshot(prompt))
    common = [
        next(
            (n for n, (a, b) in enumerate(zip(prompt, asked, strict=False)) if a != b),
            min(len(prompt), len(asked)),
        )
        for prompt in prompts
    ]
    hit = pool.lookup(asked)
    assert (hit.tokens if hit else 0) == min(max(common), max(0, len(asked) - 1)) // 2 * 2
