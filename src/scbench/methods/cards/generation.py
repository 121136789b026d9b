"""How the context is read: sparse patterns, shorter prompts, block memories."""

from __future__ import annotations

from scbench.methods.card import BUDGET, Card

CARDS = (
    Card(
        name="dense",
        place="scbench.methods.contract:Dense",
        stage="none",
        category="reference",
        about="Keeps and reads everything; the reference that all others are compared with.",
        bytes_formula="2 H T D e",
        difference="the reference",
        in_all="",
        examined=("",),
    ),
    Card(
        name="closed-book",
        place="scbench.methods.generation.closed_book:ClosedBook",
        stage="generation",
        category="reference",
        about=(
            "Asks the question without the context; what is right then was known by heart or "
            "guessed, so it is the floor of all others."
        ),
        paper="none: a control",
        bytes_formula="2 H T' D e, T' tokens of the template",
        difference="a control: nothing is kept",
        presets={
            "paper": "",
            "code": "",
        },
        in_all="",
        forms={"": ""},
        examined=("",),
    ),
    Card(
        name="a-shape",
        place="scbench.methods.generation.a_shape:AShape",
        stage="generation",
        category="sparse attention",
        about=(
            "Every token of the context sees the first tokens and a band of recent ones; the "
            "cheapest pattern, and the one to compare any other sparse reading with."
        ),
        paper="SCBench, arXiv 2412.10319; pattern of StreamingLLM, arXiv 2309.17453",
        bytes_formula="2 H T D e: everything is kept",
        difference="the mask alone: K and V stay, so follow-ups see everything",
        parameters={
            "init_tokens": "none",
            "local_tokens": "none",
            "tau": "none",
            "budget_tokens": "none",
        },
        presets={
            "paper": "init_tokens=128,local_tokens=4096",
            "code": "init_tokens=128,local_tokens=3968",
        },
        in_all="tau=1/4",
        forms={"": "tau=1/4"},
        examined=("init_tokens=0,local_tokens=33",),
    ),
    Card(
        name="tri-shape",
        place="scbench.methods.generation.tri_shape:TriShape",
        stage="generation",
        category="sparse attention",
        about=(
            "A-shape whose last rows see everything; take it where the question stands at the "
            "end of what is read."
        ),
        paper="SCBench, arXiv 2412.10319",
        bytes_formula="2 H T D e: everything is kept",
        difference=(
            "dense last rows come on top of the budget and are reported; read with the first "
            "query where that is known"
        ),
        parameters={
            "init_tokens": "none",
            "local_tokens": "none",
            "last_tokens": "none",
            "tau": "none",
            "budget_tokens": "none",
        },
        presets={
            "paper": "init_tokens=128,local_tokens=4096,last_tokens=128",
            "code": "init_tokens=128,local_tokens=3968,last_tokens=100",
        },
        in_all="tau=1/4",
        forms={"": "tau=1/4"},
        examined=("init_tokens=3,local_tokens=20,last_tokens=50",),
    ),
    Card(
        name="minference",
        place="scbench.methods.generation.minference:MInference",
        stage="generation",
        category="sparse attention",
        about=(
            "Each head reads the columns and diagonals that its last rows look at; take it "
            "for long contexts read once."
        ),
        paper="MInference, arXiv 2407.02490",
        bytes_formula="2 H T D e: everything is kept",
        difference=(
            "exact columns and offsets on any device (mask=tile64: the kernel's superset); "
            "one size for all heads unless a table is given"
        ),
        needs=(
            "the whole prefix at once",
            "optionally a table of patterns per head (`scbench search-patterns`)",
        ),
        parameters={
            **BUDGET,
            "table": "none",
            "vertical_tokens": "none",
            "slash_tokens": "none",
            "mask": "exact",
        },
        presets={
            "paper": "vertical_tokens=1000,slash_tokens=6096,mask=tile64",
            "code": "vertical_tokens=512,slash_tokens=2048,mask=tile64",
        },
        in_all="tau=1/4",
        forms={"": "tau=1/4"},
        examined=("mask=tile64,budget_tokens=130",),
    ),
    Card(
        name="xattention",
        place="scbench.methods.generation.xattention:XAttention",
        stage="generation",
        category="sparse attention",
        about=(
            "Blocks are chosen by sums over their antidiagonals; take it where one threshold "
            "should serve all heads."
        ),
        paper="XAttention, arXiv 2503.16428",
        bytes_formula="2 H T D e: everything is kept",
        difference=(
            "exact attention in the chosen blocks; under a budget a count of blocks takes the "
            "threshold's place"
        ),
        needs=("the whole prefix at once",),
        parameters={
            **BUDGET,
            "threshold": "none",
            "block_tokens": "none",
            "stride": "none",
            "norm": "1.0",
        },
        presets={
            "paper": "threshold=0.9,block_tokens=128,stride=8",
            "code": "threshold=0.9,block_tokens=128,stride=8,norm=1.0",
        },
        in_all="tau=1/4",
        forms={"": "tau=1/2"},
        examined=(
            "tau=1/4",
            "threshold=0.8,block_tokens=32,stride=4",
        ),
    ),
    Card(
        name="flexprefill",
        place="scbench.methods.generation.flexprefill:FlexPrefill",
        stage="generation",
        category="sparse attention",
        about=(
            "Each head takes a pattern and a number of blocks by its own attention; take it "
            "where heads differ much."
        ),
        paper="FlexPrefill, arXiv 2502.20766",
        bytes_formula="2 H T D e: everything is kept",
        difference=(
            "counts blocks, so the last rows keep gamma; diagonals catch offsets that cross a "
            "block's border (cover=tokens, slashes=blocks: as published)"
        ),
        needs=("the whole prefix at once",),
        parameters={
            **BUDGET,
            "gamma": "0.9",
            "tau_js": "0.1",
            "cover": "blocks",
            "slashes": "tokens",
            "block_tokens": "none",
            "min_tokens": "none",
            "max_tokens": "none",
        },
        presets={
            "paper": (
                "gamma=0.9,tau_js=0.1,cover=tokens,slashes=blocks,block_tokens=128,min_tokens=1024"
            ),
            "code": "gamma=0.9,tau_js=0.1,cover=tokens,slashes=blocks,block_tokens=128",
        },
        in_all="tau=1/4",
        forms={"": "tau=1/2"},
        examined=(
            "tau=1/2,slashes=blocks,block_tokens=16",
            "block_tokens=16,gamma=0.7,tau_js=0.5,cover=tokens",
        ),
    ),
    Card(
        name="infllm",
        place="scbench.methods.generation.infllm:InfLLM",
        stage="generation",
        category="KV loading",
        about=(
            "Each token sees first and recent tokens and the blocks of the context whose "
            "representatives it likes best; take it beyond a model's trained window."
        ),
        paper="InfLLM, arXiv 2402.04617",
        bytes_formula="2 H T D e + H (T / block) D e + 4 H per token not in a block yet",
        difference=(
            "representatives per KV head; after the context each token chooses by itself; the "
            "cache stays on the device; RoPE's base is the model's"
        ),
        needs=("the model's rotation, of angles fixed per position",),
        parameters={
            **BUDGET,
            "init_tokens": "none",
            "local_tokens": "none",
            "block_tokens": "none",
            "top_blocks": "none",
            "exec_tokens": "none",
            "repr_tokens": "none",
            "dense_decoding": "no",
        },
        presets={
            "code": (
                "init_tokens=128,local_tokens=4096,block_tokens=128,top_blocks=16,"
                "exec_tokens=512,repr_tokens=4,dense_decoding=yes"
            ),
            "infllm": (
                "init_tokens=128,local_tokens=4096,block_tokens=128,top_blocks=16,"
                "exec_tokens=512,repr_tokens=4"
            ),
        },
        in_all="tau=1/2",
        forms={
            "": "tau=1/2",
            "read-only": "tau=1/2,dense_decoding=yes",
        },
        examined=(
            "tau=1/3",
            (
                "init_tokens=3,local_tokens=40,block_tokens=6,top_blocks=4,exec_tokens=16,"
                "repr_tokens=2"
            ),
            "budget_tokens=90,exec_tokens=1",
        ),
    ),
    Card(
        name="llmlingua-2",
        place="scbench.methods.generation.llmlingua:LLMLingua2",
        stage="generation",
        category="prompt compression",
        about=(
            "A word classifier drops words before the model reads; take it where prefill and "
            "cache must both shrink, whatever the model."
        ),
        paper="LLMLingua-2, arXiv 2403.12968",
        bytes_formula="2 H T' D e, T' tokens left",
        difference=(
            "by default a small network that has learned from the same generators chooses the "
            "words; words stay as they stood"
        ),
        needs=(
            "a word classifier: trained (ours, shipped), a published checkpoint, or the package "
            "llmlingua",
        ),
        parameters={
            "tau": "none",
            "force_newlines": "yes",
            "force_question_marks": "yes",
            "force_digits": "no",
            "force_words": "",
            "classifier": "trained",
        },
        presets={
            "paper": "classifier=microsoft/llmlingua-2-xlm-roberta-large-meetingbank",
            "code": "classifier=microsoft/llmlingua-2-xlm-roberta-large-meetingbank",
        },
        in_all="tau=1/2",
        forms={"": "tau=2/3"},
        examined=("",),
    ),
    Card(
        name="selective-context",
        place="scbench.methods.generation.selective_context:SelectiveContext",
        stage="generation",
        category="prompt compression",
        about=(
            "Drops words that the words before them foretell; take it where no classifier may "
            "be loaded."
        ),
        paper="Selective Context, arXiv 2310.06201",
        bytes_formula="2 H T' D e, T' tokens left",
        difference=(
            "self-information by counts of words in a chunk; published: under a causal "
            "language model, by phrases of the whole text"
        ),
        parameters={
            "tau": "none",
            "force_newlines": "yes",
            "force_question_marks": "yes",
            "force_digits": "no",
            "force_words": "",
        },
        presets={
            "paper": "tau=1/2",
            "code": "",
        },
        in_all="tau=1/2",
        forms={"": "tau=2/3"},
        examined=("",),
    ),
)
