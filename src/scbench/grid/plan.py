"""What a run will cost before anything runs: one object behind command, progress line and API.

Closed forms over workloads (`grid/workload.py`) and the facts of a model; no torch is imported
here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scbench.errors import ScbenchError
from scbench.grid.settings import Settings
from scbench.grid.workload import ASK_TOKENS, GOLD_TOKENS, Workload, workloads
from scbench.types import Form

if TYPE_CHECKING:
    from scbench.engines.contract import ModelFacts
    from scbench.methods.method import Method
    from scbench.prompts import Tokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """One task at one length on one model."""

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
    model: str = ""
    asked_tokens: int = 0  # the length of the settings; 0 for published rows
    read_flops: float = 0.0
    answer_tokens_low: int = 0  # over all turns
    answer_tokens_high: int = 0
    streams: int = 1  # that decode together
    gold_tokens: int = 0  # of gold answers that are fed beside the answers, over all turns
    cost_reads: int = 1  # of one session in the cost pass: what observes otherwise reads apart
    units: Mapping[str, Mapping[str, int]] = field(
        default_factory=dict
    )  # method -> the sizes it has at this length, compressed after the bare context


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Something that a run would not do. Not `is_certain`: it depends on the sessions' lengths.

    >>> Refusal(kind="length", what="kv at 8,192 tokens", why="the model holds 4,096").is_certain
    True
    """

    kind: str  # model, tokenizer, data, template, mode, answers, method, length, memory, disk
    what: str  # which of its kind
    why: str
    model: str = ""
    is_certain: bool = True
    stops_run: bool = False  # the run refuses to begin


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedModel:
    """What a plan rests on. Rates are None where no row could be counted."""

    name: str
    params: int
    dtype: str
    device: str
    window_tokens: int
    trained_tokens: int | None
    token_bytes: int  # KV of one token
    state_bytes: int  # of recurrent layers
    flops_per_s: float | None
    rate: str  # measured, or whose card
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A run before it runs. Seconds include the cost pass and `fixed_s`, low and high: what every
    command takes to begin and to draw its page. A price is per hour times hours."""

    rows: tuple[PlanRow, ...]
    refusals: tuple[Refusal, ...]
    seconds_low: float
    seconds_high: float
    peak_bytes: int  # weights, KV and activations of the largest row
    disk_bytes: int
    price: tuple[float, float] | None
    models: tuple[PlannedModel, ...] = ()
    fixed_s: tuple[float, float] = (0.0, 0.0)


def plan(
    settings: Settings,
    methods: Sequence[Method],
    facts: ModelFacts,
    form: Form = Form.FULL,
    tokenizer: Tokenizer | None = None,
) -> list[PlanRow]:
    """A row per task and length. Raises what reading published rows raises."""
    loads = workloads(settings, form, tokenizer)
    return [row_of(settings, methods, facts, load) for load in loads]


def row_of(
    settings: Settings, methods: Sequence[Method], facts: ModelFacts, load: Workload
) -> PlanRow:
    """The row of one workload."""
    length, turns = load.length_tokens, load.turns
    refused = list[str]()
    fit: list[Method] = []
    for method in methods:
        try:
            method.check(shape=facts.shape, tokens=length)
            fit.append(method)
        except ScbenchError as error:
            refused.append(f"{method}: {error}")
    reads = len({method.generation for method in fit})
    cells = len(fit) * len(settings.modes) * load.sessions * settings.samples
    low, high = (cells * sum(pair[at] for pair in load.expected) for at in (0, 1))
    gold_tokens = _gold_tokens(load) * cells // settings.samples if settings.agreement else 0
    extends = cells * turns * ASK_TOKENS + gold_tokens
    reading = load.sessions * reads * read_flops(facts, length)
    ways = {(method.generation, method.needs, method.retrieval.traits.is_blended) for method in fit}
    sparing = [method for method in fit if method.compression]
    held = sum(method.held_bytes(shape=facts.shape, tokens=length) for method in sparing)
    held *= settings.samples  # each makes its own after its first query
    alone = any(not mode.has_history for mode in settings.modes)
    tail_tokens = (ASK_TOKENS + max(load.limits)) * (1 + turns * alone)
    tails = len(fit) * settings.samples * facts.shape.token_bytes * tail_tokens
    together = sum(1 if mode.has_history else turns for mode in settings.modes)
    together *= len(fit) * settings.samples
    return PlanRow(
        task=load.task,
        length_tokens=length,
        sessions=load.sessions,
        cells=cells,
        turns=cells * turns,
        read_tokens=load.sessions * reads * length,
        naive_read_tokens=cells * length,
        decode_tokens=cells * sum(load.limits),
        flops=reading + 2.0 * facts.params * ((low + high) / 2 + extends),
        held_bytes=facts.shape.dense_bytes(length) + held + tails,
        refused=tuple(refused),
        model=facts.name,
        asked_tokens=load.asked_tokens,
        read_flops=reading + 2.0 * facts.params * extends,
        answer_tokens_low=low,
        answer_tokens_high=high,
        streams=max(1, min(settings.lanes, together)),
        gold_tokens=gold_tokens,
        cost_reads=max(1, len(ways)),
        units={str(method): method.units(shape=facts.shape, tokens=length) for method in fit},
    )


def _gold_tokens(load: Workload) -> int:
    """Of the gold answers of one conversation: about as long as a good answer."""
    return sum(min(GOLD_TOKENS, low) for low, _ in load.expected)


def read_flops(facts: ModelFacts, tokens: int) -> float:
    """2 params T for the linear layers, and QK^T and PV over the causal half.

    That is 2 T^2 per layer and channel.
    """
    pairs = 0.0
    for layer in facts.shape.layers:
        # A row of a window sees at most its span; rows before it is full see fewer.
        seen = min(tokens, layer.span_tokens or tokens)
        width = layer.query_heads * (layer.key_dim + layer.value_dim) / 2
        pairs += 2.0 * width * seen * (2 * tokens - seen)
    return 2.0 * facts.params * tokens + pairs
