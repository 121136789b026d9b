"""The disk tier: a folder of segments, bounded, shared by any number of processes.

What is in the folder is the truth: a file's modification time says when it was last used, and who
writes looks at the folder first, under the folder's lock. Readers take no lock: a file appears
whole, by renaming, and stays readable for whoever has it open.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import tempfile
import time
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from scbench.errors import BadConfig
from scbench.files import sync_folder
from scbench.kv.pool import file as files
from scbench.kv.pool.chain import gaps
from scbench.kv.pool.file import BadFile, CacheWarning, Header
from scbench.kv.pool.segment import Segment
from scbench.kv.pool.stats import PoolStats
from scbench.system import BUSY, OPEN_FLAGS, seize

ENDING, PART, LOCK = ".scbkv", ".part", ".lock"
OURS = re.compile(r"[0-9a-f]{16}-[0-9a-f]{40}-[0-9]{1,12}\.scbkv")
OUR_PART = re.compile(rf"\.{OURS.pattern}\.[0-9]+-[0-9a-f]{{8}}\.part")
LOCK_WAIT_S = 30.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DiskTier:
    """Where, and how much at most (None: no limit). Without a folder it is one of its own under
    TMPDIR, gone with the pool.
    """

    folder: str | Path | None = None
    capacity_bytes: int | None = None


class Disk:
    """The segments of one `made_by` in a folder, and the limit over all of them, whoever made them.
    Files of other names are left alone.
    """

    def __init__(self, tier: DiskTier, *, made_by: str, stats: PoolStats, device: str) -> None:
        self.capacity_bytes, self.made_by, self.stats, self.device = (
            tier.capacity_bytes,
            made_by,
            stats,
            device,
        )
        self.is_private = tier.folder is None
        self.folder = _folder(tier.folder)
        if self.is_private:
            weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self.tag = hashlib.sha256(f"{files.FORMAT} {made_by}".encode()).hexdigest()[:16]
        self.is_writing = True
        self._headers: dict[str, Header] = {}
        self._by_link: dict[bytes, list[str]] = {}
        self._by_end: dict[bytes, list[str]] = {}
        self._bad: set[tuple[str, int, int]] = set()  # name, inode, time: what could not be removed
        self._clock_ns = 0
        self._has_warned = False

    # -- what is there -----------------------------------------------------------------------------

    def refresh(self) -> None:
        """Look at the folder: learn what others wrote, forget what they removed."""
        with contextlib.suppress(OSError):
            listed = [entry.name for entry in os.scandir(self.folder)]
            mine = {
                name[17 : -len(ENDING)]
                for name in listed
                if OURS.fullmatch(name) and name[:16] == self.tag
            }
            for gone in self._headers.keys() - mine:
                self.forget(gone)
            for new in sorted(mine - self._headers.keys()):
                header = self._open(new, lambda fd, name: files.read_header(fd, name, self.made_by))
                if header is not None:
                    self._learn(new, header)

    def has(self, link: bytes) -> bool:
        return bool(self._by_link.get(link))

    def by_link(self, link: bytes) -> tuple[str, Header] | None:
        names = self._by_link.get(link)
        return (names[0], self._headers[names[0]]) if names else None

    def by_end(self, end: bytes, carries: frozenset[str]) -> tuple[str, Header] | None:
        for name in self._by_end.get(end, ()):
            if carries <= (self._headers[name].carries or frozenset()):
                return name, self._headers[name]
        return None

    def ends(self) -> set[int]:
        return {self._headers[name].stop for names in self._by_end.values() for name in names}

    def held_bytes(self) -> int:
        """Of all files of the folder that are stored caches."""
        return sum(size for _, _, size in self._files())

    # -- use ---------------------------------------------------------------------------------------

    def load(self, name: str) -> Segment | None:
        """The segment of a file; None, and the file is gone, if it is not exactly what was
        written.
        """
        header = self._headers[name]
        segment = self._open(name, lambda fd, name: files.read(fd, name, self.made_by, self.device))
        if segment is None:
            self.forget(name)
            return None
        self.stats.read_bytes += header.file_bytes
        return segment

    def touch(self, names: Iterable[str]) -> None:
        """Mark as used, the last named most recently."""
        for name in names:
            self._clock_ns = max(time.time_ns(), self._clock_ns + 1)
            with contextlib.suppress(OSError):
                os.utime(self._path(name), ns=(self._clock_ns, self._clock_ns))

    def store(self, segment: Segment) -> None:
        """Keep what of a segment is not here yet, and let the least recently used files go for it.
        Trouble is a warning, never an error.
        """
        self.refresh()
        missing = [segment.cut(first, stop) for first, stop in gaps(segment.links, self.has)]
        ending = segment.ending
        if (
            ending is not None
            and self.by_end(segment.end, ending.carries) is None
            and not any(s.ending for s in missing)
        ):
            missing.append(segment.cut(len(segment.links), len(segment.links)))
        self.touch(
            dict.fromkeys(
                names[0] for link in reversed(segment.links) if (names := self._by_link.get(link))
            )
        )
        for piece in reversed(missing):
            self._write(piece)

    def cool(self) -> None:
        """Ask the system to drop our files from its own cache, so that the next read comes from the
        disk: for measurements.
        """
        if not hasattr(os, "posix_fadvise"):
            return
        for name in self._headers:
            with contextlib.suppress(OSError):
                fd = files.open_to_read(self._path(name))
                try:
                    os.fsync(fd)
                    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                finally:
                    os.close(fd)

    def close(self) -> None:
        if self.is_private:
            shutil.rmtree(self.folder, ignore_errors=True)

    # -- files -------------------------------------------------------------------------------------

    def _write(self, segment: Segment) -> None:
        size = files.size_of(segment, self.made_by)
        if not self.is_writing or (self.capacity_bytes is not None and size > self.capacity_bytes):
            self.stats.dropped += 1
            return
        path = self._path(segment.name)
        part = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}{PART}")
        try:
            with _alone(self.folder) as is_alone:
                if not is_alone:
                    self.stats.dropped += 1
                    return
                self._make_room(size)
                self._put(segment, part, path)
        except OSError as err:
            with contextlib.suppress(OSError):
                part.unlink()
            self.stats.failed_writes += 1
            self.stats.dropped += 1
            self.is_writing = False
            warnings.warn(
                f"no more caches are stored in {str(self.folder)!r}: {err.strerror or err}. What "
                f"is stored there is still used, the run goes "
                "on in memory; free some space, or name another folder",
                CacheWarning,
                stacklevel=2,
            )
            return
        self.refresh()
        self.touch([segment.name])

    def _put(self, segment: Segment, part: Path, path: Path) -> None:
        fd = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | OPEN_FLAGS, 0o600)
        try:
            files.write(fd, segment, self.made_by)
            if not self.is_private:  # a folder of our own need not survive a power cut
                os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(part, path)
        if not self.is_private:
            sync_folder(self.folder)

    def _make_room(self, size: int) -> None:
        """Under the lock: remove what killed writers left, then the least recently used files until
        `size` more bytes fit.
        """
        for entry in os.scandir(self.folder):
            if OUR_PART.fullmatch(entry.name):
                os.unlink(entry.path)
        if self.capacity_bytes is None:
            return
        held = sorted(self._files())
        total = sum(bytes_ for _, _, bytes_ in held)
        for _, name, bytes_ in held:
            if total + size <= self.capacity_bytes:
                return
            try:
                os.unlink(self.folder / name)
            except FileNotFoundError:
                pass  # another process removed it
            except PermissionError:  # on Windows, while somebody reads it
                continue
            total -= bytes_

    def _files(self) -> Iterator[tuple[int, str, int]]:
        """Time of last use, name and bytes of every stored cache of the folder."""
        for entry in os.scandir(self.folder):
            if OURS.fullmatch(entry.name):
                with contextlib.suppress(OSError):
                    info = entry.stat(follow_symlinks=False)
                    yield info.st_mtime_ns, entry.name, info.st_size

    def _open(self, name: str, look: Callable[[int, str], T]) -> T | None:
        """What `look` makes of a file; None for one that is not there, and for one that is not
        right, which is removed.
        """
        path, fd = self._path(name), None
        try:
            fd = files.open_to_read(path)
            return look(fd, name)
        except FileNotFoundError:
            self.stats.vanished += 1
        except (BadFile, OSError) as err:
            self._reject(path, fd, str(err))
        finally:
            if fd is not None:
                os.close(fd)
        return None

    def _reject(self, path: Path, fd: int | None, why: str) -> None:
        mark = _mark(path)
        if mark in self._bad:
            return
        self.stats.bad_files += 1
        with contextlib.suppress(OSError):
            if fd is None or os.path.samestat(
                os.fstat(fd), os.lstat(path)
            ):  # another process may have put a good one there by now
                os.unlink(path)
        if (left := _mark(path)) is not None:
            self._bad.add(left)
        if not self._has_warned:
            self._has_warned = True
            warnings.warn(
                f"the stored cache {str(path)!r} is not used: {why}. It was removed, and its "
                f"tokens are read anew; further ones are only counted",
                CacheWarning,
                stacklevel=2,
            )

    def _path(self, name: str) -> Path:
        return self.folder / f"{self.tag}-{name}{ENDING}"

    def _learn(self, name: str, header: Header) -> None:
        self._headers[name] = header
        for link in header.links:
            self._by_link.setdefault(link, []).append(name)
        if header.carries is not None:
            self._by_end.setdefault(header.end, []).append(name)

    def forget(self, name: str) -> None:
        header = self._headers.pop(name, None)
        if header is None:
            return
        for book, keys in (
            (self._by_link, header.links),
            (self._by_end, (header.end,) if header.carries is not None else ()),
        ):
            for key in keys:
                book[key].remove(name)
                if not book[key]:
                    del book[key]


def _folder(given: str | Path | None) -> Path:
    """The folder, made if need be, closed to others: what is stored can be read back as text by
    whoever has the model.
    """
    if given is None:
        return Path(tempfile.mkdtemp(prefix="scbench-prefix-"))
    folder = Path(given).expanduser()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, ValueError) as err:
        raise BadConfig(
            f"no caches can be stored in {str(given)!r}: {err}; name a folder that exists or can "
            f"be made"
        ) from err
    return folder


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Hold the folder's lock; False if another process held it for LOCK_WAIT_S. It is the kernel's,
    so it ends with its holder.
    """
    fd = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | OPEN_FLAGS, 0o600)
    try:
        until, is_alone = time.monotonic() + LOCK_WAIT_S, False
        while True:
            try:
                seize(fd)
                is_alone = True
            except OSError as err:
                if err.errno not in BUSY:
                    raise
                time.sleep(0.005)
            if is_alone or time.monotonic() >= until:  # one try at least, however slow the machine
                break
        yield is_alone
    finally:
        os.close(fd)


def _mark(path: Path) -> tuple[str, int, int] | None:
    try:
        info = os.lstat(path)
    except OSError:
        return None
    return path.name, info.st_ino, info.st_mtime_ns
