"""Numbers that others published, and the setting in which they may stand beside ours.

Source: SCBench (arXiv 2412.10319), Table 4, Llama-3.1-8B-Instruct. Only numbers that were read
there are kept; what is not known stays empty.
"""

from __future__ import annotations

from scbench.stats import OVERALL, Average

SOURCE = "SCBench, Table 4"
MODELS = frozenset({"llama-3.1-8b", "meta-llama/llama-3.1-8b-instruct"})
PROTOCOL = "official prompts, gold history, truncate middle"
MT, MR = "multi-turn", "multi-request"
STRING, GLOBAL = "Retr.String", "Global"
# Rows of the published data in the smallest task of each column: fewer are another setting.
LEAST_SESSIONS = {STRING: 90, "Retr.Semantic": 35, GLOBAL: 54, "Multi-task": 70, OVERALL: 35}
SAME = {  # a method as published -> how it may be spelled here
    "dense": ("dense",),
    "kivi": ("kivi", "kivi[bits=2]"),
    "snapkv": ("snapkv", "snapkv[tau=1/32]"),
    "pyramidkv": ("pyramidkv", "pyramidkv[tau=1/32]"),
    "streaming-llm": ("streaming-llm", "streaming-llm[tau=1/32]"),
}
NUMBERS: dict[tuple[str, str, str], float] = {  # mode, method, column -> points
    (MT, "dense", STRING): 57.1,
    (MT, "dense", GLOBAL): 35.1,
    (MT, "dense", OVERALL): 48.7,
    (MR, "dense", STRING): 29.5,
    (MR, "dense", OVERALL): 37.2,
    (MT, "kivi", STRING): 12.0,
    (MT, "kivi", GLOBAL): 31.0,
    (MT, "kivi", OVERALL): 32.0,
    (MR, "kivi", STRING): 7.6,
    (MT, "snapkv", OVERALL): 20.9,
    (MR, "snapkv", OVERALL): 15.2,
    (MT, "pyramidkv", OVERALL): 21.0,
    (MR, "pyramidkv", OVERALL): 15.3,
    (MT, "streaming-llm", STRING): 0.4,
    (MT, "streaming-llm", OVERALL): 15.5,
    (MR, "streaming-llm", OVERALL): 14.5,
}


def published(average: Average) -> float | None:
    """The published number (0..1) that this average repeats; None where the setting is another.

    The same: model, published data whole, its prompts, history and truncation, mode, method and
    budget, all tasks of the column, no gap. It compares with the average's `official`.
    """
    setting = average.setting
    is_same = (
        setting.model.lower() in MODELS
        and setting.length_tokens == 0  # published rows: their lengths are their own
        and setting.form == "full"
        and setting.protocol == PROTOCOL
        and average.is_complete
        and not average.has_gaps
        and average.sessions >= LEAST_SESSIONS.get(average.name, 0)
    )
    name = next((known for known, spelled in SAME.items() if average.method in spelled), "")
    number = NUMBERS.get((average.mode, name, average.name)) if is_same else None
    return None if number is None else number / 100.0
