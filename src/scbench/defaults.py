"""What a run plays that was told little, and the presets by name (docs/defaults.md says why these).

Told nothing, `scbench run` plays two runs one after the other: SmolLM2, a real language model,
whose agreement with dense tells methods apart, and the lab transformer, whose scores do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from scbench.errors import Unknown
from scbench.methods.cards import CARDS

LAB_PREFIX = "lab-"
LAB_LENGTH_TOKENS = 256
SMOLLM2_NAME = "smollm2-135m"
# One of each category and the strongest, at one budget: a quarter.
QUICK_METHODS = (
    "dense",
    "exact-topk[tau=1/4]",
    "minference[tau=1/4]",
    "llmlingua-2[tau=1/4]",
    "streaming-llm[tau=1/4]",
    "snapkv[tau=1/4]",
    "kvzip[tau=1/4]",
    "kivi[bits=2]",
    "cacheblend",
    "quest[tau=1/4]",
)
# One of every implemented method, at budgets that bind in contexts of some hundred tokens.
EVERY_METHOD = (
    *(card.spelled(card.in_all) for card in CARDS.values() if card.in_all is not None),
    "snapkv[tau=1/4]+kivi[bits=4]",
)
# The paper's own (SCBench, arXiv 2412.10319, Table 1) at its share, and the exact ceiling.
PAPER_METHODS = (
    "dense",
    "a-shape",
    "tri-shape",
    "minference",
    "streaming-llm",
    "pyramidkv",
    "snapkv",
    "kivi[bits=2]",
    "cacheblend",
    "quest",
    "retrieval-attention",
    "llmlingua-2",
    "exact-topk",
)
ALL = "all"  # of methods or tasks
Grid = Mapping[str, Any]
LAB: Grid = MappingProxyType(
    {
        "models": ("lab-transformer",),
        "methods": QUICK_METHODS,
        "tasks": ("kv", "vt", "repoqa", "qa_eng", "summary"),
        "lengths_tokens": (LAB_LENGTH_TOKENS,),
        "sessions": 12,
        "turns": 3,
        "cost_repeats": 2,
    }
)
SMOLLM2: Grid = MappingProxyType(
    {
        "models": (SMOLLM2_NAME,),
        "methods": QUICK_METHODS,
        "tasks": ("kv", "vt"),
        "modes": ("multi-request",),
        "lengths_tokens": (512,),
        "sessions": 4,
        "turns": 2,
        "max_new_tokens": 1,  # its answers are wrong whatever is done: agreement is what is asked
        "cost_repeats": 1,
    }
)
REAL_NAME = "qwen2.5-coder-0.5b"
REAL: Grid = MappingProxyType(
    {
        "models": (REAL_NAME,),
        "methods": ("dense", "oracle[tau=1/4]", *QUICK_METHODS[1:]),
        "tasks": ("kv",),
        "modes": ("multi-turn",),
        "lengths_tokens": (1024,),
        "sessions": 4,
        "turns": 4,
        "cost_repeats": 1,
    }
)
EMBEDDED: tuple[Grid, ...] = (SMOLLM2, LAB)  # what decides in scores comes last, where people look
EVERYTHING: Grid = MappingProxyType(
    {"methods": EVERY_METHOD, "tasks": ALL, "sessions": 2, "turns": 3}
)
PRESETS: Mapping[str, Grid] = MappingProxyType(
    {
        "quick": MappingProxyType({}),  # what each model plays by default
        "paper": MappingProxyType({"methods": PAPER_METHODS, "tasks": ALL}),
        "all": EVERYTHING,
    }
)
# Whoever says one of these has a run of their own: small numbers no longer apply.
OWN = ("tasks", "lengths_tokens", "data")
KEPT = ("tasks", "methods", "models")  # what a run of one's own still takes from a default


def defaults(
    given: Mapping[str, Any], all_tasks: Sequence[str], *, preset: str = "quick"
) -> dict[str, Any]:
    """The settings for what `given` (settings already read) leaves open.

    A setting that is not here has `Settings`' own default. Raises Unknown for a preset that does
    not exist.
    """
    if preset not in PRESETS:
        raise Unknown(f"there is no preset {preset!r}; there are {', '.join(PRESETS)}")
    base = dict(_of_models(tuple(given.get("models", LAB["models"]))))
    is_own = any(name in given for name in OWN)
    is_lab = all(str(name).startswith(LAB_PREFIX) for name in base["models"])
    kept = (*KEPT, *(("lengths_tokens",) if is_lab else ()))
    grid = {name: value for name, value in base.items() if name in kept or not is_own}
    grid |= PRESETS[preset]
    if grid.get("tasks") == ALL or "tasks" not in grid:
        grid["tasks"] = tuple(all_tasks)
    return grid


def _of_models(models: tuple[str, ...]) -> Grid:
    if all(str(model).startswith(LAB_PREFIX) for model in models):
        return {**LAB, "models": models}
    for grid in (SMOLLM2, REAL):
        if models == grid["models"]:
            return grid
    return {"models": models, "methods": QUICK_METHODS, "tasks": ALL}
