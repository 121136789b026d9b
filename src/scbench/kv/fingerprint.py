"""Whether shared tensors still hold what they held: one number for everything a snapshot shares.

Snapshots are inference tensors, which carry no version counter, so their bytes are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from scbench.kv.snapshot import Snapshot
from scbench.tensors import Tensor, torch

_CHUNK = 1 << 20  # words of 8 bytes weighed at once
_ODD = 0x9E3779B97F4A7C15 - (1 << 64)  # 2^64 over the golden ratio, as a signed 64-bit number


def fingerprint(snapshot: Snapshot) -> int:
    """One 64-bit number over K, V, recurrent states, logits and all that was observed.

    Every word is multiplied by an odd weight of its own and all are added modulo 2^64, so a
    change of one word always shows, and one of several all but always (1 in 2^64).
    """
    total = 0
    for at, tensor in enumerate(_shared(snapshot)):
        total += (2 * at + 1) * _weighed(tensor)
    return total & ((1 << 64) - 1)


def _shared(snapshot: Snapshot) -> Iterator[Tensor]:
    yield snapshot.logits_V
    for stores in snapshot.layers.values():
        for store in stores:
            yield from store.tensors().values()
    for observed in snapshot.observed.values():
        for field in fields(observed):
            value = getattr(observed, field.name)
            if isinstance(value, Tensor):
                yield value
    for memory in snapshot.remembered.values():
        yield from memory.tensors().values()
    if snapshot.recurrent is not None:
        yield from snapshot.recurrent.tensors().values()


def _weighed(tensor: Tensor) -> int:
    data = tensor.detach().contiguous().reshape(-1).view(torch.uint8)
    odd_bytes = data.numel() % 8
    if odd_bytes:
        data = torch.nn.functional.pad(data, (0, 8 - odd_bytes))
    words = data.view(torch.int64)
    total = 0
    for start in range(0, words.numel(), _CHUNK):
        part = words[start : start + _CHUNK]
        place = torch.arange(start, start + part.numel(), device=part.device)
        total += int((part * (place * _ODD).bitwise_or(1)).sum())
    return total
