"""The disk tier: what comes back is bit-equal to what went there, or it is a miss. Whatever lies in
the folder, nothing is ever wrong data.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import multiprocessing
import os
import random
import time
from pathlib import Path

import pytest
import torch

from scbench.errors import BadConfig
from scbench.kv import CacheShape, DenseStore, Observed, Snapshot
from scbench.kv.pool import CacheWarning, DiskTier, PrefixPool, chain, disk, file
from scbench.kv.pool.segment import Segment, segment_of

IDS = (5, 6, 7, 8, 9, 10, 11)
NEEDS = frozenset({"window"})


def snapshot(
    ids: tuple[int, ...], *, dtype: torch.dtype = torch.float32, layers: tuple[int, ...] = (1, 4)
) -> Snapshot:
    draw = torch.Generator().manual_seed(sum(ids))
    shape = CacheShape.even(
        layers=5,
        attention_layers=layers,
        query_heads=4,
        kv_heads=2,
        head_dim=3,
        dtype_bytes=dtype.itemsize,
    )
    kv = {
        at: [torch.randn(2, len(ids), 3, generator=draw).to(dtype) for _ in range(2)]
        for at in layers
    }
    seen = {
        at: Observed(window_HGWD=torch.randn(2, 2, 4, 3, generator=draw), query_rows=at)
        for at in layers
    }
    return Snapshot(
        shape=shape,
        layers={at: (DenseStore(k, v),) for at, (k, v) in kv.items()},
        ids=ids,
        logits_V=torch.zeros(4),
        observed=seen,
        scales=dict.fromkeys(layers, 0.1),
        read_by="a-shape",
        missing={"query-moments": "not asked for"},
    )


def pool(
    folder: Path | None,
    *,
    made_by: str = "tiny",
    disk_bytes: int | None = None,
    memory_bytes: int = 0,
) -> PrefixPool:
    return PrefixPool(
        block_tokens=2,
        capacity_bytes=memory_bytes,
        made_by=made_by,
        disk=DiskTier(folder, disk_bytes),
    )


def kept(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.scbkv"))


def served(tokens: tuple[int, ...], folder: Path, *, made_by: str = "tiny") -> int:
    """What another process would find."""
    hit = pool(folder, made_by=made_by).lookup((*tokens, 0))
    return 0 if hit is None else hit.tokens


@pytest.fixture
def one(tmp_path: Path) -> Path:
    """A folder with one stored prefix, IDS."""
    pool(tmp_path).put(snapshot(IDS), carrying=NEEDS)
    assert len(kept(tmp_path)) == 1
    assert served(IDS, tmp_path) == 6
    return tmp_path


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_another_process_gets_every_bit_back(tmp_path: Path, dtype: torch.dtype) -> None:
    wanted = snapshot(IDS, dtype=dtype)
    pool(tmp_path).put(wanted, carrying=NEEDS)
    other = pool(tmp_path, memory_bytes=1 << 20)
    hit = other.lookup(IDS, carrying=NEEDS, leave_tokens=0)
    assert hit is not None
    assert (hit.tokens, hit.disk_tokens, hit.read_bytes) == (7, 7, kept(tmp_path)[0].stat().st_size)
    got = hit.snapshot
    assert got.digest() == wanted.digest()
    assert (got.shape, got.ids, got.scales, got.read_by, got.missing) == (
        wanted.shape,
        IDS,
        wanted.scales,
        "a-shape",
        wanted.missing,
    )
    for layer, seen in wanted.observed.items():
        assert seen.window_HGWD is not None
        assert torch.equal(got.observed[layer].window_HGWD, seen.window_HGWD)  # type: ignore[arg-type]
        assert got.observed[layer].query_rows == layer
    again = other.lookup(IDS, carrying=NEEDS, leave_tokens=0)  # it has come back to memory
    assert again is not None
    assert (again.tokens, again.disk_tokens, again.read_bytes) == (7, 0, 0)
    assert again.snapshot.digest() == wanted.digest()


def test_one_flipped_bit_anywhere_is_a_miss(one: Path) -> None:
    path = kept(one)[0]
    whole, fd = bytearray(path.read_bytes()), os.open(path, os.O_RDWR)
    name = path.stem[17:]
    try:
        assert file.read(fd, name, "tiny", "cpu").ids == IDS
        for at in range(len(whole)):
            bit = 1 << at % 8
            os.pwrite(fd, bytes([whole[at] ^ bit]), at)
            with pytest.raises(file.BadFile):
                file.read(fd, name, "tiny", "cpu")
            os.pwrite(fd, whole[at : at + 1], at)
        assert file.read(fd, name, "tiny", "cpu").ids == IDS
    finally:
        os.close(fd)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.5, 0.8, 0.99])
def test_half_a_file_is_a_miss_and_is_removed(one: Path, share: float) -> None:
    path = kept(one)[0]
    os.truncate(path, int(path.stat().st_size * share))
    reader = pool(one)
    with pytest.warns(CacheWarning, match="is not used"):
        assert reader.lookup((*IDS, 0)) is None
    assert reader.stats.bad_files == 1
    assert kept(one) == []


def test_damage_is_told_once_counted_always_and_mended_by_the_next_write(tmp_path: Path) -> None:
    first = pool(tmp_path)
    for prompt in ((1, 2, 3), (4, 5, 6), (7, 8, 9)):
        first.put(snapshot(prompt))
    for path in kept(tmp_path):
        raw = bytearray(path.read_bytes())
        raw[-70] ^= (
            # in a tensor: headers are read when the folder is looked at, tensors when they are
            # wanted
            1
        )
        path.write_bytes(raw)
    with pytest.warns(CacheWarning) as told:
        assert [first.lookup((*prompt, 0)) for prompt in ((1, 2, 3), (4, 5, 6), (7, 8, 9))] == [
            None
        ] * 3
    assert len(told) == 1
    assert first.stats.bad_files == 3
    assert kept(tmp_path) == []
    first.put(snapshot((1, 2, 3)))
    assert served((1, 2, 3), tmp_path) == 2


def test_bytes_after_the_end_are_a_miss(one: Path) -> None:
    with kept(one)[0].open("ab") as grown:
        grown.write(bytes(64))
    with pytest.warns(CacheWarning, match="too long"):
        assert served(IDS, one) == 0


def test_a_file_under_the_name_of_other_tokens_is_a_miss(one: Path) -> None:
    pool(one).put(snapshot((1, 2, 3, 4)))
    a, b = kept(one)
    a.replace(b)
    with pytest.warns(CacheWarning, match="other tokens"):
        assert served(IDS, one) + served((1, 2, 3, 4), one) == 0


def test_a_file_of_another_model_is_not_seen_and_not_removed(one: Path) -> None:
    assert served(IDS, one, made_by="tiny in bfloat16") == 0
    pool(one, made_by="other").put(snapshot(IDS))
    assert len(kept(one)) == 2
    assert served(IDS, one) == served(IDS, one, made_by="other") == 6


def test_a_file_of_another_model_under_our_name_is_a_miss(one: Path) -> None:
    ours = kept(one)[0]
    pool(one, made_by="other").put(snapshot(IDS), carrying=NEEDS)
    theirs = next(path for path in kept(one) if path != ours)
    theirs.replace(ours)
    with pytest.warns(CacheWarning, match="another model"):
        assert served(IDS, one) == 0


@pytest.mark.parametrize("kind", ["link", "folder", "pipe", "noise"])
def test_what_is_no_stored_cache_is_a_miss(one: Path, kind: str) -> None:
    path, elsewhere = kept(one)[0], one / "elsewhere"
    path.rename(elsewhere)
    if kind == "link":
        path.symlink_to(elsewhere)
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.write_bytes(os.urandom(10_000))
    reader = pool(one)
    with pytest.warns(CacheWarning):
        assert reader.lookup((*IDS, 0)) is None
    assert reader.lookup((*IDS, 0)) is None
    assert reader.stats.bad_files == 1
    assert elsewhere.exists()  # whatever the link pointed to is not ours


def test_other_files_of_the_folder_are_left_alone(one: Path) -> None:
    mine = [one / name for name in ("notes.txt", "model.part", "x.scbkv", "weights.safetensors")]
    for path in mine:
        path.write_text("mine")
    pool(one, disk_bytes=5000).put(snapshot((1, 2, 3, 4)))
    assert all(path.read_text() == "mine" for path in mine)
    assert served(IDS, one) == 0  # the limit made it go


def test_nobody_else_may_read_what_is_stored(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    pool(folder).put(snapshot(IDS))
    assert folder.stat().st_mode & 0o077 == 0
    assert kept(folder)[0].stat().st_mode & 0o077 == 0


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(BadConfig, match="taken"):
        pool(tmp_path / "taken")


def test_a_folder_of_its_own_goes_with_the_pool() -> None:
    mine = pool(None)
    assert mine.disk is not None
    folder = mine.disk.folder
    mine.put(snapshot(IDS))
    assert len(kept(folder)) == 1
    mine.close()
    assert not folder.exists()


def test_a_named_folder_keeps_what_memory_held_when_the_pool_is_closed(tmp_path: Path) -> None:
    first = pool(tmp_path, memory_bytes=1 << 20)
    first.put(snapshot(IDS))
    assert kept(tmp_path) == []
    first.close()
    assert served(IDS, tmp_path) == 6
    assert first.held_bytes() == 0


def test_a_file_that_another_process_removed_is_a_quiet_miss(
    one: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = pool(one)
    assert reader.disk is not None
    reader.disk.refresh()
    monkeypatch.setattr(reader.disk, "refresh", lambda: None)  # it goes after we looked
    kept(one)[0].unlink()
    assert reader.lookup((*IDS, 0)) is None
    assert (reader.stats.vanished, reader.stats.bad_files) == (1, 0)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_full_disk_is_a_warning_and_the_run_goes_on_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    pool(tmp_path).put(snapshot((1, 2, 3, 4)))
    mine = pool(tmp_path, memory_bytes=2 * 7 * 2 * 2 * 3 * 4)
    write, room = os.write, [3000]

    def full(fd: int, raw: bytes) -> int:
        room[0] -= len(raw)
        if room[0] < 0:
            raise OSError(code, os.strerror(code))
        return write(fd, raw)

    monkeypatch.setattr(os, "write", full)
    mine.put(snapshot(IDS))
    with pytest.warns(CacheWarning, match=r"goes on in memory"):
        mine.put(snapshot((20, *IDS[1:])))
    for first in (30, 40):  # no further warning: it would be an error here
        mine.put(snapshot((first, *IDS[1:])))
    assert (mine.stats.failed_writes, mine.stats.dropped) == (1, 3)
    assert sorted(path.suffix for path in tmp_path.iterdir() if path.name != ".lock") == [
        ".scbkv"
    ]  # no half file is left
    hit = mine.lookup((40, *IDS[1:], 0))
    assert hit is not None
    assert hit.disk_tokens == 0
    old = mine.lookup((1, 2, 3, 4, 0))  # what was stored is still used
    assert old is not None
    assert old.disk_tokens == 4


def test_what_a_killed_writer_left_is_swept_and_never_read(one: Path) -> None:
    left = one / f".{kept(one)[0].name}.123-0123abcd.part"
    left.write_bytes(kept(one)[0].read_bytes()[:3000])
    kept(one)[0].unlink()
    assert served(IDS, one) == 0
    assert left.exists()
    pool(one).put(snapshot(IDS))
    assert not left.exists()
    assert served(IDS, one) == 6


def test_a_writer_that_waits_too_long_for_another_gives_up(
    one: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "LOCK_WAIT_S", 0.02)
    mine = pool(one)
    with (one / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        mine.put(snapshot((1, 2, 3)))
        assert (mine.stats.dropped, len(kept(one))) == (1, 1)
        assert served(IDS, one) == 6  # readers wait for nobody
    mine.put(snapshot((1, 2, 3)))
    assert len(kept(one)) == 2


def test_the_least_recently_used_file_leaves_first_whoever_used_it(tmp_path: Path) -> None:
    size = file.size_of(_segment((1, 2, 3)), "tiny")
    a, b = pool(tmp_path, disk_bytes=2 * size), pool(tmp_path, disk_bytes=2 * size, made_by="other")
    a.put(snapshot((1, 2, 3)))
    b.put(snapshot((1, 2, 3)))
    assert a.lookup((1, 2, 3, 0)) is not None  # a use
    b.put(snapshot((4, 5, 6)))
    assert b.disk_bytes() <= 2 * size
    assert a.lookup((1, 2, 3, 0)) is not None
    assert b.lookup((1, 2, 3, 0)) is None


def test_tokens_are_compared_and_not_only_their_hashes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def by_length(ids: tuple[int, ...], block_tokens: int, before: bytes) -> list[bytes]:
        return [bytes([n + len(before) % 7]) * 32 for n in range(len(ids) // block_tokens)]

    monkeypatch.setattr(chain, "links", by_length)  # everything collides
    for mine in (pool(tmp_path), pool(None, memory_bytes=1 << 20)):
        mine.put(snapshot((1, 2, 3, 4)))
        assert mine.lookup((1, 2, 9, 9, 9)) is None or mine.lookup((1, 2, 9, 9, 9)).tokens == 2  # type: ignore[union-attr]
        mine.put(snapshot((1, 2, 3, 4)))
        assert mine.lookup((8, 8, 8, 8, 8)) is None
        mine.close()


def _segment(ids: tuple[int, ...]) -> Segment:
    return segment_of(
        snapshot(ids),
        chain.links(ids, 2, b""),
        0,
        len(ids) // 2,
        root=b"",
        block_tokens=2,
        ending=None,
    )


def _write_and_read(folder: Path, seed: int, limit: int) -> None:
    """What each of two processes does; an exit code other than 0 means that it met wrong data, or
    trouble.
    """
    shape = CacheShape.even(
        layers=1, attention_layers=(0,), query_heads=1, kv_heads=1, head_dim=64, dtype_bytes=4
    )
    draw, found = random.Random(seed), 0
    mine = PrefixPool(
        block_tokens=2, capacity_bytes=0, made_by="both", disk=DiskTier(folder, limit)
    )
    for _ in range(30):
        ids = tuple(draw.randrange(3) for _ in range(draw.randrange(2, 40)))
        k = torch.tensor([[[float(sum(ids[: at + 1]) + at)] * 64 for at in range(len(ids))]])
        hit = mine.lookup(ids)
        if hit is not None:
            assert torch.equal(hit.snapshot.view(0).k_HSD, k[:, : hit.tokens])
            found += hit.tokens
        mine.put(
            Snapshot(
                shape=shape,
                layers={0: (DenseStore(k, k + 1),)},
                ids=ids,
                logits_V=torch.zeros(2),
                scales={0: 1.0},
            )
        )
    assert found > 0
    assert (mine.stats.bad_files, mine.stats.failed_writes) == (0, 0)


def test_two_processes_share_a_folder_without_harm_and_within_the_limit(tmp_path: Path) -> None:
    limit, most = 250_000, 0
    fresh = multiprocessing.get_context("fork")  # a process that begins here need not import torch
    writers = [
        fresh.Process(target=_write_and_read, args=(tmp_path, seed, limit)) for seed in (1, 2)
    ]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        sizes = []
        for path in tmp_path.iterdir():
            with contextlib.suppress(FileNotFoundError):
                sizes.append(path.stat().st_size)
        most = max(most, sum(sizes))
        time.sleep(0.01)
    assert [writer.exitcode for writer in writers] == [0, 0]
    most = max(most, sum(path.stat().st_size for path in tmp_path.iterdir()))
    assert limit / 2 < most <= limit
    for path in kept(tmp_path):
        fd = file.open_to_read(path)
        file.read(fd, path.stem[17:], "both", "cpu")
        os.close(fd)


def test_a_file_is_served_from_its_middle_where_memory_has_its_beginning(tmp_path: Path) -> None:
    wanted = snapshot(tuple(range(8)))
    mine = pool(tmp_path, memory_bytes=4 * 2 * 2 * 2 * 3 * 4)  # of four tokens
    mine.put(wanted)  # too large for memory
    mine.put(wanted.prefix(4))
    hit = mine.lookup((*range(8), 0))
    assert hit is not None
    assert (hit.tokens, hit.disk_tokens) == (8, 4)
    assert torch.equal(hit.snapshot.view(4).k_HSD, wanted.view(4).k_HSD)
    assert torch.equal(
        torch.cat([store.positions(0) for store in hit.snapshot.layers[1]]), torch.arange(8)
    )


def test_a_chain_with_a_file_missing_is_served_up_to_the_hole(tmp_path: Path) -> None:
    whole = snapshot(tuple(range(8)))
    for tokens in (
        2,
        4,
        6,
        8,
    ):  # a file for each block, written by processes that had the blocks before it
        pool(tmp_path).put(whole.prefix(tokens))
    assert len(kept(tmp_path)) == 4
    next(path for path in kept(tmp_path) if path.stem.endswith("-4")).unlink()
    assert served(tuple(range(8)), tmp_path) == 4


def test_files_of_a_chain_leave_from_its_end(tmp_path: Path) -> None:
    whole, size = snapshot(tuple(range(6))), file.size_of(_segment((0, 1)), "tiny")
    for tokens in (2, 4, 6):
        pool(tmp_path).put(whole.prefix(tokens))
    limited = pool(tmp_path, disk_bytes=3 * size)
    assert limited.lookup((*range(6), 9)) is not None  # a use of all three, from disk
    limited.put(snapshot((7, 7)))
    assert served(tuple(range(6)), tmp_path) == 4
