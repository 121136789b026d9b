"""How fast a machine computes and copies: measured here, or as a card's maker says."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scbench.engines.contract import ModelFacts
from scbench.engines.places import TOY
from scbench.extras import lacking
from scbench.grid.plan import PlanRow, read_flops
from scbench.grid.settings import Settings
from scbench.tensors import torch

GIB = 1 << 30
# name: dense bf16 FLOP/s, bytes/s and memory in GiB, from the makers' data sheets
CARDS: dict[str, tuple[float, float, int]] = {
    "a100": (312e12, 2.0e12, 80),
    "b200": (2250e12, 8.0e12, 180),
    "h100": (989e12, 3.35e12, 80),
    "h200": (989e12, 4.8e12, 141),
    "l4": (121e12, 0.3e12, 24),
    "l40s": (362e12, 0.864e12, 48),
    "rtx-4090": (165e12, 1.0e12, 24),
}
MEASURED_S = 0.5  # long enough that one of its products is not disturbed by other work
COST_STEPS = 9  # first token and decode steps that the cost pass times, per repeat
# Shares of the rate that reading and packed decoding reach: the best and the worst that was seen.
READ_SHARES = (0.75, 0.35)
DECODE_SHARES = (0.35, 0.08)
COPY_SHARES = (0.8, 0.4)
# What no rate tells, low and high, as timed on two cores (docs/decisions/0076):
FIXED_S = (9.0, 22.0)  # of every command: libraries are read, the page and its charts are drawn
MODEL_S = (0.2, 1.0)  # of a model, beside its weights
WEIGHTS_PER_S = (2e8, 5e7)  # parameters that are read and checked in a second
SESSION_S = (0.1, 0.4)  # of a session: it is generated, and its records are written
LAYER_S = (5e-6, 3e-5)  # of a token of one stream in one layer, beside arithmetic
TOY_LOOK_S = (4e-7, 6e-7)  # the toy looks through every token it holds, for each that it adds
TOY_BYTES = 4  # its tokens are bytes, of which a gold answer has more


@dataclass(frozen=True, slots=True)
class Rate:
    """Matrix products and copies of one device."""

    flops_per_s: float
    bytes_per_s: float
    memory_bytes: int | None
    name: str  # "measured now", or a card's


def card(device: str) -> Rate | None:
    """What a card is said to do; None for a name that is no card's."""
    known = CARDS.get(device.casefold().removeprefix("nvidia-"))
    if known is None:
        return None
    flops, copies, memory = known
    return Rate(flops, copies, memory * GIB, f"{device}, by its data sheet")


def measured(device: str = "cpu") -> Rate:
    """This machine's own rates, fp32 on CPU and bf16 on GPU, in about a second."""
    if lacking():
        return _measured_by_numpy()
    memory = None
    if device.startswith("cuda"):
        memory = torch.cuda.get_device_properties(device).total_memory
    return Rate(gemm_flops_per_s(device), _copy_bytes_per_s(device), memory, "measured now")


def _measured_by_numpy() -> Rate:
    """The CPU's rates where there is no torch: another library's product of the same matrices."""
    a, b = np.random.default_rng(0).standard_normal((2, 1024, 1024), dtype=np.float32)
    source: NDArray[np.float32] = np.zeros(1 << 24, dtype=np.float32)
    target = np.empty_like(source)
    flops = 2.0 * len(a) ** 3 / _best_s(lambda: a @ b, "cpu")
    copied = 2.0 * source.nbytes / _best_s(lambda: np.copyto(target, source), "cpu")
    return Rate(flops, copied, None, "measured now with numpy, since torch is not installed")


def gemm_flops_per_s(device: str = "cpu") -> float:
    """This machine's own matrix-product rate."""
    on_gpu = device.startswith("cuda")
    kind, size = (torch.bfloat16, 4096) if on_gpu else (torch.float32, 1024)
    a, b = (torch.randn(size, size, device=device, dtype=kind) for _ in range(2))
    return 2.0 * size**3 / _best_s(lambda: a @ b, device)


def _copy_bytes_per_s(device: str) -> float:
    source = torch.zeros(1 << 24, device=device)
    target = torch.empty_like(source)
    return (
        2.0 * source.numel() * source.element_size() / _best_s(lambda: target.copy_(source), device)
    )


def _best_s(act: object, device: str) -> float:
    assert callable(act)
    best = float("inf")
    end = time.perf_counter() + MEASURED_S
    while time.perf_counter() < end:
        start = time.perf_counter()
        act()
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - start)
    return best


def seconds(
    rows: Sequence[PlanRow], facts: ModelFacts, settings: Settings, rate: Rate
) -> tuple[float, float]:
    """Seconds of one model: its weights, the quality pass and the cost pass, low and high."""
    if not rows:
        return 0.0, 0.0
    low, high = (
        MODEL_S[slow]
        + facts.params / WEIGHTS_PER_S[slow]
        + sum(_row_seconds(row, facts, rate, slow=slow) for row in rows)
        + _cost_seconds(rows, facts, settings, rate, slow=slow)
        for slow in (False, True)
    )
    return low, high


def _row_seconds(row: PlanRow, facts: ModelFacts, rate: Rate, *, slow: bool) -> float:
    reading = row.read_flops / (READ_SHARES[slow] * rate.flops_per_s)
    tokens = row.answer_tokens_high if slow else row.answer_tokens_low
    decoding = _decode_seconds(tokens, row.streams, row.length_tokens, facts, rate, slow=slow)
    overhead = _overhead_seconds(tokens, row, facts, slow=slow)
    return row.sessions * SESSION_S[slow] + reading + decoding + overhead


def _overhead_seconds(tokens: int, row: PlanRow, facts: ModelFacts, *, slow: bool) -> float:
    """What `tokens` of answers, and the gold ones, take beside arithmetic and copies; in small
    models that is most of it."""
    if facts.family == TOY:
        steps = tokens + row.turns + TOY_BYTES * row.gold_tokens
        return steps * row.length_tokens * TOY_LOOK_S[slow]
    return (tokens + row.turns + row.gold_tokens) * len(facts.shape.layers) * LAYER_S[slow]


def _decode_seconds(
    tokens: int, streams: int, length: int, facts: ModelFacts, rate: Rate, *, slow: bool
) -> float:
    """The slower of arithmetic and of reading weights once a step; KV of every stream if `slow`."""
    arithmetic = 2.0 * facts.params * tokens / (DECODE_SHARES[slow] * rate.flops_per_s)
    moved = tokens / streams * facts.params * facts.shape.dtype_bytes
    moved += tokens * facts.shape.dense_bytes(length) * slow
    return max(arithmetic, moved / (COPY_SHARES[slow] * rate.bytes_per_s))


def _cost_seconds(
    rows: Sequence[PlanRow], facts: ModelFacts, settings: Settings, rate: Rate, *, slow: bool
) -> float:
    """Each method alone on the first sessions of each length: read and decode, a warm-up more."""
    if not settings.cost_sessions:
        return 0.0
    repeats = settings.cost_repeats + 1
    first = {row.asked_tokens: row for row in reversed(rows) if row.cells}
    total = 0.0
    for row in first.values():
        together = row.sessions * len(settings.modes) * settings.samples
        played = max(1, row.cells // max(1, together))
        reading = read_flops(facts, row.length_tokens) / (READ_SHARES[slow] * rate.flops_per_s)
        steps = COST_STEPS * played
        decoding = _decode_seconds(steps, 1, row.length_tokens, facts, rate, slow=slow)
        sessions = min(settings.cost_sessions, row.sessions)
        total += sessions * repeats * (row.cost_reads * reading + decoding)
    return total
