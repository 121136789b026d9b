"""What is played for the golden run: parts of one model, its tasks and its methods.

The lists stand here and are not imported, so that no change of a default can shrink what is seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from golden.models import TINY

EVERY = (  # one of every method; llmlingua-2 and cacheblend included, kvpress is not installed
    "dense",
    "a-shape[tau=1/4]",
    "tri-shape[tau=1/4]",
    "minference[tau=1/4]",
    "xattention[tau=1/4]",
    "flexprefill[tau=1/4]",
    "infllm[tau=1/2]",
    "llmlingua-2[tau=1/2]",
    "selective-context[tau=1/2]",
    "streaming-llm[tau=1/4]",
    "snapkv[tau=1/4]",
    "pyramidkv[tau=1/4]",
    "adakv[tau=1/4]",
    "h2o[tau=1/4]",
    "tova[tau=1/4]",
    "knorm[tau=1/4]",
    "keydiff[tau=1/4]",
    "expected-attention[tau=1/4]",
    "kvzip[tau=1/4]",
    "duo-attention[tau=1/2]",
    "kivi[bits=2]",
    "turboquant[bits=3]",
    "rtn[bits=4]",
    "fp8",
    "prefix",
    "cacheblend",
    "quest[tau=1/4]",
    "retrieval-attention[tau=1/4]",
    "retroinfer[tau=1/4]",
    "tier",
    "exact-topk[tau=1/4]",
    "snapkv[tau=1/4]+kivi[bits=4]",
)
FORMS = (
    "a-shape[init_tokens=0,local_tokens=33]",
    "tri-shape[init_tokens=3,local_tokens=20,last_tokens=50]",
    "minference[mask=tile64,budget_tokens=130]",
    "xattention[threshold=0.8,block_tokens=32,stride=4]",
    "llmlingua-2",
    "flexprefill[block_tokens=16,gamma=0.7,tau_js=0.5,cover=tokens]",
    "infllm[init_tokens=3,local_tokens=40,block_tokens=6,top_blocks=4,exec_tokens=16]",
    "infllm[tau=1/3,dense_decoding=yes]+snapkv[tau=1/4]",
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
    "snapkv[tau=1/8,kernel=7,pooling=max,window_tokens=64]",
    "snapkv[tau=1/4,granularity=query_head]",
    "pyramidkv[tau=1/2,beta=4,granularity=query_head]",
    "pyramidkv[capacity_tokens=41,beta=5,window_tokens=8]+quest[page_tokens=4,read_tokens=16]",
    "adakv[scorer=h2o,tau=1/8,alpha=0]",
    "adakv[scorer=pyramidkv[beta=4],budget_tokens=50]",
    "adakv[scorer=knorm[exempt_layers=1],tau=1/2]",
    "adakv[scorer=expected-attention[eps=0.01],tau=1/4]",
    "h2o[heavy_tokens=30,recent_tokens=9]+kivi[bits=4]",
    "knorm[tau=1/2,exempt_layers=1]",
    "duo-attention[full_share=1/3,sink_tokens=3,recent_tokens=20]",
    "duo-attention[tau=1/2,prefill=streaming]",
    "kvzip[budget_tokens=50,layerwise=yes]",
    "kivi[bits=3,group=16,residual_tokens=32]",
    "kivi[tau=1/2]",
    "prefix[block_tokens=7]",
    "a-shape[tau=1/4]+prefix",
    "cacheblend[ratio=1/2,stored=reordered,seed=3]",
    "cacheblend[ratio=4/25,chunk_tokens=40,filtering=once,deviation=v,lead_tokens=0]",
    "cacheblend[ratio=0]",
    "knorm[tau=1/2]+cacheblend+quest[tau=1/2]",
    "cacheblend[tau=1/4]+kivi",
    "quest[page_tokens=5,read_tokens=20,exempt_layers=1]",
    "a-shape[tau=1/4]+snapkv[tau=1/4]+quest[tau=1/2]",
    "tier[at=disk]",
    "streaming-llm[tau=1/2]+tier[at=disk]",
    "retroinfer[retrieve=1/5,cluster_tokens=4,segment_tokens=64,recent_tokens=10]",
    "retrieval-attention[static_tokens=0,recent_tokens=3,top_tokens=30,from_layer=1]",
    "exact-topk[tau=1/8,granularity=query_head]",
    "rtn[bits=8,group=8]",
    "rtn[tau=1/2,group=8]",
    "snapkv[tau=1/4]+rtn[bits=3]",
    "fp8[scale_scope=head]",
    "fp8[scale_scope=tensor]",
    "turboquant[bits=2.5,rotation=dense]",
    "turboquant[bits=3,variant=inner-product]",
    "streaming-llm[tau=1/4]+turboquant[bits=3.5,variant=inner-product]",
)
STATELESS = ("prefix", "cacheblend")  # these cut a cache into parts, and a recurrent state has none
HANDFUL = (
    "dense",
    "a-shape[tau=1/4]",
    "snapkv[tau=1/4]",
    "kivi[bits=2]",
    "quest[tau=1/4]",
    "prefix",
    "expected-attention[tau=1/4]",
)
TASKS = (
    "kv",
    "prefix_suffix",
    "vt",
    "repoqa",
    "qa_eng",
    "qa_chn",
    "choice_eng",
    "mf",
    "many_shot",
    "summary",
    "summary_with_needles",
    "repoqa_and_kv",
)
# made without the sources of this Python
MADE = tuple(task for task in TASKS if "repoqa" not in task)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one model plays. `more` are further settings of the run."""

    name: str
    model: str
    tasks: tuple[str, ...]
    methods: tuple[str, ...]
    length: int
    turns: int = 2
    more: Mapping[str, Any] = field(default_factory=dict)

    def narrowed(self, *, methods: tuple[str, ...] = (), tasks: tuple[str, ...] = ()) -> Part:
        """Only these methods and tasks, where some are named."""
        stray = [x for x in methods if x not in self.methods] + [
            x for x in tasks if x not in self.tasks
        ]
        assert not stray, f"{self.name} plays no {', '.join(stray)}"
        return replace(self, methods=methods or self.methods, tasks=tasks or self.tasks)


def _lab(
    name: str, model: str, tasks: tuple[str, ...], methods: tuple[str, ...], **more: Any
) -> Part:
    return Part(name=name, model=model, tasks=tasks, methods=methods, length=256, more=more)


def _tiny(kind: str) -> Part:
    methods = HANDFUL
    if kind in ("jamba", "bamba"):  # these grow token by token, and slowly
        methods = ("dense", "snapkv[tau=1/4]", "kivi[bits=2]", "quest[tau=1/4]")
    if kind == "mamba2":
        methods = ("dense", "llmlingua-2[tau=1/2]")
    more = {"max_new_tokens": 8}
    return Part(
        name=f"tiny-{kind}",
        model=f"tiny-{kind}",
        tasks=("kv",),
        methods=methods,
        length=256,
        more=more,
    )


LOOKED_UP = ("kv", "vt", "qa_eng", "many_shot", "summary_with_needles", "repoqa_and_kv")
OTHERS = tuple(task for task in TASKS if task not in LOOKED_UP)
MORE_HEADS = ("duo-attention", "cacheblend")  # these need several heads or layers
ONE_HEAD = tuple(method for method in EVERY if method.partition("[")[0] not in MORE_HEADS)
HYBRID = tuple(method for method in EVERY if method not in STATELESS)
SHORT = {"max_new_tokens": 3}
PARTS = (
    Part(name="toy", model="toy", tasks=("kv",), methods=ONE_HEAD, length=1024),
    Part(name="toy-prompts", model="toy", tasks=MADE, methods=("dense",), length=4096, turns=3),
    Part(
        name="toy-published-prompts",
        model="toy",
        tasks=MADE,
        methods=("dense",),
        length=4096,
        turns=3,
        more={"prompts": "official"},
    ),
    Part(
        name="chat-prompts",
        model="tiny-llama",
        tasks=MADE,
        methods=("dense",),
        length=2048,
        more=SHORT,
    ),
    *(_tiny(kind) for kind in TINY),
    _lab("lab-transformer", "lab-transformer", LOOKED_UP, EVERY),
    _lab(
        "lab-transformer-controls",
        "lab-transformer",
        ("kv", "vt"),
        ("dense", "closed-book", "oracle[tau=1/2]"),
    ),
    _lab("lab-transformer-tasks", "lab-transformer", OTHERS, ("dense", *HANDFUL[2:5])),
    _lab("lab-transformer-forms", "lab-transformer", ("kv", "vt"), FORMS),
    _lab(
        "lab-transformer-history",
        "lab-transformer",
        ("kv", "vt", "summary"),
        ("dense", "snapkv[tau=1/4]", "kivi[bits=2]", "prefix"),
        history="model",
        compress_after="context",
    ),
    _lab(
        "lab-transformer-forgets",
        "lab-transformer",
        ("kv", "vt"),
        ("dense", "snapkv[tau=1/4]", "prefix"),
        history="none",
        compress_after="first-query",
    ),
    _lab("lab-hybrid", "lab-hybrid", ("kv", "many_shot"), HYBRID),
    _lab("lab-mamba2", "lab-mamba2", TASKS, ("dense", "llmlingua-2[tau=1/2]")),
)
PART = {part.name: part for part in PARTS}
# models whose kept positions, bytes and logits are recorded on one fixed context
HELD = {
    "lab-transformer": (*EVERY, *FORMS),
    "lab-hybrid": HYBRID,
    "tiny-llama": EVERY,
    "tiny-glm": EVERY,
}
