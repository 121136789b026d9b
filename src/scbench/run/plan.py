"""What a run will cost before anything runs: cells, tokens, floating-point operations, seconds, memory. Closed forms; nothing is generated."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from scbench.engines.contract import ModelFacts
from scbench.errors import ScbenchError
from scbench.methods.method import Method
from scbench.run.settings import Settings
from scbench.tasks import task
from scbench.tasks.contract import Task
from scbench.tasks.tiny.form import MOST_ANSWER_TOKENS
from scbench.types import Form, Mode

ANSWERED_SHARE = 0.5  # of the token limit an answer is expected to use
QUERY_TOKENS = 60  # of a turn's question and template, about
DECODE_EFFICIENCY = 0.25  # of the GEMM rate that packed decoding reaches, about
READ_EFFICIENCY = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """One task at one length."""

    task: str
    length_tokens: int
    sessions: int
    cells: int
    turns: int
    read_tokens: int  # once per distinct read, over all sessions
    naive_read_tokens: int  # if every cell read its own context
    decode_tokens: int  # at most
    flops: float
    held_bytes: int  # snapshots and stores of one session, all methods together
    refused: tuple[str, ...]  # methods that this length refuses, with the reason


def plan(
    settings: Settings, methods: Sequence[Method], facts: ModelFacts, form: Form = Form.FULL
) -> list[PlanRow]:
    """A row per task and length. Lengths of published data are not known before they are read and count as the first length given."""
    kinds = [task(name, form) for name in settings.tasks]
    return [
        _row(settings, methods, facts, kind, form, length)
        for length in settings.lengths_tokens
        for kind in kinds
    ]


def _row(
    settings: Settings,
    methods: Sequence[Method],
    facts: ModelFacts,
    kind: Task,
    form: Form,
    length: int,
) -> PlanRow:
    turns = settings.turns or kind.turns
    refused, fit = [], list[Method]()
    for method in methods:
        try:
            method.check(shape=facts.shape, tokens=length)
            fit.append(method)
        except ScbenchError as error:
            refused.append(f"{method}: {error}")
    reads = len({method.generation for method in fit})
    cells = len(fit) * len(settings.modes) * settings.sessions
    most = (
        [MOST_ANSWER_TOKENS] * turns
        if form is Form.TINY
        else turn_limits(kind.name, kind.subtasks, turns)
    )
    limits = [min(limit, settings.max_new_tokens or limit) for limit in most]
    decode_tokens = len(fit) * len(settings.modes) * settings.sessions * sum(limits)
    extends = len(fit) * len(settings.modes) * settings.sessions * turns * QUERY_TOKENS
    flops = settings.sessions * reads * read_flops(facts, length) + 2.0 * facts.params * (
        decode_tokens * ANSWERED_SHARE + extends
    )
    held = sum(
        method.held_bytes(shape=facts.shape, tokens=length) for method in fit if method.compression
    )
    tails = (
        len(fit)
        * facts.shape.token_bytes
        * (QUERY_TOKENS + max(limits))
        * (1 + turns * (Mode.MULTI_REQUEST in settings.modes))
    )
    return PlanRow(
        task=kind.name,
        length_tokens=length,
        sessions=settings.sessions,
        cells=cells,
        turns=cells * turns,
        read_tokens=settings.sessions * reads * length,
        naive_read_tokens=cells * length,
        decode_tokens=decode_tokens,
        flops=flops,
        held_bytes=facts.shape.dense_bytes(length) + held + tails,
        refused=tuple(refused),
    )


def turn_limits(name: str, subtasks: Sequence[str], turns: int) -> list[int]:
    """Most new tokens of each turn, by sub-task (spec section 2.6.5)."""
    limit = {
        "kv": 150,
        "prefix_suffix": 150,
        "vt": 30,
        "repoqa": 1024,
        "mf": 16,
        "many_shot": 10,
        "summary": 800,
        "passkey": 16,
    }
    return [limit.get(subtasks[turn % len(subtasks)], 40) for turn in range(turns)]


def read_flops(facts: ModelFacts, tokens: int) -> float:
    """2 params T for the linear layers, and QK^T and PV over the causal half: 2 T^2 per layer and channel."""
    width = facts.shape.query_heads * facts.shape.head_dim * len(facts.shape.attention_layers)
    return 2.0 * facts.params * tokens + 2.0 * width * tokens * tokens


def gemm_flops_per_s(device: str = "cpu") -> float:
    """This machine's own matrix-product rate, fp32 on CPU and bf16 on GPU, measured in about 0.3 s."""
    kind, size = (torch.bfloat16, 4096) if device.startswith("cuda") else (torch.float32, 1024)
    a, b = (torch.randn(size, size, device=device, dtype=kind) for _ in range(2))
    best, end = 0.0, time.perf_counter() + 0.3
    while time.perf_counter() < end:
        start = time.perf_counter()
        c = a @ b
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)
        best = max(best, 2.0 * size**3 / (time.perf_counter() - start))
    del c
    return best


def expected_seconds(
    rows: Sequence[PlanRow], facts: ModelFacts, settings: Settings, flops_per_s: float
) -> float:
    """Seconds of the quality pass, from the measured GEMM rate; an estimate, good to a factor of about two."""
    total = 0.0
    for row in rows:
        read = row.read_tokens / max(1, row.length_tokens) * read_flops(facts, row.length_tokens)
        total += read / (READ_EFFICIENCY * flops_per_s) + (row.flops - read) / (
            DECODE_EFFICIENCY * flops_per_s
        )
    return total
