"""A Snapshot: the sealed result of reading a prefix, from which every method forks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import TypeAlias

from scbench.errors import Mismatch, Released
from scbench.kv import store as stores_of
from scbench.kv.shape import CacheShape
from scbench.kv.slots import Slots, joined
from scbench.kv.store import DenseStore, RaggedStore
from scbench.kv.stream import LayerCache, Recurrent, Stream
from scbench.kv.tail import DenseTail
from scbench.tensors import Tensor, torch

Rotate: TypeAlias = Callable[
    [Tensor, Tensor], Tensor
]  # x (..., T, D) and positions (T,) to x as the model turns it there (RoPE, with its scaling)


MOMENTS_SKIP_ROWS = 4


@dataclass(slots=True)
class Observed:
    """What was seen of the queries of one layer during a read; fields are None unless some method
    asked.

    `window_HGWD`: the last W queries after RoPE (all of them if fewer were read), unscaled.
    `column_sums_HS`: dense attention every key received, summed over all rows, mean over the group
    (fp32). Under a sparse pattern it is the dense attention of queries that were computed sparsely.
    `query_mean_HGD`, `query_scatter_HGDD` = sum of (q - mean)(q - mean)^T, `query_rows`: moments of
    the queries BEFORE RoPE (fp32), without the first `MOMENTS_SKIP_ROWS` of a prefix, which are
    unlike all others. `head_gates_H`: how far back each KV head looks, in [0, 1]; of the model, not
    of the prefix. Where KV heads hold different numbers of slots, S is that of the head with the
    most, and -inf stands where a head has none. `repeat_scores_HS`: most attention a key got, by
    any head of the group and any row, while the model repeated its context (fp32, in [0, 1]).
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
    """One layer as a compression sees it: the slots there are, of a context that was just read, or
    of a stream that an earlier compression has thinned out and that has grown since: what came
    since stands at `new_from` and later.

    >>> k_HSD = torch.zeros(2, 3, 8)
    >>> at = torch.tensor([[0, 7, 9], [0, 8, 9]])  # two heads kept other slots of ten tokens
    >>> slots = Slots.even(k_HSD, k_HSD, at)
    >>> view = LayerView(0, 1, slots, Observed(), 0.35, logical_tokens=10, new_from=9)
    >>> view.tokens, view.seen_tokens, view.of_head(1).positions_HS.tolist()
    (3, 10, [[0, 8, 9]])
    """

    index: int  # among the attention layers, 0-based
    layers: int  # attention layers
    slots: Slots
    observed: Observed
    scale: float
    rotate: Rotate | None = None
    remembered: stores_of.Holder | None = (
        None  # what the generation stage that read it goes on from
    )
    question_tokens: int | None = None  # how many of the last tokens are a question; None: unknown
    logical_tokens: int | None = None  # tokens seen; None: as many as there are slots
    new_from: int = 0
    evidence: tuple[int, ...] | None = None  # positions that gold answers rest on; None: unknown

    @property
    def tokens(self) -> int:
        """Slots of a KV head; of the one that holds the most, where they hold different numbers."""
        return self.slots.most

    @property
    def heads(self) -> int:
        return self.slots.heads

    @property
    def seen_tokens(self) -> int:
        """Tokens that went by, held or not; the next one stands at this position."""
        return self.tokens if self.logical_tokens is None else self.logical_tokens

    @property
    def k_HSD(self) -> Tensor:
        """Keys where all heads hold as many slots. Raises Mismatch where they do not."""
        return self.slots.k_HSD

    @property
    def v_HSD(self) -> Tensor:
        return self.slots.v_HSD

    @property
    def positions_HS(self) -> Tensor | None:
        """Logical positions of the slots; None: slot i stands at position i."""
        return self.slots.positions_HS

    def of_head(self, head: int) -> LayerView:
        """One KV head by itself, with what was observed of it."""
        one = slice(head, head + 1)
        count = self.slots.counts[head]
        seen = Observed(query_rows=self.observed.query_rows)
        for name in Observed.__slots__:
            value = getattr(self.observed, name)
            if isinstance(value, Tensor):
                setattr(seen, name, value[one, :count] if name.endswith("_HS") else value[one])
        return replace(self, slots=self.slots.of_head(head), observed=seen)

    @property
    def everything(self) -> list[Tensor]:
        """All slots of every KV head."""
        if self.slots.is_even:
            return [torch.arange(self.tokens)] * self.heads
        return [torch.arange(count) for count in self.slots.counts]

    def pick(self, kept: Sequence[Tensor]) -> Slots:
        """Copies of the slots `kept` of every head, with their logical positions."""
        return self.slots.pick(kept)

    def cut(self, kept: list[Tensor]) -> LayerCache:
        """A copy of the slots `kept` in a store of its own (ragged if heads keep different numbers)
        and an empty tail.
        """
        return stored(self.pick(kept))

    def cut_ragged(self, kept: list[Tensor]) -> LayerCache:
        """The same, laid flat even where all heads keep as many."""
        return LayerCache((RaggedStore(self.pick(kept)),), DenseTail())


def stored(slots: Slots) -> LayerCache:
    """Slots in full precision, and an empty tail."""
    if not slots.is_even:
        return LayerCache((RaggedStore(slots),), DenseTail())
    positions_HS = slots.positions_HS
    store = DenseStore(slots.k_HSD, slots.v_HSD, positions_HS=positions_HS)
    return LayerCache((store,), DenseTail())


Piece: TypeAlias = DenseStore | RaggedStore  # of a prefix: plain keys and values


@dataclass(slots=True)
class Snapshot:
    """Sealed K and V (and recurrent states) of a prefix, what was observed, and the logits after
    its last token.

    `layers` is keyed by the model's layer index; each has one or more dense stores in order of
    position (a snapshot that extends another shares the other's stores). `logits_V` is fp32.
    `missing` says why something that was asked for could not be observed. Nothing writes to it
    after it is made; `release` drops the tensors.

    >>> shape = CacheShape.even(layers=1, query_heads=2, kv_heads=2, head_dim=8, dtype_bytes=4)
    >>> k_HSD = torch.zeros(2, 3, 8)  # of three tokens
    >>> pieces = {0: (DenseStore(k_HSD, k_HSD),)}
    >>> snapshot = Snapshot(shape=shape, layers=pieces, ids=(7, 8, 9), logits_V=torch.zeros(16))
    >>> snapshot.logical_tokens, snapshot.fork().ids
    (3, [7, 8, 9])
    """

    shape: CacheShape
    layers: Mapping[int, tuple[Piece, ...]]
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
    new_from: int = 0  # tokens seen when it last was a stream, compressed; what came since is new
    # Positions that the gold answers of the session rest on, for ceilings alone; None: unknown.
    evidence: tuple[int, ...] | None = None
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

    def view(self, layer: int, *, with_gold: bool = False) -> LayerView:
        """K and V of one layer over the whole prefix. Copies only if the prefix was read in several
        pieces. The evidence of gold answers is shown to those alone who say that they use it.
        """
        self.check()
        return LayerView(
            list(self.layers).index(layer),
            len(self.layers),
            _slots(self.layers[layer]),
            self.observed.get(layer, Observed()),
            self.scales[layer],
            self.rotate,
            self.remembered.get(layer),
            self.question_tokens,
            self.logical_tokens,
            self.new_from,
            self.evidence if with_gold else None,
        )

    def counts(self, layer: int) -> list[int]:
        """How many slots each KV head of a layer has; fewer than the tokens read where some were
        dropped."""
        by_piece = [piece.slots.counts for piece in self.layers[layer]]
        return [sum(counts) for counts in zip(*by_piece, strict=True)]

    def prefix(self, tokens: int) -> Snapshot:
        """The first `tokens` tokens as a snapshot that shares these tensors. It has no logits of
        its own (NaN) and observed nothing. Raises Mismatch for recurrent states, which cannot be
        cropped.
        """
        self.check()
        if self.recurrent is not None:
            raise Mismatch(
                "a recurrent state covers all tokens it has seen; it cannot serve a shorter prefix"
            )
        layers: dict[int, tuple[Piece, ...]] = {}
        for layer, pieces in self.layers.items():
            cut, left = list[DenseStore](), tokens
            for piece in pieces:
                if not isinstance(piece, DenseStore) or piece.positions_HS is not None:
                    raise Mismatch(
                        "slots were dropped from this prefix, and it has no shorter one: read the "
                        "tokens again"
                    )
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


def _slots(pieces: Sequence[Piece]) -> Slots:
    """All slots of a layer. They carry no positions where slot i stands at position i."""
    starts = accumulate((piece.slots.most for piece in pieces), initial=0)
    is_whole = all(
        isinstance(piece, DenseStore)
        and piece.positions_HS is None
        and piece.first_position == start
        for piece, start in zip(pieces, starts, strict=False)
    )
    if not is_whole or len(pieces) == 1:
        return joined([piece.slots for piece in pieces])
    sides = [(piece.slots.k_HSD, piece.slots.v_HSD) for piece in pieces]
    k_HSD, v_HSD = (torch.cat(side, dim=1) for side in zip(*sides, strict=True))
    return Slots.even(k_HSD, v_HSD)
