"""The contract of a method: four stages, each a frozen value with one verb.

    Generation.attend       how the queries of the context attend while it is read
                            (or .kept_ranges: a shorter prompt)
    Eviction.rank           a score per slot; the best of each head stay
    Codec.encode            how what stays is written down
    Retrieval.prefix_pool   where the stored caches of earlier requests are looked up
    Selection.digest        what is looked at to choose the slots that a step reads
    Placing.place_all       where K and V live, and are moved from

Loading is a selection times a place; a method may have one of each. Which stages cannot be joined
is a table (`pairs.py`). A stage says what it needs (`needs`) and answers what the runner asks
before it runs (`traits`); nobody asks for a type. Adding a method is one file with one class, and
one card (`cards/`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

from scbench.errors import Mismatch
from scbench.kernels import Partial
from scbench.kv import CacheShape, Digest, LayerCache, LayerShape, LayerView, Slots, Store
from scbench.methods.budget import DEFAULT_SHARE as DEFAULT_SHARE
from scbench.methods.budget import check_protected as check_protected
from scbench.methods.budget import ranks_by_head as ranks_by_head
from scbench.methods.budget import rounded as rounded
from scbench.methods.budget import smallest_share as smallest_share
from scbench.methods.budget import top_slots as top_slots
from scbench.methods.budget import within as within
from scbench.methods.eviction_promises import keeps_the_best, uses_budget_up
from scbench.methods.invariants import Invariants as Invariants
from scbench.methods.invariants import Trial as Trial
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
from scbench.tensors import Tensor

if TYPE_CHECKING:
    from scbench.kv.pool import PrefixPool

STARTS_BYTES = 8  # of one entry of the table that says where a KV head begins


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation(Stage):
    """How the context is read. Tokens after the context attend densely to everything.

    `is_one_shot`: the pattern needs all queries of a layer at once, so the read is not chunked.
    """

    stage: ClassVar[str] = "generation"
    role: ClassVar[str] = "generation"
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
        """A layer of a stream over the context it read; `cache` is the dense one, which shares the
        snapshot's stores.
        """
        return cache

    def more_bytes(self, *, shape: CacheShape, tokens: int, appended: int) -> int:
        """Closed form: bytes held beside K and V, all layers, `appended` tokens after a context of
        `tokens`.
        """
        return 0

    def kept_ranges(self, context: str) -> list[tuple[int, int]]:
        """Character ranges of the context that are left to be read, ascending and apart (prompt
        compression).
        """
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
    """Keeps some slots of every layer and frees the rest. Says `rank`, or `keep` where it is not
    simply the best of each head that stay.
    """

    knob: ClassVar[Knob | None] = Knob("tau")
    role: ClassVar[str] = "eviction"

    @property
    def reading(self) -> Generation | None:
        """How the context must be read for it, where that is not dense: the method then has this
        generation stage and no other.
        """
        return None

    def rank(self, view: LayerView) -> Tensor:
        """A score per slot, (H, S) in fp32, higher stays. Called only where the budget binds.

        inf always stays: more of it than the budget has slots is refused, and never cut down.
        """
        raise NotImplementedError

    def keep(self, view: LayerView) -> list[Tensor]:
        """Slots to keep per KV head, ascending int64 indices; heads may keep different numbers.
        Ties go to the lower index. Heads that hold different numbers are ranked by themselves."""
        slots = self.kept_slots(layer=view.index, layers=view.layers, tokens=view.tokens)
        if slots >= view.tokens:
            return view.everything
        if not view.slots.is_even:
            ranks_HS = ranks_by_head(view, self.rank)
            check_protected(ranks_HS, slots, who=self, layer=view.index)
            return within(top_slots(ranks_HS, slots), view.slots.counts)
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

    def picked(self, view: LayerView, kept: list[Tensor]) -> Slots:
        """Copies of the slots `kept`, as they are held."""
        return view.pick(kept)

    def cache(self, view: LayerView, kept: list[Tensor]) -> LayerCache:
        """The layer of a stream that holds `kept`. Copies, so that the snapshot can go."""
        return view.cut(kept)

    def again(self, tokens: int) -> Self:
        """This eviction where it acts a second time, after `tokens` tokens: its budget in slots.

        A share is one of all tokens, and fewer slots are there to be chosen from: a quarter of 800
        tokens stays 200 slots, of however many there are.
        """
        slots = max(self.budget(tokens), self.minimum_tokens)
        return replace(self, tau=None, budget_tokens=slots)

    def kept_slots(self, *, layer: int, layers: int, tokens: int) -> int:
        """Closed form: slots per KV head (mean over heads) kept of `tokens` in this layer."""
        return min(self.budget(tokens), tokens)

    def invariants(self) -> Invariants:
        found: Invariants = {"its budget is used up": uses_budget_up(self)}
        is_ranking = type(self).rank is not Eviction.rank
        is_plain = type(self).keep is Eviction.keep and not self.traits.has_own_cache
        if is_ranking and is_plain and type(self).keep_all is Eviction.keep_all:
            found["the best ranked slots stay, of equals the first"] = keeps_the_best(self.rank)
        return found

    def held_bytes(self, *, shape: CacheShape, tokens: int, appended: int) -> int:
        """Closed form: bytes of all layers after `appended` more tokens, with neither codec nor
        index.
        """
        layers = len(shape.attention_layers)
        return sum(
            layer.slot_bytes * (self.kept_slots(layer=at, layers=layers, tokens=tokens) + appended)
            for at, layer in enumerate(shape.attending)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec(Compression):
    """Writes all slots down in fewer bits, with its own attention over the codes; KV heads may hold
    different numbers of slots."""

    role: ClassVar[str] = "codec"

    def at(self, *, shape: LayerShape, tokens: int) -> Self:
        """The parameters this codec takes for `tokens` slots a head of a layer, where a share `tau`
        has to be mapped to them."""
        return self

    def encode(self, slots: Slots) -> LayerCache:
        """Codes in a shared store, and a tail that goes on quantising what is appended."""
        raise NotImplementedError

    def coded_bytes(self, *, shape: LayerShape, slots: int) -> int:
        """Closed form: bytes of a layer of this shape that holds `slots` slots per KV head,
        full-precision residual included."""
        raise NotImplementedError

    def uneven_bytes(self, *, shape: LayerShape, slots: Sequence[int], appended: int) -> int:
        """Closed form: bytes of one layer whose head h held `slots[h]` slots when it was coded,
        with `appended` more in each: head by head, and a table of where they begin."""
        one = replace(shape, kv_heads=1, query_heads=max(1, shape.group))
        heads = sum(self.coded_bytes(shape=one, slots=count + appended) for count in slots)
        return heads + STARTS_BYTES * (len(slots) + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieval(Stage):
    """Which stored cache serves a new request."""

    stage: ClassVar[str] = "retrieval"
    role: ClassVar[str] = "retrieval"

    def prefix_pool(self, made_by: str, device: str) -> PrefixPool:
        """An empty pool of a stage that is pooled; `made_by` covers all that makes stored caches of
        equal tokens differ (model, dtype, code, pattern).
        """
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSession(Retrieval):
    """Fork from the snapshot of the same session: what the paper calls a shared context."""

    name: ClassVar[str] = "own-session"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading(Stage):
    """Which part of the stored cache a step reads, `Selection`, and from where, `Placing`."""

    stage: ClassVar[str] = "loading"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection(Loading):
    """Chooses, per query token, which slots are read. It looks at a digest of them that it holds on
    the device, and moves nothing itself."""

    role: ClassVar[str] = "selection"

    def digest_all(self, layers: Sequence[Slots | None]) -> list[Digest | None]:
        """`digest` for every layer; None for one without a store. Override where layers work
        together."""
        return [
            None if slots is None else self.digest(slots, layer=layer)
            for layer, slots in enumerate(layers)
        ]

    def digest(self, slots: Slots, *, layer: int) -> Digest | None:
        """What it looks at to choose among the slots of a layer, as many in every KV head; None:
        the layer is read whole. `layer` counts attention layers from 0."""
        return None

    def index_bytes(self, *, shape: CacheShape, slots: int, layer: int) -> int:
        """Closed form: bytes of the digest of `shape.attending[layer]`, which holds `slots` slots
        per KV head."""
        return 0

    def detached_bytes(self, *, shape: CacheShape, slots: int, layer: int) -> int:
        """Closed form: what the digest holds in addition where K and V live on a slower tier."""
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadAll(Selection):
    """Every step reads the whole store."""

    name: ClassVar[str] = "load-all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing(Loading):
    """Where K and V live between the steps that read them."""

    role: ClassVar[str] = "tier"

    def place_all(
        self, layers: Sequence[tuple[Store, ...]], *, is_chosen: Sequence[bool]
    ) -> list[tuple[Store, ...]]:
        """The stores of every layer, moved there. Where `is_chosen`, a selection will ask the first
        store of the layer for rows, and never for all ahead of time."""
        return list(layers)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDevice(Placing):
    """Where the model is: nothing is moved."""

    name: ClassVar[str] = "on-device"


def is_default(stage: Stage) -> bool:
    """Whether a stage is what a method has where nothing was chosen: read densely, fork from the
    own session, read everything. By exact type: what derives from these is somebody's method."""
    return type(stage) in (Dense, OwnSession, LoadAll, OnDevice)
