"""RetrievalAttention: a static set, and the keys a search finds for each query."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import ClassVar, Literal

from scbench.errors import Mismatch
from scbench.kernels import largest
from scbench.kv import CacheShape, ChosenSlots, Digest, SelectedStore, Slots, Store
from scbench.kv.accounting import width
from scbench.methods import units
from scbench.methods.contract import Budgeted, Selection
from scbench.methods.invariants import Invariants, Trial
from scbench.methods.loading import plain_choices
from scbench.methods.loading.exact_topk import distinct
from scbench.methods.loading.plain_stores import row_bytes
from scbench.methods.loading.retrieval_attention_graph import GraphIndex, graph_bytes, require_faiss
from scbench.tensors import Tensor, torch


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalAttention(Budgeted, Selection):
    """Every query head reads the first `static_tokens` and last `recent_tokens` slots, and of those
    between the k whose keys a search finds.

    Source: RetrievalAttention (arXiv 2409.10516); the parts are merged by log-sum-exp, the largest
    taken out first. `search=exact` looks at every key: that is what the published SCBench runs
    measured (a flat index). `search=hnsw` walks a graph per KV head (faiss, extra `ann`) and holds
    a second, fp32 copy of the keys; `recall` tells what it misses. The method's own graph is built
    from prefill queries, ours from keys. Layers below `from_layer` read everything. With a budget
    of K tokens (default: 1/32): static = max(4, K/32), recent = max(4, K/8), k the rest.
    """

    static_tokens: int = 128
    recent_tokens: int = 512
    top_tokens: int | None = None
    search: Literal["exact", "hnsw"] = "exact"
    from_layer: int = 0
    links: int = 32  # hnsw: of a key, per level
    breadth: int = 128  # hnsw: candidates a search keeps; at least k are kept

    minimum_tokens: ClassVar[int] = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        if (
            min(self.static_tokens, self.recent_tokens, self.from_layer) < 0
            or (self.top_tokens or 1) < 1
        ):
            raise Mismatch(
                f"{self}: static_tokens, recent_tokens and from_layer are at least 0, and "
                f"top_tokens at least 1"
            )
        if self.links < 2 or self.breadth < 1:
            raise Mismatch(
                f"{self}: a graph needs links of 2 or more, and a search a breadth of 1 or more"
            )

    def own_tokens(self) -> int | None:
        return (
            self.static_tokens + self.recent_tokens + self.top_tokens if self.top_tokens else None
        )

    def sizes(self, tokens: int) -> tuple[int, int, int]:
        """(static, recent, k) for a store of `tokens` slots; k covers all between where the budget
        does not bind.
        """
        budget = self.budget(tokens)
        if self.tau is None and self.budget_tokens is None and self.top_tokens:
            static, recent = self.static_tokens, self.recent_tokens
        else:
            static, recent = units.sinks(budget), units.recent_of_search(budget)
        return static, recent, max(0, min(budget, tokens) - static - recent)

    def units(
        self, *, shape: CacheShape, tokens: int, question_tokens: int | None = None
    ) -> dict[str, int]:
        static, recent, top = self.sizes(tokens)
        return {"static_tokens": static, "recent_tokens": recent, "top_tokens": top}

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        super().check(shape=shape, tokens=tokens)
        if self.search == "hnsw":
            require_faiss(str(self))
        if shape.attention_layers and self.from_layer >= len(shape.attention_layers):
            raise Mismatch(
                f"{self} leaves all {len(shape.attention_layers)} attention layers of this model "
                f"as they are; begin earlier"
            )

    def digest(self, slots: Slots, *, layer: int) -> Digest | None:
        if layer < self.from_layer:
            return None
        static, recent, k = self.sizes(slots.most)
        between = slots.k_HSD[:, static : slots.most - recent]
        graph = None
        if self._is_graph(slots.most):
            graph = GraphIndex(between, links=self.links, breadth=self.breadth)
        return SearchDigest(slots.k_HSD, static=static, recent=recent, k=k, graph=graph)

    def invariants(self) -> Invariants:
        if self.search != "exact":
            return {}
        return {"both ends are read, and between them the largest products": self._reads_best}

    def _reads_best(self, trial: Trial) -> str | None:
        static, recent, top = self.sizes(trial.tokens)
        wanted = plain_choices.products(top, static, recent)
        return plain_choices.chooses(self.digest_all, wanted)(trial)

    def _is_graph(self, tokens: int) -> bool:
        static, recent, k = self.sizes(tokens)
        return self.search == "hnsw" and static + recent + k < tokens

    def index_bytes(self, *, shape: CacheShape, slots: int, layer: int) -> int:
        """0 for an exact search; for a graph the keys once more in fp32, their links and
        offsets.
        """
        if layer < self.from_layer or not self._is_graph(slots):
            return 0
        static, recent, _ = self.sizes(slots)
        between = slots - static - recent
        own = shape.attending[layer]
        return graph_bytes(
            kv_heads=own.kv_heads, head_dim=own.key_dim, slots=between, links=self.links
        )

    def detached_bytes(self, *, shape: CacheShape, slots: int, layer: int) -> int:
        """The keys between both ends once more, where all of them are looked at."""
        static, recent, _ = self.sizes(slots)
        if layer < self.from_layer or self._is_graph(slots):
            return 0
        between = max(0, slots - static - recent)
        held = shape.attending[layer]
        return held.kv_heads * between * held.key_dim * held.dtype_bytes


class SearchDigest:
    """The keys between both ends of a store, searched one by one or through a graph. Each query
    token reads both ends, and what is found between them for each of its query heads."""

    def __init__(
        self,
        k_HSD: Tensor,
        *,
        static: int,
        recent: int,
        k: int,
        graph: GraphIndex | None,
    ) -> None:
        self.heads, self.slots, _ = k_HSD.shape
        self.static = min(static, self.slots)
        self.stop = max(self.static, self.slots - recent)  # searched: [static, stop)
        self.between = self.stop - self.static
        self.keys_HSD = k_HSD[:, self.static : self.stop]
        self.k = min(k, self.between)
        self.graph = graph
        self.is_detached = False

    def tensors(self) -> dict[str, Tensor]:
        if self.graph is not None:
            return self.graph.tensors()
        return {"digest_keys": self.keys_HSD} if self.is_detached else {}

    def detached(self) -> SearchDigest:
        other = copy.copy(self)
        other.is_detached = True
        if self.graph is None:
            other.keys_HSD = self.keys_HSD.clone()
        return other

    def choose(self, q_HGTD: Tensor, *, scale: float) -> ChosenSlots | None:
        if self.k == self.between:
            return None
        ends = ((0, self.static), (self.stop, self.slots))
        if not self.k:
            return ChosenSlots(None, ranges=ends, rows_T=[0] * q_HGTD.shape[2])
        slots_HGTK, searched_bytes = self.found(q_HGTD)
        inside = None if self.graph is None else slots_HGTK >= self.static
        slots_HGTK = slots_HGTK.clamp(min=self.static)
        return ChosenSlots(
            slots_HGTK,
            inside,
            ranges=ends,
            rows_T=distinct(slots_HGTK, self.slots),
            digest_bytes=searched_bytes,
            has_read_keys=self.graph is None,
        )

    def found(self, q_HGTD: Tensor) -> tuple[Tensor, int]:
        """Slots (H, G, T, K), below `static` where a search gave fewer than k, and the bytes of
        keys it looked at, per token.

        A graph looks at another number of keys for every query; the tokens of one call share their
        sum evenly.
        """
        if self.graph is None:
            return self.best(q_HGTD), self.heads * self.between * row_bytes(self.keys_HSD)
        slots_HGTK, looked_at = self.graph.search(q_HGTD, self.k)
        key_bytes = q_HGTD.shape[3] * width(torch.float32)  # the graph keeps keys in fp32
        return slots_HGTK + self.static, sum(looked_at) * key_bytes // q_HGTD.shape[2]

    def best(self, q_HGTD: Tensor) -> Tensor:
        """The k slots of the largest inner product, (H, G, T, K)."""
        scores = torch.einsum("hgtd,hsd->hgts", q_HGTD, self.keys_HSD)
        return largest(scores, self.k) + self.static


def recall(store: Store, q_HGTD: Tensor) -> float:
    """Share of the true k best slots that the store's search finds, mean over query heads and
    tokens: 1 for an exact search.

    Raises Mismatch for a store that searches nothing.
    """
    digest = store.digest if isinstance(store, SelectedStore) else None
    if not isinstance(digest, SearchDigest):
        raise Mismatch(
            f"{type(store).__name__} searches nothing; recall is asked of what retrieval-attention "
            f"indexes"
        )
    if digest.k in (0, digest.between):
        return 1.0
    slots_HGTK, _ = digest.found(q_HGTD)
    wanted = torch.zeros((*q_HGTD.shape[:3], digest.slots), dtype=torch.bool, device=q_HGTD.device)
    wanted.scatter_(3, digest.best(q_HGTD), True)
    hits = wanted.gather(3, slots_HGTK.clamp(min=0)) & (slots_HGTK >= digest.static)
    return float(hits.float().mean())
