"""Evictions by what queries attended to, or are expected to."""

from __future__ import annotations

from scbench.methods.card import BUDGET
from scbench.methods.cards.eviction import EVICTION

VOTING = {
    **BUDGET,
    "granularity": "kv_head",
    "window_tokens": "none",
    "capacity_tokens": "none",
    "kernel": "none",
    "pooling": "none",
    "voters": "none",
}
CARDS = (
    EVICTION(
        name="snapkv",
        place="scbench.methods.compression.snapkv:SnapKV",
        about=(
            "Keeps what the last queries attend to; take it where the question, or its like, "
            "is at the end of what was read."
        ),
        paper="SnapKV, arXiv 2404.14469",
        bytes_formula="2 H K D e; 2 H G K D e per query head",
        difference=(
            "stored per KV head with votes averaged over the group; published: per query "
            "head, G times the bytes (granularity=query_head)"
        ),
        needs=("last queries",),
        parameters=VOTING,
        presets={
            "paper": "window_tokens=32,capacity_tokens=4096,kernel=5,pooling=avg",
            "code": (
                "window_tokens=32,capacity_tokens=4096,kernel=5,pooling=avg,granularity=query_head"
            ),
            "longbench": "window_tokens=32,capacity_tokens=4096,kernel=7,pooling=max",
        },
        in_all="tau=1/4",
        forms={
            "": "tau=1/2",
            "apart": "tau=1/2,granularity=query_head",
        },
        examined=(
            "tau=1/4",
            "tau=1/8,kernel=7,pooling=max,window_tokens=64",
            "tau=1/4,granularity=query_head",
            "tau=1/4,window_tokens=9,kernel=5,pooling=avg,voters=question",
        ),
    ),
    EVICTION(
        name="pyramidkv",
        place="scbench.methods.compression.pyramidkv:PyramidKV",
        about=(
            "SnapKV with more slots for the first layers than for the last; take it where "
            "late layers look at little."
        ),
        paper="PyramidKV, arXiv 2406.02069",
        bytes_formula="2 H K_l D e, K_l falling, mean K; G times that per query head",
        difference=(
            "a budget is shared out exactly, per KV head; published: steps floored, up to "
            "L^2/2 slots too many, and per query head (granularity=query_head)"
        ),
        needs=("last queries",),
        parameters={
            **VOTING,
            "beta": "20",
        },
        presets={
            "paper": "window_tokens=32,capacity_tokens=4096,kernel=5,pooling=avg,beta=20",
            "code": (
                "window_tokens=32,capacity_tokens=4096,kernel=5,pooling=avg,beta=20,"
                "granularity=query_head"
            ),
            "longbench": "window_tokens=8,capacity_tokens=2048,kernel=7,pooling=max,beta=20",
        },
        in_all="tau=1/4",
        forms={
            "": "tau=1/2,beta=2",
            "apart": "tau=1/2,beta=2,granularity=query_head",
        },
        examined=(
            "tau=1/4",
            "tau=1/2,beta=4,granularity=query_head",
        ),
    ),
    EVICTION(
        name="adakv",
        place="scbench.methods.compression.adakv:AdaKV",
        about=(
            "Shares a layer's budget unevenly between its heads, by any other eviction's "
            "scores; take it over a scorer whose heads differ."
        ),
        paper="Ada-KV, arXiv 2407.11550",
        bytes_formula="2 H K D e + 8 (H + 1), heads uneven",
        difference=(
            "heads are rounded so that they sum to the budget; any eviction that ranks can "
            "score; kvpress masks what is freed here, and divides otherwise "
            "(division=kvpress)"
        ),
        needs=("what its scorer needs",),
        parameters={
            **BUDGET,
            "scorer": "snapkv",
            "alpha": "0.2",
            "division": "authors",
        },
        presets={
            "paper": "alpha=0.2,scorer=snapkv[window_tokens=32,kernel=7,pooling=max]",
            "code": (
                "alpha=0.2,scorer=snapkv[window_tokens=32,kernel=5,pooling=avg],division=kvpress"
            ),
            "kvpress": (
                "alpha=0.2,scorer=snapkv[window_tokens=64,kernel=5,pooling=avg],division=kvpress"
            ),
            "leaderboard": "alpha=0.2,scorer=expected-attention[eps=0.01],division=kvpress",
        },
        in_all="tau=1/4",
        forms={
            "": "tau=1/2",
            "knorm": "scorer=knorm,tau=1/2",
        },
        examined=(
            "tau=1/4",
            "tau=1/4,division=kvpress",
            "scorer=h2o,tau=1/8,alpha=0",
            "scorer=pyramidkv[beta=4],budget_tokens=50",
            "scorer=knorm[exempt_layers=1],tau=1/2",
            "scorer=expected-attention[eps=0.01],tau=1/4",
        ),
    ),
    EVICTION(
        name="h2o",
        place="scbench.methods.compression.h2o:H2O",
        about=(
            "Keeps the tokens that got most attention so far, and recent ones; take it where "
            "every query of the context should have its say."
        ),
        paper="H2O, arXiv 2306.14048",
        bytes_formula="2 H K D e, + 4 H K where rolling, + 4 H K where that is closed up",
        difference=(
            "acts once, after the read, with fp32 sums, at original positions (rolling=yes: "
            "every step; position_mode=cache: closed up)"
        ),
        needs=(
            "column sums of attention",
            "the model's rotation where position_mode=cache",
        ),
        parameters={
            **BUDGET,
            "rolling": "no",
            "position_mode": "original",
            "heavy_tokens": "none",
            "recent_tokens": "none",
        },
        presets={
            "paper": "tau=1/5",
            "code": "heavy_tokens=2040,recent_tokens=8",
        },
        in_all="tau=1/4",
        forms={
            "": "tau=1/2",
            "rolling": "tau=1/2,rolling=yes",
            "closed": "tau=1/2,position_mode=cache",
        },
        examined=(
            "tau=1/4,rolling=yes",
            "tau=1/4,position_mode=cache",
            "tau=1/4,rolling=yes,position_mode=cache",
            "tau=1/4",
        ),
    ),
    EVICTION(
        name="tova",
        place="scbench.methods.compression.tova:TOVA",
        about=(
            "Keeps what the newest query attends to; take it where the budget is small and "
            "the text is one stream."
        ),
        paper="TOVA, arXiv 2401.06104",
        bytes_formula="2 H K D e, + 4 H K where rolling and closed up",
        difference=(
            "acts once, after the read (rolling=yes: every step, as published), at original "
            "positions (position_mode=cache: closed up)"
        ),
        needs=(
            "last queries",
            "the model's rotation where position_mode=cache",
        ),
        parameters={
            **BUDGET,
            "rolling": "no",
            "position_mode": "original",
            "capacity_tokens": "none",
        },
        presets={
            "paper": "capacity_tokens=2048",
            "code": "",
        },
        in_all="tau=1/4",
        forms={
            "": "tau=1/2",
            "rolling": "tau=1/2,rolling=yes",
            "closed": "tau=1/2,rolling=yes,position_mode=cache",
        },
        examined=(
            "tau=1/4,rolling=yes",
            "tau=1/4,rolling=yes,position_mode=cache",
            "tau=1/4",
        ),
    ),
    EVICTION(
        name="expected-attention",
        place="scbench.methods.compression.expected_attention:ExpectedAttention",
        about=(
            "Keeps what future queries, taken as Gaussian, would attend to; take it where the "
            "question is not known while compressing."
        ),
        paper="Expected Attention, arXiv 2510.00636",
        bytes_formula="2 H K D e",
        difference=(
            "the softmax runs over all keys, sinks included; kvpress leaves the sinks out first"
        ),
        needs=("moments of the queries",),
        parameters={
            **BUDGET,
            "capacity_tokens": "none",
            "future_tokens": "512",
            "sink_tokens": "4",
            "eps": "0.0",
        },
        presets={
            "paper": "future_tokens=512,sink_tokens=4,eps=0.0",
            "code": "future_tokens=512,sink_tokens=4,eps=0.0",
        },
        in_all="tau=1/4",
        forms={"": "tau=1/2"},
        examined=("tau=1/4",),
    ),
    EVICTION(
        name="kvzip",
        place="scbench.methods.compression.kvzip:KVzip",
        about=(
            "Keeps what the model uses most when it repeats its context; take it where one "
            "cache serves many questions and a second pass can be paid."
        ),
        paper="KVzip, arXiv 2505.23416",
        bytes_formula="2 H K D e + 8 (H + 1), heads uneven",
        difference=(
            "repeats in plain text without the chat template; exactly floor(tau L H T) pairs "
            "stay, and the rest is freed"
        ),
        needs=(
            "scores of a repeat",
            "1 more pass",
        ),
        parameters={
            **BUDGET,
            "layerwise": "no",
        },
        presets={
            "paper": "tau=3/10",
            "code": "tau=3/10",
        },
        in_all="tau=1/4",
        forms={"": "tau=1/2"},
        examined=(
            "tau=1/4",
            "budget_tokens=50,layerwise=yes",
        ),
    ),
    EVICTION(
        name="kvpress",
        place="scbench.methods.compression.kvpress:KVPress",
        about=(
            "Any press of NVIDIA kvpress as the scorer, with our budgets and bytes; take it "
            "to compare with theirs."
        ),
        paper="NVIDIA kvpress; each press has a paper of its own",
        bytes_formula="2 H K D e",
        difference=(
            "only the score is the press's; the budget is ours, ties go to the lower slot, "
            "and what is left out is freed"
        ),
        needs=(
            "last queries",
            "the package kvpress, without its pin of transformers (docs/protocol.md)",
        ),
        parameters={
            **BUDGET,
            "press": "KnormPress",
        },
        package="kvpress",
    ),
)
