"""RetrievalAttention: a static set, and the keys a search finds for each query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from scbench.errors import Mismatch
from scbench.kernels import full, gathered, largest, merge
from scbench.kv import CacheShape, DenseStore, Read, Store
from scbench.kv.accounting import width
from scbench.methods import units
from scbench.methods.contract import Budgeted, Loading
from scbench.methods.loading.exact_topk import distinct
from scbench.methods.loading.indexed_store import Indexed, dense_first
from scbench.methods.loading.retrieval_attention_graph import GraphIndex, graph_bytes, require_faiss


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalAttention(Budgeted, Loading):
    """Every query head reads the first `static_tokens` and last `recent_tokens` slots, and of those between the k whose keys a search finds.

    Source: RetrievalAttention (arXiv 2409.10516); the parts are merged by log-sum-exp, the largest taken out first. `search=exact` looks at
    every key: that is what the published SCBench runs measured (a flat index). `search=hnsw` walks a graph per KV head (faiss, extra `ann`)
    and holds a second, fp32 copy of the keys; `recall` tells what it misses. The method's own graph is built from prefill queries, ours from
    keys. Layers below `from_layer` read everything. With a budget of K tokens (default: 1/32): static = max(4, K/32), recent = max(4, K/8),
    k the rest.
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
                f"{self}: static_tokens, recent_tokens and from_layer are at least 0, and top_tokens at least 1"
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
        """(static, recent, k) for a store of `tokens` slots; k covers all between where the budget does not bind."""
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
                f"{self} leaves all {len(shape.attention_layers)} attention layers of this model as they are; begin earlier"
            )

    def index(self, stores: tuple[Store, ...], *, layer: int) -> tuple[Store, ...]:
        if layer < self.from_layer or not stores:
            return stores
        first = dense_first(stores, self)
        static, recent, k = self.sizes(first.k_HSD.shape[1])
        between = first.k_HSD[:, static : first.k_HSD.shape[1] - recent]
        graph = (
            GraphIndex(between, links=self.links, breadth=self.breadth)
            if self._is_graph(first.k_HSD.shape[1])
            else None
        )
        return (SearchedStore(first, static=static, recent=recent, k=k, graph=graph), *stores[1:])

    def _is_graph(self, tokens: int) -> bool:
        static, recent, k = self.sizes(tokens)
        return self.search == "hnsw" and static + recent + k < tokens

    def index_bytes(self, *, shape: CacheShape, slots: int, layer: int) -> int:
        """0 for an exact search; for a graph the keys once more in fp32, their links and offsets."""
        if layer < self.from_layer or not self._is_graph(slots):
            return 0
        static, recent, _ = self.sizes(slots)
        between = slots - static - recent
        own = shape.attending[layer]
        return graph_bytes(
            kv_heads=own.kv_heads, head_dim=own.key_dim, slots=between, links=self.links
        )


class SearchedStore(Indexed):
    """A dense store of which each query token reads both ends, and what is found between them for each of its query heads."""

    def __init__(
        self, base: DenseStore, *, static: int, recent: int, k: int, graph: GraphIndex | None
    ) -> None:
        super().__init__(base)
        self.static, self.stop = (
            min(static, self.slots),
            max(min(static, self.slots), self.slots - recent),
        )  # searched: [static, stop)
        self.between = self.stop - self.static
        self.k, self.graph = min(k, self.between), graph

    def index(self) -> dict[str, Tensor]:
        return {} if self.graph is None else self.graph.tensors()

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        if self.k == self.between:
            return self.base.attend(q_HGTD, scale=scale)
        k_HSD, v_HSD = self.base.k_HSD, self.base.v_HSD
        ends = [(0, self.static), (self.stop, self.slots)]
        parts = [full(q_HGTD, k_HSD[:, a:b], v_HSD[:, a:b], scale=scale) for a, b in ends if b > a]
        searched_bytes = 0
        found_bytes = [0] * q_HGTD.shape[2]
        if self.k:
            slots_HGTK, searched_bytes = self.found(q_HGTD)
            inside = None if self.graph is None else slots_HGTK >= self.static
            slots_HGTK = slots_HGTK.clamp(min=self.static)
            parts.append(gathered(q_HGTD, k_HSD, v_HSD, slots_HGTK, inside, scale=scale))
            per_slot = self.row_bytes * (
                1 if self.graph is None else 2
            )  # an exact search has read the keys already
            found_bytes = [rows * per_slot for rows in distinct(slots_HGTK, self.slots)]
        ends_bytes = 2 * self.heads * (self.slots - self.between) * self.row_bytes
        return Read(merge(parts), [ends_bytes + searched_bytes + more for more in found_bytes])

    def found(self, q_HGTD: Tensor) -> tuple[Tensor, int]:
        """Slots (H, G, T, K), below `static` where a search gave fewer than k, and the bytes of keys it looked at, per token.

        A graph looks at another number of keys for every query; the tokens of one call share their sum evenly.
        """
        if self.graph is None:
            return self.best(q_HGTD), self.heads * self.between * self.row_bytes
        slots_HGTK, looked_at = self.graph.search(q_HGTD, self.k)
        key_bytes = q_HGTD.shape[3] * width(torch.float32)  # the graph keeps keys in fp32
        return slots_HGTK + self.static, sum(looked_at) * key_bytes // q_HGTD.shape[2]

    def best(self, q_HGTD: Tensor) -> Tensor:
        """The k slots of the largest inner product, (H, G, T, K)."""
        scores = torch.einsum("hgtd,hsd->hgts", q_HGTD, self.base.k_HSD[:, self.static : self.stop])
        return largest(scores, self.k) + self.static


def recall(store: Store, q_HGTD: Tensor) -> float:
    """Share of the true k best slots that the store's search finds, mean over query heads and tokens: 1 for an exact search.

    Raises Mismatch for a store that searches nothing.
    """
    if not isinstance(store, SearchedStore):
        raise Mismatch(
            f"{type(store).__name__} searches nothing; recall is asked of what retrieval-attention indexes"
        )
    if store.k in (0, store.between):
        return 1.0
    slots_HGTK, _ = store.found(q_HGTD)
    wanted = torch.zeros((*q_HGTD.shape[:3], store.slots), dtype=torch.bool, device=q_HGTD.device)
    wanted.scatter_(3, store.best(q_HGTD), True)
    hits = wanted.gather(3, slots_HGTK.clamp(min=0)) & (slots_HGTK >= store.static)
    return float(hits.float().mean())
