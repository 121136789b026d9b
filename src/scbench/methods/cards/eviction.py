"""Evictions that look at keys and places alone, and at no query of the text."""

from __future__ import annotations

from functools import partial

from scbench.methods.card import BUDGET, Card

EVICTION = partial(Card, stage="compression", category="KV dropping")
CARDS = (
    Card(
        name="oracle",
        place="scbench.methods.compression.oracle:Oracle",
        stage="compression",
        category="reference",
        about=(
            "Keeps what the gold answers rest on, and the newest slots; the ceiling of every "
            "eviction, and nothing that can be served."
        ),
        paper="none: a control",
        bytes_formula="2 H K D e",
        difference="a control: it is told the gold answers' evidence",
        needs=("the evidence of the session's turns",),
        parameters={**BUDGET},
        presets={"paper": "", "code": ""},
        in_all="tau=1/4",
        forms={"": "tau=1/2"},
        examined=("tau=1/4",),
    ),
    EVICTION(
        name="streaming-llm",
        place="scbench.methods.compression.streaming_llm:StreamingLLM",
        about="Keeps the first and the newest tokens; the baseline that any eviction must beat.",
        paper="StreamingLLM, arXiv 2309.17453",
        bytes_formula="2 H K D e",
        difference=(
            "the context is read densely and cut once, at original positions (rolling=yes, "
            "position_mode=cache: every step and closed up, as published)"
        ),
        needs=("the model's rotation where position_mode=cache",),
        parameters={
            **BUDGET,
            "rolling": "no",
            "position_mode": "original",
            "sink_tokens": "none",
            "recent_tokens": "none",
        },
        presets={
            "paper": "sink_tokens=128,recent_tokens=4096",
            "code": "sink_tokens=128,recent_tokens=3968",
            "streaming-llm": "sink_tokens=4,recent_tokens=2000,rolling=yes,position_mode=cache",
        },
        in_all="tau=1/4",
        forms={
            "": "tau=1/2",
            "rolling": "tau=1/2,rolling=yes",
            "closed": "tau=1/2,position_mode=cache",
        },
        examined=(
            "tau=1/4",
            "budget_tokens=20",
            "tau=1/4,rolling=yes",
            "tau=1/4,position_mode=cache",
            "sink_tokens=3,recent_tokens=50,rolling=yes,position_mode=cache",
        ),
    ),
    EVICTION(
        name="knorm",
        place="scbench.methods.compression.knorm:Knorm",
        about=(
            "Keeps the slots with the smallest keys; take it where nothing but the keys may "
            "be looked at."
        ),
        paper="L2 norm of keys, arXiv 2406.11430",
        bytes_formula="2 H K D e",
        difference="no layer is exempt unless asked, and exempt layers count against the budget",
        parameters={
            **BUDGET,
            "capacity_tokens": "none",
            "exempt_layers": "0",
            "count_exempt": "yes",
        },
        presets={
            "paper": "exempt_layers=2,count_exempt=no",
            "code": "exempt_layers=0",
        },
        in_all="tau=1/4",
        forms={"": "tau=1/2"},
        examined=(
            "tau=1/4",
            "tau=1/2,exempt_layers=1",
        ),
    ),
    EVICTION(
        name="keydiff",
        place="scbench.methods.compression.keydiff:KeyDiff",
        about=(
            "Keeps the keys least like the average one; take it where nothing but the keys "
            "may be looked at and they crowd."
        ),
        paper="KeyDiff, arXiv 2504.15364",
        bytes_formula="2 H K D e",
        difference="acts once, after the read; published: block by block while reading",
        parameters={
            **BUDGET,
            "capacity_tokens": "none",
        },
        presets={
            "paper": "",
            "code": "",
        },
        in_all="tau=1/4",
        forms={"": "tau=1/2"},
        examined=("tau=1/4",),
    ),
    EVICTION(
        name="duo-attention",
        place="scbench.methods.compression.duo_attention:DuoAttention",
        about=(
            "A few heads keep everything, the others first and recent tokens; take it where "
            "gates were searched for the model."
        ),
        paper="DuoAttention, arXiv 2410.10819",
        bytes_formula="2 D e (T per full head + W per other) + 8 (H + 1)",
        difference=(
            "acts after a dense read unless prefill=streaming (the paper's, presets paper and "
            "mha); without a file of gates a proxy from the model alone"
        ),
        needs=("a file of gates (`scbench search-gates`), or the engine's proxy (head gates)",),
        parameters={
            **BUDGET,
            "full_share": "none",
            "sink_tokens": "64",
            "recent_tokens": "256",
            "gates": "",
            "prefill": "full",
        },
        presets={
            "paper": "full_share=1/2,sink_tokens=64,recent_tokens=256,prefill=streaming",
            "mha": "full_share=1/4,sink_tokens=64,recent_tokens=256,prefill=streaming",
            "code": "full_share=1/2,sink_tokens=128,recent_tokens=256",
        },
        in_all="tau=1/2",
        forms={"": "tau=1/2"},
        examined=(
            "full_share=1/3,sink_tokens=3,recent_tokens=20",
            "tau=1/2,prefill=streaming",
            "full_share=1/3,sink_tokens=3,recent_tokens=20,prefill=streaming",
        ),
    ),
)
