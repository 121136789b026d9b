"""Head gates by gradient: which KV heads must see everything for a model to end up where full
attention ends up.

After DuoAttention (arXiv 2410.10819, section 2.2): every KV head's output is g full + (1 - g)
streaming attention, g starts at 1 and is held in [0, 1], the weights are frozen, and g descends on
the distance of the last hidden states at the answers from those of full attention, plus an L1 term.
Ours measures the distance relative to the size of the hidden states and takes the mean gate for the
L1 term, so that one weight does for models of any width and number of heads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from scbench.engines.local import LocalEngine
from scbench.errors import BadConfig, Mismatch, OutOfDevice

L1_WEIGHT = 0.05
RAMP = 5  # the rate rises over the first and falls over the last fifth of the steps


@dataclass(frozen=True, slots=True)
class GateSample:
    """A text and the rows whose hidden states count: those that predict a token of an answer."""

    ids: Sequence[int]
    rows: Sequence[int]


@dataclass(frozen=True, slots=True)
class FoundGates:
    """`gates`: per attention layer one number per KV head. Objective and distance: means over all
    samples, before and after.
    """

    gates: list[list[float]]
    objective: tuple[float, float]
    distance: tuple[float, float]


class GatePass:
    """One differentiable forward over a whole text. `gates_LH` None is full attention."""

    def __init__(
        self, order: dict[int, int], gates_LH: Tensor | None, sinks: int, recent: int
    ) -> None:
        self.order, self.gates_LH, self.sinks, self.recent = order, gates_LH, sinks, recent

    def attend(
        self, layer: int, q_HGND: Tensor, k_HND: Tensor, v_HND: Tensor, scale: float
    ) -> Tensor:
        heads, group, tokens, dim = q_HGND.shape
        q = q_HGND.reshape(1, heads * group, tokens, dim)
        k, v = (
            x.unsqueeze(1).expand(heads, group, tokens, dim).reshape(q.shape)
            for x in (k_HND, v_HND)
        )
        full = functional.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale).view(
            q_HGND.shape
        )
        if self.gates_LH is None:
            return full
        seen = visible(tokens, self.sinks, self.recent, str(q.device))
        near = functional.scaled_dot_product_attention(q, k, v, attn_mask=seen, scale=scale).view(
            q_HGND.shape
        )
        gate = self.gates_LH[self.order[layer]].to(q.dtype).view(heads, 1, 1, 1)
        return gate * full + (1 - gate) * near


@lru_cache(maxsize=2)
def visible(tokens: int, sinks: int, recent: int, device: str) -> Tensor:
    """(T, T) True where row i sees key j in a streaming head: j <= i, and j < sinks or i - j <
    recent.
    """
    at = torch.arange(tokens, device=device)
    back = at.unsqueeze(1) - at
    return (back >= 0) & ((at < sinks) | (back < recent))


def search_gates(
    engine: LocalEngine,
    samples: Sequence[GateSample],
    *,
    sinks: int,
    recent: int,
    steps: int,
    rate: float,
    on_step: Callable[[int, float], None] | None = None,
) -> FoundGates:
    """`steps` steps of Adam, a sample each, in turn. Holds the activations of one text of the
    longest sample: no checkpointing.

    Raises Mismatch (no attention layers; no text longer than a streaming head's window), TooLong,
    BadConfig, OutOfDevice.
    """
    shape = engine.facts.shape
    if not shape.attention_layers:
        raise Mismatch(f"{engine.facts.name} has no attention layers, so its heads have no gates")
    if steps < 1 or not rate > 0 or not samples:
        raise BadConfig(
            f"gates are found in at least 1 step, with a rate above 0, on at least 1 session; not "
            f"{steps}, {rate:g}, {len(samples)}"
        )
    if max(len(sample.ids) for sample in samples) <= sinks + recent:
        raise Mismatch(
            f"no text is longer than {sinks:,} sinks and {recent:,} recent tokens, so streaming "
            f"heads lose nothing; take longer ones"
        )
    engine._check_window(max(len(sample.ids) for sample in samples))
    order = {layer: at for at, layer in enumerate(shape.attention_layers)}
    heads = shape.kv_heads  # raises where layers differ
    gates = torch.ones(len(order), heads, device=engine.device, requires_grad=True)
    frozen = [(weight, weight.requires_grad) for weight in engine.model.parameters()]
    for weight, _ in frozen:
        weight.requires_grad_(False)
    try:
        with torch.no_grad():
            wanted = [
                _hidden(engine, sample, GatePass(order, None, sinks, recent)) for sample in samples
            ]
        run = _Descent(engine, samples, wanted, order, gates, sinks, recent)
        before = run.measure()
        run.descend(steps, rate, on_step)
        after = run.measure()
    except torch.OutOfMemoryError as err:
        raise OutOfDevice(
            f"{engine.facts.name}: no memory left for the gradient over "
            f"{max(len(s.ids) for s in samples):,} tokens"
        ) from err
    finally:
        for weight, was in frozen:
            weight.requires_grad_(was)
    return FoundGates(gates.detach().cpu().tolist(), (before[0], after[0]), (before[1], after[1]))


class _Descent:
    def __init__(
        self,
        engine: LocalEngine,
        samples: Sequence[GateSample],
        wanted: Sequence[Tensor],
        order: dict[int, int],
        gates: Tensor,
        sinks: int,
        recent: int,
    ) -> None:
        self.engine, self.samples, self.wanted, self.gates = engine, samples, wanted, gates
        self.batch = GatePass(order, gates, sinks, recent)

    def losses(self, at: int) -> tuple[Tensor, Tensor]:
        """(objective, distance) of one sample."""
        found, wanted = _hidden(self.engine, self.samples[at], self.batch), self.wanted[at]
        distance = (
            (found - wanted).square().sum(dim=-1) / wanted.square().sum(dim=-1).clamp(min=1e-12)
        ).mean()
        return distance + L1_WEIGHT * self.gates.mean(), distance

    @torch.no_grad()
    def measure(self) -> tuple[float, float]:
        pairs = [tuple(float(x) for x in self.losses(at)) for at in range(len(self.samples))]
        return sum(pair[0] for pair in pairs) / len(pairs), sum(pair[1] for pair in pairs) / len(
            pairs
        )

    def descend(
        self, steps: int, rate: float, on_step: Callable[[int, float], None] | None
    ) -> None:
        adam = torch.optim.Adam([self.gates], lr=rate)
        ramp = max(1, steps // RAMP)
        for step in range(steps):
            adam.param_groups[0]["lr"] = rate * min(1.0, (step + 1) / ramp, (steps - step) / ramp)
            loss = self.losses(step % len(self.samples))[0]
            adam.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            adam.step()
            with torch.no_grad():
                self.gates.clamp_(0.0, 1.0)
            if on_step is not None:
                on_step(step + 1, float(loss.detach()))


def _hidden(engine: LocalEngine, sample: GateSample, batch: GatePass) -> Tensor:
    """The last hidden states (R, hidden) at the sample's rows, in fp32."""
    ids = torch.tensor([list(sample.ids)], device=engine.device)
    words: dict[str, Any] = {"use_cache": False, "scbench_pass": batch}
    positions = torch.arange(ids.shape[1], device=engine.device).unsqueeze(0)
    out = engine.model.base_model(input_ids=ids, position_ids=positions, **words)
    hidden: Tensor = out.last_hidden_state[0, list(sample.rows)].float()
    return hidden
