"""DuoAttention: a few heads keep everything, the others the first and the last tokens."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from scbench.errors import BadConfig, Mismatch
from scbench.kv import CacheShape, LayerCache, LayerView
from scbench.methods.contract import Eviction, rounded, smallest_share
from scbench.methods.stage import HEAD_GATES

STARTS_BYTES = 8  # of one entry of the table that says where a head begins


@dataclass(frozen=True, slots=True, kw_only=True)
class DuoAttention(Eviction):
    """KV heads with the largest gates are full, the others hold `sink_tokens` first and `recent_tokens` last slots; the same for every prompt.

    Source: DuoAttention (arXiv 2410.10819), which trains its gates. `gates` is a JSON file with a list per attention layer of one number per KV
    head; without it the gates are a proxy that the engine computes once per model: how far back the mean query looks at the mean key. Ours acts
    after a dense read (the original reads streaming heads through their window, too). With a budget of K slots: W = K/4 within 8..320, a fifth of
    it sinks, and as many full heads as the rest pays for.
    """

    full_share: Fraction | None = None  # of all KV heads of all layers
    sink_tokens: int = 64
    recent_tokens: int = 256
    gates: str = ""

    name: ClassVar[str] = "duo-attention"
    category: ClassVar[str] = "KV dropping"
    paper: ClassVar[str] = "DuoAttention, arXiv 2410.10819"
    bytes_formula: ClassVar[str] = "2 D e (T per full head + W per other) + 8 (H + 1)"
    difference: ClassVar[str] = "without a file of trained gates a proxy from the model alone; acts after a dense read"
    needs_also: ClassVar[str] = "a file of gates, or the engine's proxy (head gates)"
    presets: ClassVar[dict[str, dict[str, object]]] = {
        "paper": {"full_share": "1/2", "sink_tokens": 64, "recent_tokens": 256},
        "mha": {"full_share": "1/4", "sink_tokens": 64, "recent_tokens": 256},
        "code": {"full_share": "1/2", "sink_tokens": 128, "recent_tokens": 256},
    }
    minimum_tokens: ClassVar[int] = 16
    ragged: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super(DuoAttention, self).__post_init__()
        if self.full_share is not None and not 0 <= self.full_share <= 1:
            raise Mismatch(f"{self}: full_share is a share of all KV heads, in [0, 1]")
        if self.sink_tokens < 0 or self.recent_tokens < 1:
            raise Mismatch(f"{self}: sink_tokens is at least 0 and recent_tokens at least 1")
        if self.gates:
            self._file_gates()

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset() if self.gates else frozenset({HEAD_GATES})

    @property
    def is_own(self) -> bool:
        """Whether full_share, and no budget, sets the sizes."""
        return self.full_share is not None and self.tau is None and self.budget_tokens is None

    def budget(self, tokens: int) -> int:
        if not self.is_own or self.full_share is None:
            return super(DuoAttention, self).budget(tokens)
        window = min(self.sink_tokens + self.recent_tokens, tokens)
        return rounded(self.full_share * tokens + (1 - self.full_share) * window)

    def sizes(self, *, heads: int, tokens: int) -> tuple[int, int, int]:
        """(full heads, sink, recent) of `heads` KV heads of all layers together."""
        if self.is_own and self.full_share is not None:
            return rounded(self.full_share * heads), self.sink_tokens, self.recent_tokens
        budget = min(self.budget(tokens), tokens)
        window = min(320, max(8, rounded(Fraction(budget, 4))))
        sink = max(4, rounded(Fraction(window, 5)))
        full = heads if budget >= tokens else heads * (budget - window) // (tokens - window)
        return full, sink, window - sink

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        super(DuoAttention, self).check(shape=shape, tokens=tokens)
        layers = len(shape.attention_layers)
        heads = layers * shape.kv_heads
        if self.gates and [len(row) for row in self._file_gates()] != [shape.kv_heads] * layers:
            raise Mismatch(f"{self}: the file must have {layers} lists of {shape.kv_heads} gates for this model")
        if not self.is_own and heads and self.sizes(heads=heads, tokens=tokens)[0] < 1:
            least = next(slots for slots in range(16, tokens + 1) if self._full(slots, heads, tokens) >= 1)
            share = smallest_share(least, tokens)
            raise Mismatch(
                f"{self} cannot pay for one full head of {heads} with {tokens:,} tokens, and would be streaming-llm; the smallest share is tau={share} "
                f"(about {float(share):.4f})"
            )

    @staticmethod
    def _full(slots: int, heads: int, tokens: int) -> int:
        return DuoAttention(budget_tokens=slots).sizes(heads=heads, tokens=tokens)[0]

    def keep_all(self, views: Iterable[LayerView]) -> list[list[Tensor]]:
        tokens, rows = 0, list[list[float]]()
        from_file = self._file_gates() if self.gates else None
        for view in views:
            tokens, seen = view.tokens, view.observed.head_gates_H
            assert from_file is not None or seen is not None, "gates are needed and the read did not compute them"
            rows.append(from_file[view.index] if from_file is not None or seen is None else [float(gate) for gate in seen])  # type: ignore[index]
        gates = [(gate, -layer, -head) for layer, row in enumerate(rows) for head, gate in enumerate(row)]
        full, sink, recent = self.sizes(heads=len(gates), tokens=tokens)
        chosen = {(-layer, -head) for _, layer, head in sorted(gates, reverse=True)[:full]}
        everything = torch.arange(tokens)
        ends = everything if sink + recent >= tokens else torch.cat([everything[:sink], everything[tokens - recent :]])
        return [[everything if (layer, head) in chosen else ends for head in range(len(row))] for layer, row in enumerate(rows)]

    def cache(self, view: LayerView, kept: list[Tensor]) -> LayerCache:
        return view.cut_ragged(kept)

    def held_bytes(self, *, shape: CacheShape, tokens: int, appended: int) -> int:
        layers = len(shape.attention_layers)
        heads = layers * shape.kv_heads
        full, sink, recent = self.sizes(heads=heads, tokens=tokens)
        slots = full * tokens + (heads - full) * min(sink + recent, tokens)
        tables = layers * STARTS_BYTES * (shape.kv_heads + 1) if slots < heads * tokens else 0
        return (slots + heads * appended) * 2 * shape.head_dim * shape.dtype_bytes + tables

    def data_digest(self) -> str:
        return hashlib.sha256(json.dumps(self._file_gates()).encode()).hexdigest() if self.gates else ""

    def _file_gates(self) -> list[list[float]]:
        try:
            found = json.loads(Path(self.gates).expanduser().read_text(encoding="utf-8"))
            return [[float(gate) for gate in row] for row in found]
        except (OSError, ValueError, TypeError) as err:
            raise BadConfig(
                f"duo-attention[gates={self.gates}]: {err}; a gates file is JSON, one list per attention layer with one number per KV head"
            ) from err
