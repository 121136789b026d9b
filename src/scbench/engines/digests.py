"""SHA-256 of whole files, each read once: remembered beside what changes with them.

Remembered are path, size, times of change, device and inode. There is one small file per digest in
the user's cache folder, put there whole, so that processes side by side never meet a half-written
one. A remembered digest that is damaged or does not fit is computed again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from scbench.engines.cache import cache_root
from scbench.errors import BadRecord
from scbench.reading import read_json_file

MOST_MEMORY_BYTES = 1 << 20  # of a file that remembers one digest
LARGE_BYTES = 4 << 30  # what takes seconds to read is announced
SETTLED_NS = 2_000_000_000  # file systems with coarse clocks give two writes in a row one time
_HEX = re.compile(r"[0-9a-f]{64}")


def file_digest(path: Path) -> str:
    """SHA-256 of all bytes of a file; the name of a hub cache's blob where that is its SHA-256."""
    if named := _blob_name(path):
        return named
    mark = _mark(path)
    if known := _recall(mark):
        return known
    if int(mark["size"]) > LARGE_BYTES:
        gib = int(mark["size"]) / (1 << 30)
        print(f"scbench: reading {path.name} once for its digest ({gib:,.0f} GiB)", file=sys.stderr)
    digest = read_whole(path)
    is_settled = time.time_ns() - path.stat().st_mtime_ns > SETTLED_NS
    if is_settled and _mark(path) == mark:
        _remember(mark, digest)
    return digest


def files_digest(folder: Path, paths: Iterable[Path], *more: str) -> str:
    """One SHA-256 over names and whole contents of files, and over further texts; "" of nothing."""
    lines = [f"{path.relative_to(folder)} {file_digest(path)}" for path in sorted(paths)]
    lines += [text for text in more if text]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest() if lines else ""


def read_whole(path: Path) -> str:
    """The digest of a file, from its bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _blob_name(path: Path) -> str:
    """A hub cache keeps large files as blobs/<SHA-256> and links to them from snapshots/."""
    if not path.is_symlink():
        return ""
    blob = path.resolve()
    repository = blob.parent.parent
    is_of_a_cache = blob.parent.name == "blobs" and (repository / "snapshots") in (
        link.resolve() for link in path.absolute().parents
    )
    return blob.name if is_of_a_cache and _HEX.fullmatch(blob.name) else ""


def _mark(path: Path) -> dict[str, str | int]:
    real = path.resolve()
    status = real.stat()
    return {
        "path": str(real),
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        # a copy may set the time of the last write back; that of the last change it cannot
        "ctime_ns": status.st_ctime_ns,
        "device": status.st_dev,
        "inode": status.st_ino,
    }


def _memory(mark: dict[str, str | int]) -> Path:
    named = hashlib.sha256(str(mark["path"]).encode("utf-8", "surrogateescape")).hexdigest()
    return cache_root() / "digests" / f"{named[:32]}.json"


def _sealed(mark: dict[str, str | int], digest: str) -> str:
    return hashlib.sha256(json.dumps([mark, digest], sort_keys=True).encode()).hexdigest()


def _recall(mark: dict[str, str | int]) -> str:
    try:
        held = read_json_file(_memory(mark), most_bytes=MOST_MEMORY_BYTES)
        digest = str(held["sha256"])
        is_whole = held["mark"] == mark and held["seal"] == _sealed(mark, digest)
    except (OSError, KeyError, TypeError, BadRecord):
        return ""
    return digest if is_whole else ""


def _remember(mark: dict[str, str | int], digest: str) -> None:
    target = _memory(mark)
    part = target.with_suffix(f".{os.getpid()}-{secrets.token_hex(4)}")
    held = {"mark": mark, "sha256": digest, "seal": _sealed(mark, digest)}
    # Without a cache folder that can be written, files are read again at the next start.
    with contextlib.suppress(OSError):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_text(json.dumps(held), encoding="utf-8")
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
