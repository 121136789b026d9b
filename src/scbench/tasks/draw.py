"""Seeded chance that never changes: Python's own `random` may pick other algorithms in a later
version, SHA-256 may not.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, MutableSequence, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import TypeVar

T = TypeVar("T")
_DOMAIN = "scbench-gen/1/"
_BATCH = 16  # blocks read ahead at most; a stream's bits do not depend on it


class Draw:
    """The stream named by a path. key = SHA-256("scbench-gen/1/" + "/".join(path)); block i =
    SHA-256(key + i as 8 bytes, big-endian).

    The blocks, one after the other, are one sequence of bits, least significant bit of each byte
    first; each draw takes the next bits it needs. A stream nobody draws from costs one hash, a
    small one two, so that every filler unit can have its own.
    """

    __slots__ = ("_bits", "_block", "_key", "_pool", "_state")

    def __init__(self, *path: str) -> None:
        self._start(sha256((_DOMAIN + "/".join(path)).encode()))

    def _start(self, state: sha256) -> None:  # type: ignore[valid-type]
        self._state = state
        self._key: bytes = state.digest()  # type: ignore[attr-defined]
        self._block = self._pool = self._bits = 0

    def child(self, *path: str) -> Draw:
        """The same as a Draw of this path and `path` together."""
        state = self._state.copy()  # type: ignore[attr-defined]
        state.update(("/" + "/".join(path)).encode())
        new = Draw.__new__(Draw)
        new._start(state)
        return new

    def children(self, path: str) -> Iterator[Draw]:
        """The streams child(path, "0"), child(path, "1"), ... without end: one per filler unit."""
        base = self._state.copy()  # type: ignore[attr-defined]
        base.update(f"/{path}/".encode())
        i = 0
        while True:
            state = base.copy()
            state.update(b"%d" % i)
            new = Draw.__new__(Draw)
            new._start(state)
            yield new
            i += 1

    def bits(self, wanted: int) -> int:
        """The next `wanted` bits as a number below 2 ** wanted."""
        if self._bits < wanted:
            self._refill(wanted)
        value = self._pool & ((1 << wanted) - 1)
        self._pool >>= wanted
        self._bits -= wanted
        return value

    def _refill(self, wanted: int) -> None:
        """Read as many blocks as `wanted` bits need, and ahead as many as were read so far (at most
        _BATCH).
        """
        key, first = self._key, self._block
        last = first + max((wanted - self._bits + 255) // 256, min(first, _BATCH))
        blocks = b"".join([sha256(key + i.to_bytes(8, "big")).digest() for i in range(first, last)])
        self._pool |= int.from_bytes(blocks, "little") << self._bits
        self._bits += 256 * (last - first)
        self._block = last

    def below(self, n: int) -> int:
        """A whole number in [0, n), all equally likely: take as many bits as n - 1 has, again until
        they are below n.
        """
        if n < 1:
            raise ValueError(f"nothing is below {n} and not negative")
        wanted = (n - 1).bit_length()
        while True:
            if self._bits < wanted:
                self._refill(wanted)
            value = self._pool & ((1 << wanted) - 1)
            self._pool >>= wanted
            self._bits -= wanted
            if value < n:
                return value

    def between(self, low: int, high: int) -> int:
        """A whole number in [low, high)."""
        return low + self.below(high - low)

    def unit(self) -> float:
        """A number in [0, 1), of 53 bits."""
        return self.bits(53) / 9007199254740992.0

    def choice(self, items: Sequence[T]) -> T:
        return items[self.below(len(items))]

    def sample(self, items: Sequence[T], k: int) -> list[T]:
        """`k` of the items at different places, in drawn order. Time and memory grow with k, not
        with the number of items.
        """
        if not 0 <= k <= len(items):
            raise ValueError(f"cannot draw {k} of {len(items)} without repeats")
        moved: dict[
            int, int
        ] = {}  # a Fisher-Yates shuffle from the end that writes down only what it touches
        taken: list[T] = []
        for last in range(len(items) - 1, len(items) - 1 - k, -1):
            at = self.below(last + 1)
            taken.append(items[moved.get(at, at)])
            moved[at] = moved.pop(last, last)
        return taken

    def shuffle(self, items: MutableSequence[T]) -> None:
        """Fisher-Yates from the end, in place."""
        for last in range(len(items) - 1, 0, -1):
            at = self.below(last + 1)
            items[last], items[at] = items[at], items[last]

    def many(self, n: int, k: int) -> list[int]:
        """`k` whole numbers in [0, n), all equally likely, n at most 2**32. Quicker than `below`,
        and other numbers: it reads 16 or 32 bits each.
        """
        if not 1 <= n <= 1 << 32:
            raise ValueError(f"many() needs 1 <= n <= 2**32, not {n}")
        width, code = (16, "H") if n <= 1 << 16 else (32, "I")
        mask = (1 << (n - 1).bit_length()) - 1
        out: list[int] = []
        while (
            take := min(k - len(out), 4096)
        ) > 0:  # shifting a pool of bits costs its length: take it in portions
            words = struct.unpack(
                f"<{take}{code}", self.bits(width * take).to_bytes(take * width // 8, "little")
            )
            out += [value for word in words if (value := word & mask) < n]
        return out

    def text(self, alphabet: str, length: int) -> str:
        """`length` characters of an ASCII alphabet, all equally likely: bytes above the largest
        multiple of its size are passed over.
        """
        table, unfair = _byte_table(alphabet)
        out = b""
        while (take := length - len(out)) > 0:
            out += self.bits(8 * take).to_bytes(take, "little").translate(table, unfair)
        return out.decode()


@lru_cache(maxsize=64)
def _byte_table(alphabet: str) -> tuple[bytes, bytes]:
    size, fair = len(alphabet), 256 - 256 % len(alphabet)
    return (alphabet * (256 // size + 1)).encode("ascii")[:256], bytes(range(fair, 256))
