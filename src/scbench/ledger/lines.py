"""A file of JSON objects, one a line, that only grows and survives being killed at any byte.

One writer (the owner of the folder's `Lock`), any number of readers. Measured on a local SSD, flush
+ fsync of a 1.5 KB line takes 0.15 ms, a thousandth of a turn, so an append is on the disk when it
returns, unless it says that it need not be (on a disk that is busy it took 4 ms).
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from scbench.errors import BadConfig, BadRecord, CannotWrite, Released
from scbench.files import cannot_write, sealed, sync_folder, unsealed
from scbench.ledger.store import as_dict
from scbench.reading import check as limits
from scbench.system import OPEN_FLAGS

T = TypeVar("T")
_BLOCK_BYTES = 1 << 16
_ENDED = re.compile(rb',"crc":"[0-9a-f]{8}"\}.')


@dataclass(frozen=True, slots=True)
class LinePlace:
    """Where a line stands in its file."""

    start: int
    length_bytes: int


class LineFile(Generic[T]):
    """The lines of `path`, each a `kind`, open for appending.

    Opening mends a torn last line: its bytes go to `<path>.torn` and leave the file (`torn_bytes`
    says how many). Raises BadRecord for any other line that is not a `kind`, BadConfig if the path
    cannot be a file, CannotWrite if the disk refuses.
    """

    def __init__(self, path: Path, kind: type[T], check: Callable[[T], None] | None = None) -> None:
        self.path = path
        self.decode = decoder(path, kind, check)
        self.torn_bytes = 0
        self._turn = threading.Lock()
        self._fd = _open(path)
        try:
            self._end = self._mend()
        except BaseException:
            os.close(self._fd)
            raise
        self._is_open, self._is_torn = True, False

    def _mend(self) -> int:
        """Drop a torn last line, or give a whole one its missing newline; returns the length of the
        file.
        """
        size = os.fstat(self._fd).st_size
        tail = _tail(self.path, size)
        if not tail:
            return size
        line = self.path.read_bytes().count(b"\n") + 1
        try:
            if _is_torn(self.decode, tail, line):
                _keep_torn(self.path, tail)
                os.ftruncate(self._fd, size - len(tail))
                self.torn_bytes = len(tail)
                size -= len(tail)
            else:
                size += os.write(self._fd, b"\n")
            os.fsync(self._fd)
        except OSError as err:
            raise cannot_write(err, self.path, "Every whole line is kept.") from err
        return size

    def places(self) -> Iterator[tuple[LinePlace, T]]:
        """Every line with its place, oldest first."""
        return scan(self.path, self.decode)

    def read(self, place: LinePlace) -> T:
        """The line that `append` or `places` gave this place to."""
        with open(self.path, "rb") as file:
            file.seek(place.start)
            return self.decode(file.read(place.length_bytes), 0)

    def append(self, row: T, *, sync: bool = True) -> LinePlace:
        """Write one line; it is on the disk when this returns. Without `sync` it outlives a kill,
        and a power cut once the system has written it or a later line is synced. Raises
        CannotWrite, and then the file is as it was before.
        """
        return self.extend([row], sync=sync)[0]

    def extend(self, rows: Sequence[T], *, sync: bool = True) -> list[LinePlace]:
        """Write several lines with one fsync; if the disk refuses, none of them stays."""
        written = [self._encode(row) for row in rows]
        with self._turn:
            self._check_ours()
            starts = [self._end]
            for line in written:
                starts.append(starts[-1] + len(line))
            self._write(b"".join(written), sync)
        return [LinePlace(start, len(line)) for start, line in zip(starts, written, strict=False)]

    def _encode(self, row: T) -> bytes:
        """One line that reads back equal. NaN, for one, would come back as None and make a gap of a
        number.
        """
        try:
            line = sealed(msgspec.json.encode(row, enc_hook=as_dict))
            back = self.decode(line, 0)
        except (TypeError, ValueError, OverflowError, NotImplementedError, BadRecord) as err:
            raise BadRecord(
                f"a {type(row).__name__} cannot be written to {str(self.path)!r}: {err}"
            ) from err
        if back != row:
            raise BadRecord(
                f"a {type(row).__name__} for {str(self.path)!r} would not read back equal: "
                f"{_difference(row, back)}"
            )
        return line + b"\n"

    def _check_ours(self) -> None:
        if not self._is_open:
            raise Released(f"{str(self.path)!r} was closed; open it again to append")
        if self._is_torn:  # an earlier write failed, and so did taking it back
            self._take_back()
        state = os.fstat(self._fd)
        what = ""
        if not _is_at(state, self.path):
            what = "removed, renamed or replaced"
        elif state.st_size != self._end:
            what = f"changed from {self._end:,} to {state.st_size:,} bytes"
        if what:
            raise CannotWrite(
                f"{str(self.path)!r} was {what} by another program during the run; put it back, "
                "leave it alone and give the same command again"
            )

    def _write(self, data: bytes, sync: bool) -> None:
        todo = memoryview(data)
        try:
            while todo:
                todo = todo[os.write(self._fd, todo) :]
            if sync:
                os.fsync(self._fd)
            self._end += len(
                data
            )  # inside the try: an interrupt just before or after leaves file and count in step
        except OSError as err:
            kept = "Every line before it is whole and kept."
            with contextlib.suppress(OSError):
                self._is_torn = True
                self._take_back()
            raise cannot_write(err, self.path, kept) from err
        except BaseException:
            self._is_torn = True
            self._take_back()
            raise

    def _take_back(self) -> None:
        try:
            os.ftruncate(self._fd, self._end)
        except OSError as err:
            raise cannot_write(
                err, self.path, "The next start drops its torn last line and keeps the rest."
            ) from err
        self._is_torn = False

    def close(self) -> None:
        """A second call does nothing."""
        with self._turn:
            if self._is_open:
                self._is_open = False
                os.close(self._fd)


def read_lines(path: Path, kind: type[T], check: Callable[[T], None] | None = None) -> Iterator[T]:
    """Every whole line of `path`, oldest first, without touching the file.

    A torn last line (a run is writing it) is left out; `torn_tail` tells of it. Raises BadConfig
    if there is no such file, BadRecord naming file and line for a line that is not a `kind`.
    """
    return (row for _, row in scan(path, decoder(path, kind, check)))


def decoder(
    path: Path, kind: type[T], check: Callable[[T], None] | None = None
) -> Callable[[bytes, int], T]:
    """A function from (bytes of a line, its number or 0) to a `kind` that `check` does not refuse.

    A line whose checksum holds may carry fields that a newer scbench added: they are left out.
    One without checksum comes from before 0.2, and then an unknown field is damage.
    """
    typed = msgspec.json.Decoder(kind)

    def decode(line: bytes, number: int) -> T:
        where = f"{str(path)!r} line {number:,}" if number else f"{str(path)!r}"
        limits(line, where)
        try:
            text, has_crc = unsealed(line, where)
            row = typed.decode(text)
            strays = set() if has_crc else _strays(msgspec.json.decode(text), row)
            if check is not None:
                check(row)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, BadRecord) as err:
            why = str(err).removeprefix(f"{where} ")
            raise BadRecord(
                f"{where} is not a line of this file ({why}); delete that line and run again (it "
                f"will be computed anew), or move {path.name!r} away to start afresh"
            ) from err
        if strays:
            raise BadRecord(
                f"{where} has fields this version does not know ({', '.join(sorted(strays))}) and "
                "no checksum; it is damaged, or a program that is not scbench wrote it"
            )
        return row

    return decode


def _strays(raw: object, row: object) -> set[str]:
    """The names in `raw` that did not reach `row`, at any depth."""
    if isinstance(raw, dict) and dataclasses.is_dataclass(row):
        known = {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
        nested = [_strays(value, known[name]) for name, value in raw.items() if name in known]
        return set(raw.keys() - known.keys()).union(*nested)
    if isinstance(raw, dict) and raw and isinstance(row, dict):
        name, value = list(raw.items())[-1]
        is_seal = isinstance(value, str) and len(value) == 8 and len(name) == 3
        return {name} if is_seal else set()  # a free row may have any field, but no broken seal
    return set()


def scan(path: Path, decode: Callable[[bytes, int], T]) -> Iterator[tuple[LinePlace, T]]:
    """The whole lines of `path` with their places."""
    start = 0
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n") and _is_torn(decode, line, number):
                    return
                yield LinePlace(start, len(line)), decode(line, number)
                start += len(line)
    except OSError as err:
        raise BadConfig(
            f"{str(path)!r} cannot be read ({err.strerror}); name the folder that `scbench run` "
            f"wrote"
        ) from err


def _is_torn(decode: Callable[[bytes, int], object], tail: bytes, number: int) -> bool:
    """Whether a last line without newline is the beginning of one of ours.

    A whole one is not torn; a stranger's bytes raise BadRecord, and so does a line that has its
    checksum and goes on after it. No proper beginning of a JSON object is a JSON object, so a
    line that can be read is whole. A power cut may leave zero bytes.
    """
    try:
        decode(tail, number)
    except BadRecord:
        begins_ours = tail.startswith(b"{") and _ENDED.search(tail) is None
        if begins_ours or not tail.strip(b"\0"):
            return True
        raise
    return False


def torn_tail(path: Path) -> int:
    """Bytes after the last newline of `path`: a run is writing them, or was cut off. 0: none."""
    return len(_tail(path, path.stat().st_size))


def _is_at(state: os.stat_result, path: Path) -> bool:
    """Whether the file we hold is still the one of that name."""
    try:
        return os.path.samestat(state, os.lstat(path))
    except OSError:
        return False


def _open(path: Path) -> int:
    try:
        is_new = not path.exists()
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        fd = os.open(path, flags | OPEN_FLAGS, 0o666)
    except IsADirectoryError as err:
        raise BadConfig(
            f"{str(path)!r} is a folder, but the run keeps its lines there; move it away or name "
            f"another run folder"
        ) from err
    except OSError as err:
        raise cannot_write(err, path) from err
    if is_new:
        sync_folder(path.parent)
    return fd


def _tail(path: Path, size: int) -> bytes:
    """The bytes after the last newline."""
    tail = b""
    with open(path, "rb") as file:
        while size and b"\n" not in tail:
            step = min(size, _BLOCK_BYTES)
            size -= step
            file.seek(size)
            tail = file.read(step) + tail
    return tail.rpartition(b"\n")[2]


def _keep_torn(path: Path, tail: bytes) -> None:
    with open(path.with_name(path.name + ".torn"), "ab") as file:
        file.write(tail + b"\n")


def _difference(row: object, back: object) -> str:
    if dataclasses.is_dataclass(row) and type(back) is type(row):
        pairs = {
            field.name: (getattr(row, field.name), getattr(back, field.name))
            for field in dataclasses.fields(row)
        }
    elif isinstance(row, dict) and isinstance(back, dict):
        pairs = {str(key): (value, back.get(key)) for key, value in row.items()}
    else:
        return f"{row!r:.200} would become {back!r:.200}"
    return "; ".join(
        f"{name} is {was!r:.200} and would become {now!r:.200}"
        for name, (was, now) in pairs.items()
        if was != now
    )
