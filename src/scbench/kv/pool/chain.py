"""Names of token sequences: the chained hash of whole blocks, and the mark of where a stored prefix
ends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np


def token_bytes(ids: Sequence[int]) -> bytes:
    """Four bytes a token, lowest first. Raises OverflowError for what is no token id."""
    return np.asarray(ids, dtype="<u4").tobytes() if len(ids) else b""


def root(salt: str) -> bytes:
    """The link before the first token; `salt` covers all that makes caches of equal tokens
    differ.
    """
    return hashlib.sha256(salt.encode()).digest()


def links(ids: Sequence[int], block_tokens: int, before: bytes) -> list[bytes]:
    """The link after every whole block of `ids`, which stand behind what `before` names."""
    raw, step, found = token_bytes(ids), 4 * block_tokens, list[bytes]()
    for start in range(0, len(raw) - step + 1, step):
        before = hashlib.sha256(before + raw[start : start + step]).digest()
        found.append(before)
    return found


def end_mark(link: bytes, tail: Sequence[int]) -> bytes:
    """The name of a prefix that ends with `tail`, fewer tokens than a block, behind `link`."""
    return hashlib.sha256(b"end" + link + token_bytes(tail)).digest()


def gaps(chain: Sequence[bytes], has: Callable[[bytes], bool]) -> list[tuple[int, int]]:
    """Maximal runs [first, stop) of blocks that `has` does not have."""
    runs: list[tuple[int, int]] = []
    for at, link in enumerate(chain):
        if has(link):
            continue
        if runs and runs[-1][1] == at:
            runs[-1] = (runs[-1][0], at + 1)
        else:
            runs.append((at, at + 1))
    return runs
