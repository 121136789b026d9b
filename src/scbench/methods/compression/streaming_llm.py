"""StreamingLLM as a cache: keep the first and the last tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from scbench.errors import Mismatch
from scbench.kv import CacheShape, LayerView
from scbench.methods.compression.rolling_eviction import Rolling, RollingTail
from scbench.methods.compression.rolling_positions import moved
from scbench.methods.invariants import Invariants, Trial
from scbench.methods.units import sinks
from scbench.tensors import Tensor, torch


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamingLLM(Rolling):
    """Keep `sink_tokens` first and `recent_tokens` last slots of every layer.

    Source: StreamingLLM (arXiv 2309.17453) in the one-shot form SCBench measures: what is appended
    later stays, nothing slides. Its own form is preset `streaming-llm`: with `rolling=yes` every
    new token evicts the oldest that is no sink, and with `position_mode=cache` the sinks stand
    right before the window, however far that has slid. Unlike the published code ours does not also
    read the context through the window (compose with a-shape for that). With a budget of K slots:
    sink = max(4, K/32), recent = K - sink.
    """

    sink_tokens: int | None = None
    recent_tokens: int | None = None

    minimum_tokens: ClassVar[int] = 8
    turning_slot_bytes: ClassVar[int] = 0  # the sinks move together, and nothing else does

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.sink_tokens is None) != (self.recent_tokens is None):
            raise Mismatch(
                f"{self}: give sink_tokens and recent_tokens together, or a budget (tau, "
                f"budget_tokens)"
            )
        own = self.own_tokens()
        if own is not None and (min(self.sink_tokens or 0, self.recent_tokens or 0) < 0 or own < 1):
            raise Mismatch(
                f"{self}: sink_tokens and recent_tokens are counts, and at least one slot must stay"
            )

    def own_tokens(self) -> int | None:
        return (
            None
            if self.sink_tokens is None or self.recent_tokens is None
            else self.sink_tokens + self.recent_tokens
        )

    def sizes(self, tokens: int) -> tuple[int, int]:
        """(sink, recent) out of `tokens`."""
        if (
            self.tau is None
            and self.budget_tokens is None
            and self.sink_tokens is not None
            and self.recent_tokens is not None
        ):
            return self.sink_tokens, self.recent_tokens
        budget = self.budget(tokens)
        sink = sinks(budget)
        return sink, budget - sink

    def units(
        self, *, shape: CacheShape, tokens: int, question_tokens: int | None = None
    ) -> dict[str, int]:
        sink, recent = self.sizes(tokens)
        return {"sink_tokens": sink, "recent_tokens": recent}

    def keep(self, view: LayerView) -> list[Tensor]:
        sink, recent = self.sizes(view.tokens)
        if sink + recent >= view.tokens:
            kept = torch.arange(view.tokens)
        else:
            kept = torch.cat([torch.arange(sink), torch.arange(view.tokens - recent, view.tokens)])
        return [kept] * view.k_HSD.shape[0]

    def invariants(self) -> Invariants:
        found = Rolling.invariants(self)
        found["the first and the newest tokens are held, and no others"] = self._holds_ends
        return found

    def _holds_ends(self, trial: Trial) -> str:
        sink, recent = self.sizes(trial.tokens)
        after = [(trial.tokens, [trial.held(at) for at in range(len(trial.views))])]
        seen = trial.tokens
        for fed in trial.fed if self.rolling else ():
            seen += fed.layers[0].k_HTD.shape[1]
            after.append((seen, fed.held))
        for tokens, layers in after:
            wanted = [at for at in range(tokens) if at < sink or at >= tokens - recent]
            for layer, heads in enumerate(layers):
                for head, held in enumerate(heads):
                    if held.tolist() != wanted:
                        apart = sorted(set(held.tolist()) ^ set(wanted))
                        return f"after {tokens} tokens, layer {layer}, head {head}: {apart[:6]}"
        return ""

    def tail(self, view: LayerView, kept: list[Tensor]) -> RollingTail:
        return SlidingTail(view, kept, *self.sizes(view.tokens))


class SlidingTail(RollingTail):
    """The first `sink` slots ever, and the last `recent`: the only gap is between them."""

    reads_positions: ClassVar[bool] = False

    def __init__(self, view: LayerView, kept: list[Tensor], sink: int, recent: int) -> None:
        super().__init__(view, kept, sink + recent)
        self.sink, self.recent = sink, recent

    def placed(self) -> Tensor:
        shift = self._seen_tokens - self.slots
        if self.rotate is None or shift == 0 or self.sink == 0:
            return self.k_HSD
        shifts = torch.full((self.k_HSD.shape[0], self.sink), shift, device=self.k_HSD.device)
        return torch.cat(
            [moved(self.k_HSD[:, : self.sink], shifts, self.rotate), self.k_HSD[:, self.sink :]],
            dim=1,
        )

    def best(self) -> Tensor:
        device = self.k_HSD.device
        first, last = (
            torch.arange(self.sink, device=device),
            torch.arange(self.slots - self.recent, self.slots, device=device),
        )
        return torch.cat([first, last]).expand(self.k_HSD.shape[0], -1)
