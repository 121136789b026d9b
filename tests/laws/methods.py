"""The methods the laws are held against. Whoever registers a method adds a line here; a name that is missing fails test_laws."""

from __future__ import annotations

from scbench.methods import parse

METHODS = (
    "dense",
    "a-shape[tau=1/4]",
    "a-shape[init_tokens=0,local_tokens=33]",
    "tri-shape[tau=1/4]",
    "tri-shape[init_tokens=3,local_tokens=20,last_tokens=50]",
    "minference[tau=1/4]",
    "minference[mask=tile64,budget_tokens=130]",
    "xattention[tau=1/4]",
    "xattention[threshold=0.8,block_tokens=32,stride=4]",
    "llmlingua-2",
    "selective-context",
    "flexprefill[tau=1/2]",
    "flexprefill[tau=1/2,slashes=blocks,block_tokens=16]",
    "flexprefill[block_tokens=16,gamma=0.7,tau_js=0.5,cover=tokens]",
    "infllm[tau=1/3]",
    "infllm[init_tokens=3,local_tokens=40,block_tokens=6,top_blocks=4,exec_tokens=16,repr_tokens=2]",
    "infllm[budget_tokens=90,exec_tokens=1]",
    "infllm[tau=1/3,dense_decoding=yes]+snapkv[tau=1/4]",
    "streaming-llm[tau=1/4]",
    "streaming-llm[budget_tokens=20]",
    "streaming-llm[tau=1/4,rolling=yes]",
    "h2o[tau=1/4,rolling=yes]",
    "tova[tau=1/4,rolling=yes]",
    "streaming-llm[tau=1/4,position_mode=cache]",
    "streaming-llm[sink_tokens=3,recent_tokens=50,rolling=yes,position_mode=cache]",
    "h2o[tau=1/4,position_mode=cache]",
    "h2o[tau=1/4,rolling=yes,position_mode=cache]",
    "tova[tau=1/4,rolling=yes,position_mode=cache]",
    "tova[tau=1/4,position_mode=cache]+kivi[bits=4]",
    "h2o[tau=1/2,position_mode=cache]+quest[tau=1/2]",
    "a-shape[tau=1/4]+h2o[heavy_tokens=20,recent_tokens=240,rolling=yes]",
    "snapkv[tau=1/4]",
    "snapkv[tau=1/8,kernel=7,pooling=max,window_tokens=64]",
    "snapkv[tau=1/4,granularity=query_head]",
    "snapkv[tau=1/4,window_tokens=9,kernel=5,pooling=avg,voters=question]",
    "pyramidkv[tau=1/4]",
    "pyramidkv[tau=1/2,beta=4,granularity=query_head]",
    "a-shape[tau=1/4]+snapkv[capacity_tokens=60,granularity=query_head]",
    "pyramidkv[capacity_tokens=41,beta=5,window_tokens=8]+quest[page_tokens=4,read_tokens=16]",
    "adakv[tau=1/4]",
    "adakv[tau=1/4,division=kvpress]",
    "adakv[scorer=h2o,tau=1/8,alpha=0]",
    "adakv[scorer=pyramidkv[beta=4],budget_tokens=50]",
    "adakv[scorer=knorm[exempt_layers=1],tau=1/2]",
    "h2o[tau=1/4]",
    "h2o[heavy_tokens=30,recent_tokens=9]+kivi[bits=4]",
    "tova[tau=1/4]",
    "knorm[tau=1/4]",
    "knorm[tau=1/2,exempt_layers=1]",
    "keydiff[tau=1/4]",
    "expected-attention[tau=1/4]",
    "kvzip[tau=1/4]",
    "duo-attention[tau=1/2]",
    "duo-attention[full_share=1/3,sink_tokens=3,recent_tokens=20]",
    "duo-attention[tau=1/2,prefill=streaming]",
    "duo-attention[full_share=1/3,sink_tokens=3,recent_tokens=20,prefill=streaming]",
    "kvzip[budget_tokens=50,layerwise=yes]",
    "adakv[scorer=expected-attention[eps=0.01],tau=1/4]",
    "kivi",
    "kivi[bits=3,group=16,residual_tokens=32]",
    "kivi[bits=4,residual_tokens=64]",
    "kivi[tau=1/2]",
    "prefix",
    "prefix[block_tokens=7]",
    "cacheblend",
    "cacheblend[ratio=1/2,stored=reordered,seed=3]",
    "cacheblend[preset=code,chunk_tokens=40,lead_tokens=0]",
    "cacheblend[ratio=0]",
    "knorm[tau=1/2]+cacheblend+quest[tau=1/2]",
    "cacheblend[tau=1/4]+kivi",
    "quest[tau=1/4]",
    "quest[tau=1/4,page_tokens=8]",
    "quest[page_tokens=5,read_tokens=20,exempt_layers=1]",
    "quest[tau=1/2,exempt_layers=1]",
    "a-shape[tau=1/4]+snapkv[tau=1/4]+quest[tau=1/2]",
    "a-shape[tau=1/8]+streaming-llm[tau=1/2]+kivi[bits=4]",
    "snapkv[tau=1/2]+kivi[tau=1/2]",
    "streaming-llm[tau=1/2]+quest[tau=1/2]",
    "a-shape[tau=1/4]+prefix",
    "exact-topk[tau=1/8]",
    "tier",
    "tier[at=disk]",
    "streaming-llm[tau=1/2]+tier[at=disk]",
    "retroinfer[tau=1/4]",
    "retroinfer[tau=1/4,clustering=euclidean,cluster_tokens=8]",
    "retroinfer[retrieve=1/5,cluster_tokens=4,segment_tokens=64,recent_tokens=10]",
    "streaming-llm[tau=1/2]+retroinfer[tau=1/2]",
    "retrieval-attention[tau=1/4]",
    "retrieval-attention[static_tokens=0,recent_tokens=3,top_tokens=30,from_layer=1]",
    "snapkv[tau=1/2]+retrieval-attention[tau=1/2]",
    "exact-topk[tau=1/8,granularity=query_head]",
    "snapkv[tau=1/2]+exact-topk[tau=1/4]",
    "rtn",
    "rtn[bits=8,group=8]",
    "rtn[tau=1/2,group=8]",
    "fp8",
    "fp8[scale_scope=head]",
    "fp8[scale_scope=tensor]",
    "snapkv[tau=1/4]+rtn[bits=3]",
    "turboquant",
    "turboquant[bits=2.5,rotation=dense]",
    "turboquant[bits=3,variant=inner-product]",
    "turboquant[tau=1/2]",
    "streaming-llm[tau=1/4]+turboquant[bits=3.5,variant=inner-product]",
    "streaming-llm[tau=1/4]+fp8",
)

# Needs a package that is not installed here: held against the laws over a stand-in, by its own tests.
ELSEWHERE = {"kvpress"}

# What a law may say nothing about. Keys: the start of a law's statement; values: stages (any of them in a method makes the law idle).
EVICTED = "evicted entries"
FUTURE = "a later token"
CHUNKS = "chunks equal"


def may_idle(spelling: str) -> set[str]:
    """Starts of the statements of the laws that may be idle for a method."""
    method, idle = parse(spelling), set()
    if (
        method.eviction is None
        or method.codec is not None
        or method.loading.category != "reference"
    ):
        idle.add(
            EVICTED
        )  # nothing is evicted, or another stage stands between what is kept and what is read
    if method.codec is not None or (method.eviction is not None and method.eviction.rolls):
        idle.add(FUTURE)  # its tail may have coded, or evicted, the newest keys
    if method.generation.one_shot:
        idle.add(CHUNKS)  # it needs all queries of a layer at once
    return idle
