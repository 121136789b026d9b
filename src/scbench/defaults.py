"""What a run does that was told nothing, or only which model to take: every task and method at a size that two cores play in minutes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

LAB_PREFIX = "lab-"
LAB_LENGTH_TOKENS = 256
EVERY_METHOD = (  # one of every implemented method, at budgets that bind in contexts of some hundred tokens
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
LAB: Mapping[str, Any] = {
    "models": ("lab-transformer", "lab-mamba2", "lab-hybrid"),
    "methods": EVERY_METHOD,
    "lengths_tokens": (LAB_LENGTH_TOKENS,),
    "sessions": 2,
    "turns": 3,
    "cost_repeats": 1,
}
SMOLLM2: Mapping[
    str, Any
] = {  # a task of each ability that a general model of 135M parameters can do at all
    "models": ("smollm2-135m",),
    "tasks": ("vt", "choice_eng", "mf", "summary_with_needles"),
    "max_new_tokens": 40,
    "methods": (
        "dense",
        "a-shape[tau=1/4]",
        "streaming-llm[tau=1/4]",
        "snapkv[tau=1/4]",
        "kivi[bits=2]",
        "prefix",
        "quest[tau=1/4]",
    ),
    "lengths_tokens": (256,),
    "sessions": 2,
    "turns": 2,
}
EMBEDDED = LAB  # what plays when no model is named
OWN = (
    "tasks",
    "lengths_tokens",
    "data",
)  # whoever says one of these has a run of their own: small numbers no longer apply


def defaults(given: Mapping[str, Any], all_tasks: Sequence[str]) -> dict[str, Any]:
    """The settings for what `given` (settings already read) leaves open. A setting that is not here has `Settings`' own default."""
    models = tuple(given.get("models", EMBEDDED["models"]))
    everything: dict[str, Any] = {"tasks": tuple(all_tasks)}
    kept: tuple[str, ...] = ("tasks", "methods")
    if all(str(model).startswith(LAB_PREFIX) for model in models):
        grid, kept = {**everything, **LAB}, ("tasks", "methods", "lengths_tokens")
    elif models == SMOLLM2["models"]:
        grid = dict(SMOLLM2)
    else:
        grid = {**everything, "methods": SMOLLM2["methods"]}
    is_own = any(name in given for name in OWN)
    return {
        "models": models,
        **{name: value for name, value in grid.items() if name in kept or not is_own},
    }
