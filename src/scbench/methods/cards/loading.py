"""Which part of the store a step reads, and from where."""

from __future__ import annotations

from functools import partial

from scbench.methods.card import BUDGET, Card

LOADING = partial(Card, stage="loading", category="KV loading")
CARDS = (
    LOADING(
        name="quest",
        place="scbench.methods.loading.quest:Quest",
        about=(
            "Each step reads the pages whose bounds promise most; take it where the cache "
            "fits and reading it is what costs."
        ),
        paper="Quest, arXiv 2406.10774",
        bytes_formula="2 H T D e (1 + 1/page)",
        difference=(
            "the bound is the largest over the group, for each query token (published: signs "
            "added up); exempt layers count against a budget"
        ),
        parameters={
            **BUDGET,
            "page_tokens": "none",
            "read_tokens": "none",
            "exempt_layers": "0",
            "count_exempt": "yes",
        },
        presets={
            "paper": "page_tokens=16,read_tokens=4096",
            "code": "page_tokens=16,read_tokens=1024",
            "quest": "page_tokens=16,read_tokens=1024,exempt_layers=2",
        },
        in_all="tau=1/4",
        forms={
            "": "tau=1/2",
            "exempt": "tau=1/2,exempt_layers=1",
        },
        examined=(
            "tau=1/4",
            "tau=1/4,page_tokens=8",
            "page_tokens=5,read_tokens=20,exempt_layers=1",
        ),
    ),
    LOADING(
        name="retrieval-attention",
        place="scbench.methods.loading.retrieval_attention:RetrievalAttention",
        about=(
            "Each step reads first and recent slots and the best of the rest, found by an "
            "exact search or a graph; take it for very long caches."
        ),
        paper="RetrievalAttention, arXiv 2409.10516",
        bytes_formula="2 H T D e; hnsw: + keys in fp32 and links",
        difference=(
            "search=exact computes all products; the graph of search=hnsw is built from keys, "
            "theirs from prefill queries"
        ),
        needs=("faiss (extra `ann`) for search=hnsw",),
        parameters={
            **BUDGET,
            "static_tokens": "128",
            "recent_tokens": "512",
            "top_tokens": "none",
            "search": "exact",
            "from_layer": "0",
            "links": "32",
            "breadth": "128",
        },
        presets={
            "paper": "static_tokens=128,recent_tokens=512,top_tokens=100",
            "code": "static_tokens=128,recent_tokens=512,top_tokens=4096",
        },
        in_all="tau=1/4",
        forms={"": "tau=1/2"},
        examined=(
            "tau=1/4",
            "static_tokens=0,recent_tokens=3,top_tokens=30,from_layer=1",
        ),
    ),
    LOADING(
        name="retroinfer",
        place="scbench.methods.loading.retroinfer:RetroInfer",
        about=(
            "Each step reads the clusters nearest to its query and estimates the rest from "
            "their centres; take it where the tail of attention matters."
        ),
        paper="RetroInfer, arXiv 2505.02922",
        bytes_formula="2 H (T + C) D e + about 4 H (T + C), C clusters",
        difference="the list of slots is counted, and what is appended is never clustered",
        parameters={
            **BUDGET,
            "retrieve": "none",
            "estimate": "29/125",
            "cluster_tokens": "none",
            "segment_tokens": "8192",
            "sink_tokens": "4",
            "recent_tokens": "none",
            "clustering": "spherical",
        },
        presets={
            "paper": "retrieve=9/500,estimate=29/125,cluster_tokens=16,recent_tokens=64",
            "code": "retrieve=9/500,estimate=29/125,cluster_tokens=16,recent_tokens=64",
        },
        in_all="tau=1/4",
        forms={"": "tau=3/4"},
        examined=(
            "tau=1/4",
            "tau=1/4,clustering=euclidean,cluster_tokens=8",
            "retrieve=1/5,cluster_tokens=4,segment_tokens=64,recent_tokens=10",
        ),
    ),
    LOADING(
        name="tier",
        place="scbench.methods.loading.tier:Tier",
        about=(
            "Keeps the store in host memory or on disk and moves what a step reads; take it "
            "where the device is full, below a selection where the way there is slow."
        ),
        paper="none; KV offloading as in transformers",
        bytes_formula="2 H T D e, in host memory or on disk",
        difference=(
            "moves the whole store at each step, the next layer ahead of time, or the rows "
            "that a selection chose; bytes moved are counted"
        ),
        parameters={
            "at": "host",
        },
        presets={
            "paper": "at=host",
            "code": "at=host",
        },
        in_all="",
        forms={"": ""},
        examined=("at=disk",),
    ),
    LOADING(
        name="exact-topk",
        place="scbench.methods.loading.exact_topk:ExactTopK",
        about=(
            "Each step reads the slots with the largest products, all of which it computes; "
            "the ceiling of every selection."
        ),
        paper="none: an oracle",
        bytes_formula="2 H T D e",
        difference="an oracle: computes every product to choose, so it saves no work",
        parameters={
            **BUDGET,
            "granularity": "kv_head",
        },
        presets={
            "paper": "",
            "code": "",
        },
        in_all="tau=1/4",
        forms={"": "tau=1/2"},
        examined=(
            "tau=1/8",
            "tau=1/8,granularity=query_head",
        ),
    ),
)
