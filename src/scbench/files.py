"""Files that are whole or absent, and JSON that says of itself whether it is whole.

A leaf like `types` and `errors`: every room may import it, and it imports neither torch nor a
room. What is read back as evidence ends in a checksum; what a person edits does not.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import zlib
from pathlib import Path

from scbench.errors import BadRecord, CannotWrite

PART = ".part"  # the ending of a file that is not whole yet
_ADVICE = {
    errno.ENOSPC: "the disk is full; free some space and give the same command again",
    errno.EDQUOT: "the disk quota is used up; free some space and give the same command again",
    errno.EROFS: "the file system is read-only; name another folder",
    errno.EACCES: "permission denied; name another folder, or change its owner or mode",
    errno.EPERM: "operation not permitted; name another folder, or change its owner or mode",
    errno.ELOOP: "it is a link, and links are not followed; remove it, or name another folder",
}
_BLANK = rb"[ \t\r\n]*"  # what JSON takes between its signs; `\s` would take a vertical tab too
_CRC = re.compile(
    _BLANK.join((rb",", rb'"crc":', rb'"([0-9a-f]{8})"', rb"\}", rb"\Z")),
)
# The same with a damaged name or digit: else it would pass for a text from before checksums.
_LIKE_CRC = re.compile(
    _BLANK.join((rb",", rb'"[^"]{3}":', rb'"[^"]{8}"', rb"\}", rb"\Z")),
)


def cannot_write(err: OSError, path: Path, kept: str = "") -> CannotWrite:
    """The error to raise for a failed write to `path`; `kept` is a sentence about what is safe."""
    other = f"{err.strerror or err}; mend this and give the same command again"
    todo = _ADVICE.get(err.errno or 0, other)
    return CannotWrite(f"{str(path)!r} cannot be written: {todo}{'. ' + kept if kept else ''}")


def write_atomically(path: Path, data: bytes) -> None:
    """Put `data` at `path`, whole: a reader, or a power cut, finds the old file or the new one.

    A link at `path` is replaced and what it points to is left alone. Raises CannotWrite.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}{PART}")
    try:
        with open(part, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        sync_folder(path.parent)
    except BaseException as err:
        with contextlib.suppress(OSError):
            part.unlink()
        if isinstance(err, OSError):
            raise cannot_write(err, path, "What stood there before is unchanged.") from err
        raise


def sync_folder(folder: Path) -> None:
    """Make a new name in `folder` survive a power cut, where the file system can."""
    with contextlib.suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def sealed(text: bytes) -> bytes:
    """A JSON object with one more member at its end, `"crc"`: CRC-32 of the bytes before it.

    `{"a":1}` becomes `{"a":1,"crc":"d2cc28ef"}`. Layout is kept: a pretty text stays one.
    """
    body = text.rstrip()
    assert body.endswith(b"}"), "only a JSON object can be sealed"
    assert len(body) > 2, "an empty object has nothing to seal"
    inside = body[:-1].rstrip()
    is_pretty = b"\n" in inside
    crc = b"%08x" % zlib.crc32(inside)
    if is_pretty:
        return inside + b',\n "crc": "' + crc + b'"\n}'
    return inside + b',"crc":"' + crc + b'"}'


def unsealed(text: bytes, where: str) -> tuple[bytes, bool]:
    """The object without its checksum, and whether it had one. Raises BadRecord if it is wrong.

    A text without checksum comes from before there were any; the caller must then take no field
    it does not know, so that a damaged checksum is not read as an old text.
    """
    found = _CRC.search(text)
    if found is None:
        if _LIKE_CRC.search(text):
            raise BadRecord(f"{where} is damaged: it ends in a checksum that is none")
        return text, False
    inside = text[: found.start()]
    if zlib.crc32(inside) != int(found[1], 16):
        raise BadRecord(f"{where} is damaged: its checksum does not fit what it says")
    return inside + b"}", True
