"""The methods the laws are held against: what the cards name, and compositions of them."""

from __future__ import annotations

from scbench.methods import parse
from scbench.methods.cards import CARDS
from scbench.methods.contract import Eviction, is_default
from scbench.methods.method import Method

# Needs a package that is not installed here: held against the laws over a stand-in, by its own
# tests.
ELSEWHERE = {card.name for card in CARDS.values() if card.package}
COMPOSITIONS = (
    "infllm[tau=1/3,dense_decoding=yes]+snapkv[tau=1/4]",
    "tova[tau=1/4,position_mode=cache]+kivi[bits=4]",
    "h2o[tau=1/2,position_mode=cache]+quest[tau=1/2]",
    "a-shape[tau=1/4]+h2o[heavy_tokens=20,recent_tokens=240,rolling=yes]",
    "a-shape[tau=1/4]+snapkv[capacity_tokens=60,granularity=query_head]",
    "pyramidkv[capacity_tokens=41,beta=5,window_tokens=8]+quest[page_tokens=4,read_tokens=16]",
    "h2o[heavy_tokens=30,recent_tokens=9]+kivi[bits=4]",
    "knorm[tau=1/2]+cacheblend+quest[tau=1/2]",
    "cacheblend[tau=1/4]+kivi",
    "a-shape[tau=1/4]+snapkv[tau=1/4]+quest[tau=1/2]",
    "a-shape[tau=1/8]+streaming-llm[tau=1/2]+kivi[bits=4]",
    "snapkv[tau=1/2]+kivi[tau=1/2]",
    "streaming-llm[tau=1/2]+quest[tau=1/2]",
    "a-shape[tau=1/4]+prefix",
    "streaming-llm[tau=1/2]+tier[at=disk]",
    "streaming-llm[tau=1/2]+retroinfer[tau=1/2]",
    "snapkv[tau=1/2]+retrieval-attention[tau=1/2]",
    "snapkv[tau=1/2]+exact-topk[tau=1/4]",
    "snapkv[tau=1/4]+rtn[bits=3]",
    "streaming-llm[tau=1/4]+turboquant[bits=3.5,variant=inner-product]",
    "streaming-llm[tau=1/4]+fp8",
    "kvzip[tau=1/4]+kivi",
    "kvzip[tau=1/8]+fp8[scale_scope=head]",
    "kvzip[tau=1/4]+fp8[scale_scope=tensor]",
    "adakv[tau=1/4]+kivi[bits=4]",
    "adakv[tau=1/4]+rtn[bits=3]",
    "duo-attention[tau=1/2]+turboquant[bits=2.5]",
    "quest[tau=1/8]+tier",
    "quest[tau=1/2,exempt_layers=1]+tier[at=disk]",
    "exact-topk[tau=1/8,granularity=query_head]+tier",
    "retrieval-attention[tau=1/4]+tier",
    "retroinfer[tau=1/4]+tier[at=disk]",
    "snapkv[tau=1/2]+quest[tau=1/4]+tier",
)
OF_CARDS = [
    list(dict.fromkeys([*card.spelled_forms().values(), *map(card.spelled, card.examined)]))
    for card in CARDS.values()
]
METHODS = (*(spelling for spellings in OF_CARDS for spelling in spellings), *COMPOSITIONS)

# On every save: one form of each method, and the compositions of three stages. The rest is CI's.
ON_EVERY_SAVE = {
    *(spellings[0] for spellings in OF_CARDS if spellings),
    *(spelling for spelling in COMPOSITIONS if spelling.count("+") > 1),
}

# What a law may say nothing about. Keys: the start of a law's statement; values: stages (any of
# them in a method makes the law idle).
EVICTED = "evicted entries"
PROTECTED = "what is protected"
FUTURE = "a later token"
CHUNKS = "chunks equal"
MOVED = "a step moves"
PATTERN = "a pattern's log-sum-exp"
MASKED = "an eviction is dense attention"
PIECES = "what is appended in pieces"
FIRST = "the first token after"
LENGTHS = "lengths beside"
TIERED = "a slower tier hands on"
POOLED = "what a pool hands back"
REUSED = "keys of every reused chunk"
SHARE = "held at most"
CHOSEN = "a step reads what was chosen"
# Played in CI alone: of all laws they take longest, and each sees one kind of fault.
NOT_ON_EVERY_SAVE = {
    "lengths beside a multiple of every block lose nothing either",
    "a session's result does not depend on those before it",
    "siblings of a tail that has grown do not see each other",
}


def may_idle(spelling: str) -> set[str]:
    """Starts of the statements of the laws that may be idle for a method."""
    method, idle = parse(spelling), set()
    if method.eviction is None or method.codec is not None or not method.reads_all:
        idle.add(
            EVICTED
        )  # nothing is evicted, or another stage stands between what is kept and what is read
    if method.eviction is None or type(method.eviction).rank is Eviction.rank:
        idle.add(PROTECTED)  # it gives no ranks
    if method.codec is not None or (
        method.eviction is not None and method.eviction.traits.is_rolling
    ):
        idle.add(FUTURE)  # its tail may have coded, or evicted, the newest keys
    if not method.tier.traits.has_slow_tier:
        idle.add(MOVED)
    if is_default(method.generation):
        idle.add(PATTERN)  # the context is read densely
    if method.generation.is_one_shot:
        idle.add(CHUNKS)  # it needs all queries of a layer at once
    return idle | _may_idle_of_streams(method, spelling)


def _may_idle_of_streams(method: Method, spelling: str) -> set[str]:
    """Of the laws of streams, positions and budgets, and of what stages promise."""
    idle = {" promises: ", SHARE} if "tau=" not in spelling or "+" in spelling else {" promises: "}
    if method.generation.traits.is_rewriting:
        idle.add(SHARE)  # its share is one of the text
    is_rolling = method.eviction is not None and method.eviction.traits.is_rolling
    if method.eviction is None or method.codec is not None or not method.reads_all:
        idle.add(MASKED)
    if method.generation.traits.governs_decoding:
        idle.add(MASKED)  # it says what is read after the context
    if method.codec is not None or is_rolling:
        idle.add(PIECES)  # its tail codes, or evicts, after every forward
    if not is_default(method.generation) or not is_default(method.retrieval):
        idle.add(FIRST)  # it does not read densely
    if is_default(method.tier):
        idle.add(TIERED)
    if not method.retrieval.traits.is_pooled:
        idle.add(POOLED)
    if not method.retrieval.traits.is_blended:
        idle.add(REUSED)
    if is_default(method.loading):
        idle.add(CHOSEN)
    least = max(getattr(stage, "minimum_tokens", 0) for stage in method.stages)
    if method.retrieval.traits.is_blended or "budget_tokens" in spelling or least > 30:
        idle.add(LENGTHS)  # so short a context may be refused
    return idle
