"""A Segment: K and V of a run of tokens behind a known prefix. What a pool stores, in memory and in
files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from scbench.kv.pool import chain
from scbench.kv.shape import CacheShape
from scbench.kv.snapshot import Observed, Piece, Snapshot
from scbench.kv.store import DenseStore, nbytes
from scbench.tensors import Tensor, torch

OBSERVED_TENSORS = tuple(f.name for f in fields(Observed) if f.name != "query_rows")


@dataclass(frozen=True, slots=True)
class Ending:
    """What was observed up to the last token of a segment. `carries` names the needs that were
    asked for; `missing` says why one is not there.
    """

    carries: frozenset[str]
    observed: dict[int, Observed]
    missing: dict[str, str]

    def tensors(self) -> dict[tuple[int, str], Tensor]:
        """By layer and field."""
        return {
            (layer, name): x
            for layer, seen in self.observed.items()
            for name in OBSERVED_TENSORS
            if (x := getattr(seen, name)) is not None
        }


@dataclass(frozen=True, slots=True)
class Segment:
    """Tokens [start, stop) of a prefix; `start` is a whole number of blocks, `stop` need not be.

    `before` is the link at `start`, `links` those after each own whole block, `end` the mark of its
    last token. K and V are (H, T, D), and their storages hold nothing else, so `held_bytes` is what
    dropping the segment frees.
    """

    start: int
    ids: tuple[int, ...]
    before: bytes
    links: tuple[bytes, ...]
    end: bytes
    layers: dict[int, tuple[Tensor, Tensor]]
    shape: CacheShape
    scales: dict[int, float]
    read_by: str
    block_tokens: int
    ending: Ending | None = None

    @property
    def stop(self) -> int:
        return self.start + len(self.ids)

    @property
    def name(self) -> str:
        """Its identity: what it holds, and from where on."""
        return f"{self.end.hex()[:40]}-{self.start}"

    def held_bytes(self) -> int:
        ending = self.ending.tensors().values() if self.ending else ()
        return nbytes(x for pair in self.layers.values() for x in pair) + nbytes(ending)

    def cut(self, first_block: int, stop_block: int) -> Segment:
        """Own blocks [first, stop), with what follows the last whole block if that is among them.
        Copies, except where it is the whole segment.
        """
        first = first_block * self.block_tokens
        is_last = stop_block == len(self.links)
        stop = len(self.ids) if is_last else stop_block * self.block_tokens
        if first == 0 and is_last:
            return self
        before = self.links[first_block - 1] if first_block else self.before
        last = self.links[stop_block - 1] if stop_block else self.before
        return replace(
            self,
            start=self.start + first,
            ids=self.ids[first:stop],
            before=before,
            links=self.links[first_block:stop_block],
            end=self.end if is_last else chain.end_mark(last, ()),
            layers={
                at: (k[:, first:stop].clone(), v[:, first:stop].clone())
                for at, (k, v) in self.layers.items()
            },
            ending=self.ending if is_last else None,
        )

    def store(self, layer: int, start: int, stop: int) -> DenseStore:
        """Own tokens [start, stop) of one layer; shares the tensors."""
        k_HSD, v_HSD = self.layers[layer]
        if (start, stop) != (0, len(self.ids)):
            k_HSD, v_HSD = k_HSD[:, start:stop], v_HSD[:, start:stop]
        return DenseStore(k_HSD, v_HSD, first_position=self.start + start)


def segment_of(
    snapshot: Snapshot,
    found: Sequence[bytes],
    first_block: int,
    stop_block: int,
    *,
    root: bytes,
    block_tokens: int,
    ending: Ending | None,
) -> Segment:
    """Blocks [first, stop) of a snapshot whose links are `found`, with the rest of its tokens if
    the last whole block is among them. Takes the snapshot's own tensors where a piece of it is just
    that, copies otherwise.
    """
    is_last = stop_block == len(found)
    start, stop = (
        first_block * block_tokens,
        snapshot.logical_tokens if is_last else stop_block * block_tokens,
    )
    last = found[stop_block - 1] if stop_block else root
    return Segment(
        start=start,
        ids=snapshot.ids[start:stop],
        before=found[first_block - 1] if first_block else root,
        links=tuple(found[first_block:stop_block]),
        end=chain.end_mark(last, snapshot.ids[stop_block * block_tokens : stop]),
        layers={
            at: (_range(pieces, start, stop, "k"), _range(pieces, start, stop, "v"))
            for at, pieces in snapshot.layers.items()
        },
        shape=snapshot.shape,
        scales=dict(snapshot.scales),
        read_by=snapshot.read_by,
        block_tokens=block_tokens,
        ending=ending if is_last else None,
    )


def _range(pieces: Sequence[Piece], start: int, stop: int, which: str) -> Tensor:
    """Slots [start, stop) of K or V over the pieces of a layer, in a storage of its own."""
    parts, at = [], 0
    for piece in pieces:
        x = piece.slots.k_HSD if which == "k" else piece.slots.v_HSD
        low, high = max(start - at, 0), min(stop - at, x.shape[1])
        at += x.shape[1]
        if low < high:
            parts.append(x if (low, high) == (0, x.shape[1]) else x[:, low:high])
    if not parts:
        x = pieces[0].slots.k_HSD if which == "k" else pieces[0].slots.v_HSD
        return x[:, :0].clone()
    whole = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
    owns = whole.is_contiguous() and whole.untyped_storage().nbytes() == nbytes([whole])
    return whole if owns else whole.contiguous().clone()
