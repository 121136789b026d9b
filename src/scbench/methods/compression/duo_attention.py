"""DuoAttention: a few heads keep everything, the others the first and the last tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal, Self

from scbench.errors import Mismatch
from scbench.kernels import Partial
from scbench.kv import CacheShape, LayerCache, LayerView
from scbench.kv.tail import newest, nothing
from scbench.methods.compression import duo_attention_gates
from scbench.methods.contract import (
    STARTS_BYTES,
    Eviction,
    Generation,
    rounded,
    smallest_share,
)
from scbench.methods.generation import plain_masks
from scbench.methods.generation.a_shape import AShape
from scbench.methods.invariants import Invariants, Probed, Trial
from scbench.methods.stage import HEAD_GATES, Stage
from scbench.methods.traits import Traits
from scbench.methods.units import streaming_head
from scbench.tensors import Tensor, torch


@dataclass(frozen=True, slots=True, kw_only=True)
class DuoAttention(Eviction):
    """KV heads with the largest gates are full, the others hold `sink_tokens` first and
    `recent_tokens` last slots; the same for every prompt.

    Source: DuoAttention (arXiv 2410.10819), which trains its gates. `gates` is a file of `scbench
    search-gates`, which trains them for any model; without it they are a proxy that the engine
    computes once per model: how far back the mean query looks at the mean key. `prefill`: with
    `full` the context is read densely and cut once; with `streaming`, as published, a streaming
    head sees while the context is read what it will hold, so row i sees what the cache of tokens
    0..i keeps (exactly, whatever the chunks; the published kernels round the window to blocks). All
    K and V are held until the read is over: ours saves the attention, not the peak. What follows
    the context sees what is held and all that was appended, in either. With a budget of K slots: W
    = K/8 within 8..320, a fifth of it sinks, and as many full heads as the rest pays for.
    """

    full_share: Fraction | None = None  # of all KV heads of all layers
    sink_tokens: int = 64
    recent_tokens: int = 256
    gates: str = ""
    prefill: Literal["full", "streaming"] = "full"

    minimum_tokens: ClassVar[int] = 16
    traits: ClassVar[Traits] = Traits(has_uneven_heads=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.full_share is not None and not 0 <= self.full_share <= 1:
            raise Mismatch(f"{self}: full_share is a share of all KV heads, in [0, 1]")
        if self.sink_tokens < 0 or self.recent_tokens < 1:
            raise Mismatch(f"{self}: sink_tokens is at least 0 and recent_tokens at least 1")
        if self.gates:
            duo_attention_gates.read(self.gates)

    @property
    def reading(self) -> Generation | None:
        return DuoReading(of=self) if self.prefill == "streaming" else None

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset() if self.gates else frozenset({HEAD_GATES})

    @property
    def is_own(self) -> bool:
        """Whether full_share, and no budget, sets the sizes."""
        return self.full_share is not None and self.tau is None and self.budget_tokens is None

    def budget(self, tokens: int) -> int:
        if not self.is_own or self.full_share is None:
            return super().budget(tokens)
        window = min(self.sink_tokens + self.recent_tokens, tokens)
        return rounded(self.full_share * tokens + (1 - self.full_share) * window)

    def sizes(self, *, heads: int, tokens: int) -> tuple[int, int, int]:
        """(full heads, sink, recent) of `heads` KV heads of all layers together."""
        if self.is_own and self.full_share is not None:
            return rounded(self.full_share * heads), self.sink_tokens, self.recent_tokens
        budget = min(self.budget(tokens), tokens)
        sink, recent = streaming_head(budget)
        window = sink + recent
        full = heads if budget >= tokens else heads * (budget - window) // (tokens - window)
        return full, sink, recent

    def units(
        self, *, shape: CacheShape, tokens: int, question_tokens: int | None = None
    ) -> dict[str, int]:
        heads = len(shape.attention_layers) * shape.kv_heads
        full, sink, recent = self.sizes(heads=heads, tokens=tokens)
        return {"full_heads": full, "sink_tokens": sink, "recent_tokens": recent}

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        super().check(shape=shape, tokens=tokens)
        layers = len(shape.attention_layers)
        heads = layers * shape.kv_heads
        self.held_bytes(shape=shape, tokens=tokens, appended=0)  # raises where layers differ
        if self.gates:
            duo_attention_gates.read(self.gates).check(shape, str(self))
        if not self.is_own and heads and self.sizes(heads=heads, tokens=tokens)[0] < 1:
            least = next(
                slots for slots in range(16, tokens + 1) if self._full(slots, heads, tokens) >= 1
            )
            share = smallest_share(least, tokens)
            raise Mismatch(
                f"{self} cannot pay for one full head of {heads} with {tokens:,} tokens, and would "
                f"be streaming-llm; the smallest share is tau={share} (about {float(share):.4f})"
            )

    @staticmethod
    def _full(slots: int, heads: int, tokens: int) -> int:
        return DuoAttention(budget_tokens=slots).sizes(heads=heads, tokens=tokens)[0]

    def rows(self, seen: Sequence[Sequence[float]] | None) -> Sequence[Sequence[float]]:
        """The gates of the file, or those the engine has computed."""
        if self.gates:
            return duo_attention_gates.read(self.gates).rows
        if seen is None:
            raise Mismatch(
                f"{self}: this model's head gates are not known here; give it a file of gates "
                f"({duo_attention_gates.MAKE})"
            )
        return seen

    def full_heads(self, rows: Sequence[Sequence[float]], *, tokens: int) -> set[tuple[int, int]]:
        """(layer, KV head) of those that keep everything: the largest gates, the earlier head where
        two are equal.
        """
        gates = [
            (gate, -layer, -head) for layer, row in enumerate(rows) for head, gate in enumerate(row)
        ]
        full = self.sizes(heads=len(gates), tokens=tokens)[0]
        return {(-layer, -head) for _, layer, head in sorted(gates, reverse=True)[:full]}

    def keep_all(self, views: Iterable[LayerView]) -> list[list[Tensor]]:
        tokens, seen = 0, list[list[float]]()
        counts = list[list[int]]()
        for view in views:
            tokens, gates_H = view.seen_tokens, view.observed.head_gates_H
            counts.append(view.slots.counts)
            seen += [] if gates_H is None else [[float(gate) for gate in gates_H]]
        rows = self.rows(seen or None)
        chosen = self.full_heads(rows, tokens=tokens)
        _, sink, recent = self.sizes(heads=sum(map(len, rows)), tokens=tokens)
        kept = list[list[Tensor]]()
        for layer, row in enumerate(rows):
            everything = [torch.arange(count) for count in counts[layer]]
            kept.append(
                [
                    slots if (layer, head) in chosen else _ends(slots, sink, recent)
                    for head, slots in zip(range(len(row)), everything, strict=True)
                ]
            )
        return kept

    def invariants(self) -> Invariants:
        return {"the heads of the largest gates hold everything, others both ends": self._splits}

    def _splits(self, trial: Trial) -> str | None:
        seen = [view.observed.head_gates_H for view in trial.views]
        gates = {
            (layer, head): float(gate)
            for layer, gates_H in enumerate(seen)
            if gates_H is not None
            for head, gate in enumerate(gates_H)
        }
        if not gates:
            return None  # they are in a file
        full, sink, recent = self.sizes(heads=len(gates), tokens=trial.tokens)
        whole = set(sorted(gates, key=lambda at: (-gates[at], at))[:full])
        ends = [at for at in range(trial.tokens) if at < sink or at >= trial.tokens - recent]
        for layer, head in gates:
            is_full = (layer, head) in whole
            wanted = list(range(trial.tokens)) if is_full else ends
            held = trial.held(layer)[head].tolist()
            if held != wanted:
                apart = sorted(set(held) ^ set(wanted))
                kind = "full" if is_full else "streaming"
                return f"layer {layer}, head {head}, a {kind} one: {apart[:6]} differ"
        return ""

    def again(self, tokens: int) -> Self:
        return self if self.is_own else Eviction.again(self, tokens)

    def cache(self, view: LayerView, kept: list[Tensor]) -> LayerCache:
        return view.cut_ragged(kept)

    def held_bytes(self, *, shape: CacheShape, tokens: int, appended: int) -> int:
        layers = len(shape.attention_layers)
        heads = layers * shape.kv_heads
        full, sink, recent = self.sizes(heads=heads, tokens=tokens)
        slots = full * tokens + (heads - full) * min(sink + recent, tokens)
        tables = layers * STARTS_BYTES * (shape.kv_heads + 1) if slots < heads * tokens else 0
        # Which heads are full is not known here, so that all must be of one size.
        return (slots + heads * appended) * shape.pair_bytes + tables

    def data_digest(self) -> str:
        return duo_attention_gates.digest(self.gates) if self.gates else ""


def _ends(slots: Tensor, sink: int, recent: int) -> Tensor:
    """The first and the last of a head's slots."""
    if sink + recent >= len(slots):
        return slots
    return torch.cat([slots[:sink], slots[len(slots) - recent :]])


@dataclass(frozen=True, slots=True, kw_only=True)
class DuoReading(Generation):
    """How a context is read for `prefill=streaming`: full heads densely, streaming heads by sinks
    and a band. It comes with its compression.
    """

    of: DuoAttention

    name: ClassVar[str] = "duo-attention"
    traits: ClassVar[Traits] = Traits(is_prefix_stable=False)

    def __str__(self) -> str:
        return str(self.of)

    def parts(self) -> tuple[Stage, ...]:
        return (self.of,)

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        return self.of.needs

    @property
    def wants_gates(self) -> bool:
        """Whether a read must compute the model's head gates first."""
        return not self.of.gates

    def gated(self, gates: Sequence[Sequence[float]] | None) -> Split:
        return Split(self.of, self.of.rows(gates))

    def invariants(self) -> Invariants:
        return {"a head reads what it will hold": plain_masks.rows_read(self._plain)}

    def _plain(self, probed: Probed) -> Tensor:
        tokens = probed.k_HSD.shape[1]
        gates = {
            (layer, head): gate
            for layer, row in enumerate(probed.gates)
            for head, gate in enumerate(row)
        }
        full, sink, recent = self.of.sizes(heads=len(gates), tokens=tokens)
        whole = sorted(gates, key=lambda at: (-gates[at], at))[:full]
        dense = plain_masks.band(tokens, tokens, tokens)
        ends = plain_masks.band(tokens, sink, recent)
        heads = range(len(probed.k_HSD))
        masks = [dense if (probed.layer, head) in whole else ends for head in heads]
        return torch.stack(masks).unsqueeze(1)

    def lossless(self, tokens: int) -> DuoReading:
        return DuoReading(of=self.of.lossless(tokens))

    def attend(
        self,
        q_HGTD: Tensor,
        k_HSD: Tensor,
        v_HSD: Tensor,
        *,
        layer: int,
        scale: float,
        total_tokens: int,
    ) -> Partial:
        return self.gated(None).attend(
            q_HGTD, k_HSD, v_HSD, layer=layer, scale=scale, total_tokens=total_tokens
        )

    def computed_share(self, tokens: int) -> float:
        many = 1 << 10  # heads: the share of full ones depends little on how many there are
        full, sink, recent = self.of.sizes(heads=many, tokens=tokens)
        band = (
            1.0
            if sink + recent >= tokens
            else AShape(init_tokens=sink, local_tokens=recent).computed_share(tokens)
        )
        return (full + (many - full) * band) / many


class Split:
    """One read: which heads are full is known."""

    name, is_one_shot = DuoReading.name, False

    def __init__(self, of: DuoAttention, rows: Sequence[Sequence[float]]) -> None:
        self.of, self.rows, self.heads = of, rows, sum(map(len, rows))

    def attend(
        self,
        q_HGTD: Tensor,
        k_HSD: Tensor,
        v_HSD: Tensor,
        *,
        layer: int,
        scale: float,
        total_tokens: int,
    ) -> Partial:
        _, sink, recent = self.of.sizes(heads=self.heads, tokens=total_tokens)
        chosen = self.of.full_heads(self.rows, tokens=total_tokens)
        full = [
            head
            for head in range(len(k_HSD))
            if (layer, head) in chosen or sink + recent >= total_tokens
        ]
        other = [head for head in range(len(k_HSD)) if head not in full]
        if not other:
            return newest(q_HGTD, k_HSD, v_HSD, scale=scale).partial
        band = AShape(init_tokens=sink, local_tokens=recent)
        part = band.attend(
            q_HGTD[other],
            k_HSD[other],
            v_HSD[other],
            layer=layer,
            scale=scale,
            total_tokens=total_tokens,
        )
        if not full:
            return part
        whole = nothing(q_HGTD)
        whole.out[other], whole.lse[other] = part
        dense = newest(q_HGTD[full], k_HSD[full], v_HSD[full], scale=scale).partial
        whole.out[full], whole.lse[full] = dense
        return whole
