"""A graph index over keys (HNSW of faiss, extra `ann`): approximate search by inner product, with
its true bytes.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from scbench.errors import MissingExtra
from scbench.tensors import Tensor, torch

BUILD_BREADTH = 80  # candidates looked at while a key is inserted


def require_faiss(who: str) -> None:
    """Raise MissingExtra, with the line that helps, where faiss is not installed."""
    if importlib.util.find_spec("faiss") is None:
        raise MissingExtra(
            f"{who} needs the package faiss-cpu, which is not installed; run: pip install "
            f"'scbench[ann]', or use search=exact"
        )


class Found(NamedTuple):
    """Slots (H, G, T, K), -1 where the graph gave fewer; and how many keys each KV head's search
    looked at.
    """

    slots_HGTK: Tensor
    looked_at: list[int]


class GraphIndex:
    """One HNSW graph per KV head, on the CPU in fp32. Built by one thread each, so the same keys
    give the same graph.
    """

    def __init__(self, k_HSD: Tensor, *, links: int, breadth: int) -> None:
        self.faiss: Any = importlib.import_module("faiss")
        self.breadth = breadth
        keys = k_HSD.detach().float().cpu().contiguous()
        with ThreadPoolExecutor(max_workers=max(1, min(len(keys), os.cpu_count() or 1))) as pool:
            self.graphs = list(pool.map(lambda one: self._built(one, links), keys))
        self._tensors = {
            f"graph{head}_{name}": x
            for head, graph in enumerate(self.graphs)
            for name, x in self._views(graph)
        }

    def _built(self, k_SD: Tensor, links: int) -> Any:
        self.faiss.omp_set_num_threads(1)  # of this thread
        graph = self.faiss.IndexHNSWFlat(k_SD.shape[1], links, self.faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = BUILD_BREADTH
        graph.add(k_SD.numpy())
        return graph

    def _views(self, graph: Any) -> Iterable[tuple[str, Tensor]]:
        """The library's own arrays, not copies: what it holds is what is counted."""
        held, own = graph.hnsw, self.faiss.downcast_index(graph.storage)
        arrays = {
            "keys": self.faiss.rev_swig_ptr(own.get_xb(), graph.ntotal * graph.d),
            "links": self.faiss.rev_swig_ptr(held.neighbors.data(), held.neighbors.size()),
            "offsets": self.faiss.rev_swig_ptr(held.offsets.data(), held.offsets.size()).view(
                "int64"
            ),
            "levels": self.faiss.rev_swig_ptr(held.levels.data(), held.levels.size()),
        }
        return [(name, torch.from_numpy(x)) for name, x in arrays.items()]

    def tensors(self) -> dict[str, Tensor]:
        return self._tensors

    def search(self, q_HGTD: Tensor, count: int) -> Found:
        """The `count` keys of the largest inner product with each query, as far as the graph finds
        them.
        """
        heads, group, tokens, dim = q_HGTD.shape
        settings = self.faiss.SearchParametersHNSW()
        settings.efSearch = max(self.breadth, count)
        slots, looked_at = [], []
        for head, rows in enumerate(
            q_HGTD.detach().float().cpu().reshape(heads, group * tokens, dim)
        ):
            self.faiss.cvar.hnsw_stats.reset()
            slots.append(
                torch.from_numpy(
                    self.graphs[head].search(rows.contiguous().numpy(), count, params=settings)[1]
                )
            )
            looked_at.append(int(self.faiss.cvar.hnsw_stats.ndis))
        return Found(
            torch.stack(slots).view(heads, group, tokens, count).to(q_HGTD.device), looked_at
        )


def graph_bytes(*, kv_heads: int, head_dim: int, slots: int, links: int) -> int:
    """Closed form of a layer: the fp32 copy of the keys, the links of every level a key was drawn
    for (a fixed draw), and their offsets.
    """
    require_faiss("the size of an HNSW index")
    drawn = importlib.import_module("faiss").HNSW(links)
    drawn.prepare_level_tab(slots, False)
    return kv_heads * (
        4 * slots * head_dim + 4 * int(drawn.offsets.at(slots)) + 8 * (slots + 1) + 4 * slots
    )
