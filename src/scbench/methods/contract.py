"""The contract of a method: four stages, each a frozen value with one verb.

    Generation.attend       how the queries of the context attend while it is read
                            (or .kept_ranges: a shorter prompt)
    Eviction.rank           a score per slot; the best of each head stay
    Codec.encode            how what stays is written down
    Retrieval.prefix_pool   where the stored caches of earlier requests are looked up
    Loading.index           wraps a layer's stores so that a step reads only part of them

A stage says what it needs (`needs`) and answers what the runner asks before it runs (`traits`);
nobody asks for a type. Adding a method is one file with one class, and one card (`cards/`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import torch
from torch import Tensor

from scbench.errors import Mismatch
from scbench.kernels import Partial
from scbench.kv import CacheShape, LayerCache, LayerShape, LayerView, Store
from scbench.methods.budget import DEFAULT_SHARE as DEFAULT_SHARE
from scbench.methods.budget import check_protected as check_protected
from scbench.methods.budget import rounded as rounded
from scbench.methods.budget import smallest_share as smallest_share
from scbench.methods.budget import top_slots as top_slots
from scbench.methods.stage import COLUMN_SUMS as COLUMN_SUMS
from scbench.methods.stage import HEAD_GATES as HEAD_GATES
from scbench.methods.stage import QUERY_MOMENTS as QUERY_MOMENTS
from scbench.methods.stage import REPEAT_SCORES as REPEAT_SCORES
from scbench.methods.stage import ROTATION as ROTATION
from scbench.methods.stage import WINDOW as WINDOW
from scbench.methods.stage import Budgeted as Budgeted
from scbench.methods.stage import Stage as Stage
from scbench.methods.traits import Knob as Knob
from scbench.methods.traits import Traits as Traits

if TYPE_CHECKING:
    from scbench.kv.pool import PrefixPool


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation(Stage):
    """How the context is read. Tokens after the context attend densely to everything.

    `is_one_shot`: the pattern needs all queries of a layer at once, so the read is not chunked.
    """

    stage: ClassVar[str] = "generation"
    is_one_shot: ClassVar[bool] = False

    def attend(
        self,
        q_HGTD: Tensor,
        k_HSD: Tensor,
        v_HSD: Tensor,
        *,
        layer: int,
        scale: float,
        total_tokens: int,
    ) -> Partial:
        """Attention of the newest T tokens of a prefix of `total_tokens`, S of them read so far
        (the newest included).

        A partial result: out (H, G, T, D), and lse (H, G, T), the natural log of the sum of
        exp(scaled score) over the keys that each row saw, in fp32. So what a model adds to every
        softmax, a sink, is one more part of a merge.
        """
        raise NotImplementedError

    def cache(self, view: LayerView, cache: LayerCache) -> LayerCache:
        """A layer of a stream over the context it read; `cache` is the dense one, which shares the snapshot's stores."""
        return cache

    def more_bytes(self, *, shape: CacheShape, tokens: int, appended: int) -> int:
        """Closed form: bytes held beside K and V, all layers, `appended` tokens after a context of `tokens`."""
        return 0

    def kept_ranges(self, context: str) -> list[tuple[int, int]]:
        """Character ranges of the context that are left to be read, ascending and apart (prompt compression)."""
        return [(0, len(context))]

    def computed_share(self, tokens: int) -> float:
        """Query-key pairs computed, over those of dense causal attention."""
        return 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dense(Generation):
    """Full causal attention: the reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compression(Stage):
    """What is kept of a cache, or how it is written down, once, after the prefix was read."""

    stage: ClassVar[str] = "compression"


@dataclass(frozen=True, slots=True, kw_only=True)
class Eviction(Budgeted, Compression):
    """Keeps some slots of every layer and frees the rest. Says `rank`, or `keep` where it is not simply the best of each head that stay."""

    knob: ClassVar[Knob | None] = Knob("tau")

    @property
    def reading(self) -> Generation | None:
        """How the context must be read for it, where that is not dense: the method then has this generation stage and no other."""
        return None

    def rank(self, view: LayerView) -> Tensor:
        """A score per slot, (H, S) in fp32, higher stays. Called only where the budget binds.

        inf always stays: more of it than the budget has slots is refused, and never cut down.
        """
        raise NotImplementedError

    def keep(self, view: LayerView) -> list[Tensor]:
        """Slots to keep per KV head, ascending int64 indices into `view.k_HSD`; heads may keep different numbers. Ties go to the lower index."""
        slots = self.kept_slots(layer=view.index, layers=view.layers, tokens=view.tokens)
        if slots >= view.tokens:
            return [torch.arange(view.tokens)] * view.k_HSD.shape[0]
        ranks_HS = self.rank(view)
        if ranks_HS.shape != view.k_HSD.shape[:2]:
            shape, slots_HS = tuple(ranks_HS.shape), tuple(view.k_HSD.shape[:2])
            raise Mismatch(
                f"{self} ranks {shape}; a layer has {slots_HS} (KV heads, slots), and every slot "
                "needs one number"
            )
        check_protected(ranks_HS, slots, who=self, layer=view.index)
        return list(top_slots(ranks_HS, slots))

    def keep_all(self, views: Iterable[LayerView]) -> list[list[Tensor]]:
        """`keep` for every layer, one view at a time; override where layers share one budget."""
        return [self.keep(view) for view in views]

    def gathered(self, view: LayerView, kept: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """K, V and positions of `kept` as they are held, where heads keep equally many."""
        return view.gather(kept)

    def cache(self, view: LayerView, kept: list[Tensor]) -> LayerCache:
        """The layer of a stream that holds `kept`. Copies, so that the snapshot can go."""
        return view.cut(kept)

    def kept_slots(self, *, layer: int, layers: int, tokens: int) -> int:
        """Closed form: slots per KV head (mean over heads) kept of `tokens` in this layer."""
        return min(self.budget(tokens), tokens)

    def held_bytes(self, *, shape: CacheShape, tokens: int, appended: int) -> int:
        """Closed form: bytes of all layers after `appended` more tokens, with neither codec nor index."""
        layers = len(shape.attention_layers)
        return sum(
            layer.slot_bytes * (self.kept_slots(layer=at, layers=layers, tokens=tokens) + appended)
            for at, layer in enumerate(shape.attending)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec(Compression):
    """Writes all slots down in fewer bits, with its own attention over the codes."""

    def at(self, *, shape: LayerShape, tokens: int) -> Self:
        """The parameters this codec takes for `tokens` slots of a layer, where a share `tau` has
        to be mapped to them."""
        return self

    def encode(self, k_HSD: Tensor, v_HSD: Tensor, positions_HS: Tensor | None) -> LayerCache:
        """Codes in a shared store, and a tail that goes on quantising what is appended."""
        raise NotImplementedError

    def coded_bytes(self, *, shape: LayerShape, slots: int) -> int:
        """Closed form: bytes of a layer of this shape that holds `slots` slots per KV head,
        full-precision residual included."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieval(Stage):
    """Which stored cache serves a new request."""

    stage: ClassVar[str] = "retrieval"

    def prefix_pool(self, made_by: str, device: str) -> PrefixPool:
        """An empty pool of a stage that is pooled; `made_by` covers all that makes stored caches of equal tokens differ (model, dtype, code, pattern)."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSession(Retrieval):
    """Fork from the snapshot of the same session: what the paper calls a shared context."""

    name: ClassVar[str] = "own-session"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading(Stage):
    """Which part of the stored cache a decode step reads, and from where."""

    stage: ClassVar[str] = "loading"

    def index_all(self, layers: Sequence[tuple[Store, ...]]) -> list[tuple[Store, ...]]:
        """`index` for every layer; override where layers work together."""
        return [self.index(stores, layer=at) for at, stores in enumerate(layers)]

    def index(self, stores: tuple[Store, ...], *, layer: int) -> tuple[Store, ...]:
        """Stores that read selectively; they share the tensors of the given ones. `layer` counts attention layers from 0."""
        return stores

    def index_bytes(self, *, shape: CacheShape, slots: int, layer: int) -> int:
        """Closed form: bytes added to `shape.attending[layer]`, which holds `slots` slots per KV
        head."""
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadAll(Loading):
    """Every step reads the whole store."""

    name: ClassVar[str] = "load-all"


def is_default(stage: Stage) -> bool:
    """Whether a stage is what a method has where nothing was chosen: read densely, fork from the
    own session, read everything. By exact type: what derives from these is somebody's method."""
    return type(stage) in (Dense, OwnSession, LoadAll)
