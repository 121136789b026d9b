"""Which stored cache serves a request."""

from __future__ import annotations

from scbench.methods.card import Card

CARDS = (
    Card(
        name="prefix",
        place="scbench.methods.retrieval.prefix:PrefixReuse",
        stage="retrieval",
        category="KV retrieval",
        about=(
            "Serves a request from the longest cached prefix of its prompt, exactly; take it "
            "always, unless prompts share nothing."
        ),
        paper=(
            "automatic prefix caching (PagedAttention, arXiv 2309.06180; RadixAttention, "
            "arXiv 2312.07104)"
        ),
        bytes_formula="2 H T D e per cached token",
        difference=(
            "exact, and counted: hit tokens of memory and disk, and what they save, within "
            "one session or one folder"
        ),
        parameters={
            "block_tokens": "16",
            "capacity_mib": "0",
            "disk_mib": "none",
            "folder": "",
        },
        presets={
            "code": "block_tokens=16",
            "lmcache": "block_tokens=256",
        },
        in_all="",
        forms={"": ""},
        examined=("block_tokens=7",),
    ),
    Card(
        name="cacheblend",
        place="scbench.methods.retrieval.cacheblend:CacheBlend",
        stage="retrieval",
        category="KV retrieval",
        about=(
            "Puts a context together from chunks read alone and computes some tokens again; "
            "take it where chunks come back in other orders."
        ),
        paper="CacheBlend, arXiv 2405.16444; the schedule of the filtering is ours",
        bytes_formula="2 H T D e, and the chunks once more in the pool",
        difference=(
            "the share of recomputed tokens falls linearly over the layers; the paper gives "
            "no schedule"
        ),
        needs=("two chunks or more",),
        parameters={
            "ratio": "none",
            "tau": "none",
            "chunk_tokens": "0",
            "check_layer": "1",
            "filtering": "gradual",
            "deviation": "kv",
            "stored": "alone",
            "lead_tokens": "1",
            "separator": "",
            "seed": "0",
        },
        presets={
            "paper": "ratio=3/20,chunk_tokens=512",
            "code": "ratio=4/25,chunk_tokens=256,filtering=once,deviation=v",
        },
        in_all="",
        forms={"": ""},
        examined=(
            "ratio=1/2,stored=reordered,seed=3",
            "preset=code,chunk_tokens=40,lead_tokens=0",
            "ratio=0",
        ),
    ),
)
