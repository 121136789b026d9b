"""A Snapshot: the sealed result of reading a prefix, from which every method forks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TypeAlias

import torch
from torch import Tensor

from scbench.errors import Mismatch, Released
from scbench.kv import store as stores_of
from scbench.kv.shape import CacheShape
from scbench.kv.store import DenseStore, RaggedStore
from scbench.kv.stream import LayerCache, Recurrent, Stream
from scbench.kv.tail import DenseTail

Rotate: TypeAlias = Callable[
    [Tensor, Tensor], Tensor
]  # x (..., T, D) and positions (T,) to x as the model turns it there (RoPE, with its scaling)


MOMENTS_SKIP_ROWS = 4


@dataclass(slots=True)
class Observed:
    """What was seen of the queries of one layer during a read; fields are None unless some method asked.

    `window_HGWD`: the last W queries after RoPE (all of them if fewer were read), unscaled.
    `column_sums_HS`: dense attention every key received, summed over all rows, mean over the group (fp32). Under a sparse pattern it is the
    dense attention of queries that were computed sparsely.
    `query_mean_HGD`, `query_scatter_HGDD` = sum of (q - mean)(q - mean)^T, `query_rows`: moments of the queries BEFORE RoPE (fp32), without
    the first `MOMENTS_SKIP_ROWS` of a prefix, which are unlike all others.
    `head_gates_H`: how far back each KV head looks, in [0, 1]; of the model, not of the prefix.
    `repeat_scores_HS`: most attention a key got, by any head of the group and any row, while the model repeated its context (fp32, in [0, 1]).
    """

    window_HGWD: Tensor | None = None
    column_sums_HS: Tensor | None = None
    query_mean_HGD: Tensor | None = None
    query_scatter_HGDD: Tensor | None = None
    query_rows: int = 0
    repeat_scores_HS: Tensor | None = None
    head_gates_H: Tensor | None = None


@dataclass(frozen=True, slots=True)
class LayerView:
    """One layer as a compression sees it: the slots there are, which need not be all tokens read.

    `positions_HS` says at which logical position each slot stands, where an earlier compression
    left gaps; None: slot i at position i.
    """

    index: int  # among the attention layers, 0-based
    layers: int  # attention layers
    k_HSD: Tensor
    v_HSD: Tensor
    observed: Observed
    scale: float
    rotate: Rotate | None = None
    remembered: stores_of.Holder | None = (
        None  # what the generation stage that read it goes on from
    )
    question_tokens: int | None = None  # how many of the last tokens are a question; None: unknown
    positions_HS: Tensor | None = None

    @property
    def tokens(self) -> int:
        return self.k_HSD.shape[1]

    def gather(self, kept: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Copies of K and V (H, B, D) at `kept`, as many slots in every head, and their logical
        positions (H, B) on the CPU: bookkeeping."""
        at = torch.stack(kept)
        positions_HB = torch.stack(self.standing(kept))
        index = at.to(self.k_HSD.device).unsqueeze(-1).expand(-1, -1, self.k_HSD.shape[-1])
        return self.k_HSD.gather(1, index), self.v_HSD.gather(1, index), positions_HB

    def standing(self, kept: list[Tensor]) -> list[Tensor]:
        """The logical positions of the slots `kept` of each KV head, on the CPU."""
        if self.positions_HS is None:
            return [slots.cpu() for slots in kept]
        return [self.positions_HS[head, slots.cpu()] for head, slots in enumerate(kept)]

    def cut(self, kept: list[Tensor]) -> LayerCache:
        """A copy of the slots `kept` in a store of its own (ragged if heads keep different numbers) and an empty tail."""
        if len({len(slots) for slots in kept}) > 1:
            return self.cut_ragged(kept)
        k_HSD, v_HSD, positions_HS = self.gather(kept)
        return LayerCache((DenseStore(k_HSD, v_HSD, positions_HS=positions_HS),), DenseTail())

    def cut_ragged(self, kept: list[Tensor]) -> LayerCache:
        """The same, laid flat even where all heads keep as many."""
        return LayerCache(
            (RaggedStore.gather(self.k_HSD, self.v_HSD, kept, self.standing(kept)),),
            DenseTail(),
        )


@dataclass(slots=True)
class Snapshot:
    """Sealed K and V (and recurrent states) of a prefix, what was observed, and the logits after its last token.

    `layers` is keyed by the model's layer index; each has one or more dense stores in order of position (a snapshot that extends another
    shares the other's stores). `logits_V` is fp32. `missing` says why something that was asked for could not be observed. Nothing writes to it after it is made; `release` drops the tensors.
    """

    shape: CacheShape
    layers: dict[int, tuple[DenseStore, ...]]
    ids: tuple[int, ...]
    logits_V: Tensor
    observed: dict[int, Observed] = field(default_factory=dict)
    scales: dict[int, float] = field(default_factory=dict)
    recurrent: Recurrent | None = None
    read_by: str = "dense"  # the generation stage that read it
    rotate: Rotate | None = None
    missing: dict[str, str] = field(default_factory=dict)
    remembered: dict[int, stores_of.Holder] = field(
        default_factory=dict
    )  # by layer: what the stage that read it goes on from
    question_tokens: int | None = None  # of `ids`, the last that are a question; None: unknown
    released: bool = False

    @property
    def logical_tokens(self) -> int:
        return len(self.ids)

    def fork(self) -> Stream:
        """The dense stream over this prefix: shares every store, owns empty tails."""
        self.check()
        layers = {
            index: LayerCache(tuple(stores), DenseTail()) for index, stores in self.layers.items()
        }
        return Stream(
            layers=layers,
            ids=list(self.ids),
            recurrent=None if self.recurrent is None else self.recurrent.copy(),
        )

    def view(self, layer: int) -> LayerView:
        """K and V of one layer over the whole prefix. Copies only if the prefix was read in several pieces."""
        self.check()
        pieces = self.layers[layer]
        k_HSD = (
            pieces[0].k_HSD
            if len(pieces) == 1
            else torch.cat([piece.k_HSD for piece in pieces], dim=1)
        )
        v_HSD = (
            pieces[0].v_HSD
            if len(pieces) == 1
            else torch.cat([piece.v_HSD for piece in pieces], dim=1)
        )
        index = list(self.layers).index(layer)
        return LayerView(
            index,
            len(self.layers),
            k_HSD,
            v_HSD,
            self.observed.get(layer, Observed()),
            self.scales[layer],
            self.rotate,
            self.remembered.get(layer),
            self.question_tokens,
            _positions(pieces),
        )

    def slots(self, layer: int) -> int:
        """How many slots a layer has; fewer than the tokens read where some were dropped."""
        return sum(piece.k_HSD.shape[1] for piece in self.layers[layer])

    def prefix(self, tokens: int) -> Snapshot:
        """The first `tokens` tokens as a snapshot that shares these tensors. It has no logits of its own (NaN) and observed nothing. Raises
        Mismatch for recurrent states, which cannot be cropped."""
        self.check()
        if self.recurrent is not None:
            raise Mismatch(
                "a recurrent state covers all tokens it has seen; it cannot serve a shorter prefix"
            )
        layers: dict[int, tuple[DenseStore, ...]] = {}
        for layer, pieces in self.layers.items():
            cut, left = [], tokens
            for piece in pieces:
                if left > 0:
                    cut.append(
                        DenseStore(
                            piece.k_HSD[:, :left],
                            piece.v_HSD[:, :left],
                            first_position=piece.first_position,
                        )
                    )
                    left -= cut[-1].k_HSD.shape[1]
            layers[layer] = tuple(cut)
        none = torch.full_like(self.logits_V, float("nan"))
        return Snapshot(
            shape=self.shape,
            layers=layers,
            ids=self.ids[:tokens],
            logits_V=none,
            scales=self.scales,
            read_by=self.read_by,
            rotate=self.rotate,
        )

    def digest(self) -> str:
        """Seal over all tensors: a fork or a method that changed the snapshot changes it."""
        self.check()
        states = {} if self.recurrent is None else self.recurrent.tensors()
        pieces = [piece for pieces in self.layers.values() for piece in pieces]
        return stores_of.digest([*pieces, *self.remembered.values(), stores_of.Named(states)])

    def held_bytes(self) -> int:
        self.check()
        return stores_of.nbytes(
            x
            for pieces in self.layers.values()
            for piece in pieces
            for x in piece.tensors().values()
        )

    def release(self) -> None:
        """Give the tensors back; any later use raises Released."""
        self.layers, self.observed, self.remembered, self.recurrent, self.released = (
            {},
            {},
            {},
            None,
            True,
        )

    def check(self) -> None:
        if self.released:
            raise Released(
                "this snapshot was given back; read its prefix again before you fork from it"
            )


def _positions(pieces: tuple[DenseStore, ...]) -> Tensor | None:
    """Logical positions of all slots of a layer (H, S); None where slot i stands at position i."""
    starts = [0, *accumulate(piece.k_HSD.shape[1] for piece in pieces)]
    if all(
        piece.positions_HS is None and piece.first_position == start
        for piece, start in zip(pieces, starts, strict=False)
    ):
        return None
    heads = range(pieces[0].k_HSD.shape[0])
    by_piece = [torch.stack([piece.positions(head) for head in heads]) for piece in pieces]
    return torch.cat(by_piece, dim=1)
