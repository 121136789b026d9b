"""The methods the laws are held against. Whoever registers a method adds a line here; a name that is missing fails test_laws."""

from __future__ import annotations

from scbench.methods import parse

METHODS = (
    "dense",
    "a-shape[tau=1/4]",
    "a-shape[init_tokens=0,local_tokens=33]",
    "tri-shape[tau=1/4]",
    "tri-shape[init_tokens=3,local_tokens=20,last_tokens=50]",
    "streaming-llm[tau=1/4]",
    "streaming-llm[budget_tokens=20]",
    "snapkv[tau=1/4]",
    "snapkv[tau=1/8,kernel=7,pooling=max,window_tokens=64]",
    "kivi",
    "kivi[bits=3,group=16,residual_tokens=32]",
    "kivi[bits=4,residual_tokens=64]",
    "kivi[tau=1/2]",
    "prefix",
    "prefix[block_tokens=7]",
    "quest[tau=1/4]",
    "quest[page_tokens=5,read_tokens=20,exempt_layers=1]",
    "a-shape[tau=1/4]+snapkv[tau=1/4]+quest[tau=1/2]",
    "a-shape[tau=1/8]+streaming-llm[tau=1/2]+kivi[bits=4]",
    "snapkv[tau=1/2]+kivi[tau=1/2]",
    "streaming-llm[tau=1/2]+quest[tau=1/2]",
    "a-shape[tau=1/4]+prefix",
    "exact-topk[tau=1/8]",
    "exact-topk[tau=1/8,granularity=query_head]",
    "snapkv[tau=1/2]+exact-topk[tau=1/4]",
    "rtn",
    "rtn[bits=8,group=8]",
    "rtn[tau=1/2,group=8]",
    "fp8",
    "fp8[scale_scope=head]",
    "fp8[scale_scope=tensor]",
    "snapkv[tau=1/4]+rtn[bits=3]",
    "streaming-llm[tau=1/4]+fp8",
)

# What a law may say nothing about. Keys: the start of a law's statement; values: stages (any of them in a method makes the law idle).
EVICTED = "evicted entries"
FUTURE = "a later token"


def may_idle(spelling: str) -> set[str]:
    """Starts of the statements of the laws that may be idle for a method."""
    method, idle = parse(spelling), set()
    if method.eviction is None or method.codec is not None or method.loading.category != "reference":
        idle.add(EVICTED)  # nothing is evicted, or another stage stands between what is kept and what is read
    if method.codec is not None:
        idle.add(FUTURE)  # its tail may have coded the newest keys
    return idle
