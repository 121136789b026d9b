"""Numbers in a line of a file: compressed, in base 64."""

from __future__ import annotations

import base64
import zlib

from scbench.errors import BadRecord


def packed(data: bytes) -> str:
    """Bytes as text.

    >>> unpacked(packed(bytes(1000)), 1000) == bytes(1000), len(packed(bytes(1000)))
    (True, 24)
    """
    return base64.b64encode(zlib.compress(data)).decode()


def unpacked(text: str, size: int) -> bytearray:
    """The `size` bytes of a text. Raises BadRecord where it has more, fewer, or none."""
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(base64.b64decode(text, validate=True), size + 1)
    except (ValueError, zlib.error) as err:
        raise BadRecord(f"its numbers cannot be unpacked ({err})") from err
    if len(data) != size or size == 0:
        raise BadRecord(f"{size:,} bytes of numbers were expected, and it holds {len(data):,}")
    return bytearray(data)
