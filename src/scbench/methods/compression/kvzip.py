"""KVzip: the KV pairs the model uses most when it repeats its own context stay, whatever will be
asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from scbench.errors import Mismatch
from scbench.kv import CacheShape, LayerCache, LayerShape, LayerView
from scbench.methods.compression import plain_ranks
from scbench.methods.compression.plain_ranks import ranks_are
from scbench.methods.contract import REPEAT_SCORES, STARTS_BYTES, Eviction
from scbench.methods.invariants import Invariants, Trial
from scbench.methods.traits import Traits
from scbench.tensors import Tensor, functional, torch

SINK_TOKENS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class KVzip(Eviction):
    """One budget for all layers and heads (`layerwise=yes`: one per layer), spent on the pairs with
    the largest repeat score.

    Source: KVzip (arXiv 2505.23416). After the read the engine has the model say every chunk of the
    context again, on top of the full cache; a pair's score is the most attention it got, over the
    group's heads and the rows of the repeat, in a softmax over the first four tokens, its chunk and
    the repeat itself. The first four score highest. Ours asks in plain text, without the chat
    template's turn; it knows no system prefix apart from the context; scores are fp32 and exactly
    floor(tau * L * H * T) pairs stay, where the released code drops ties. Compressed after a first
    query, the query's own pairs score 1. Heads that drop pairs free them.
    """

    layerwise: bool = False

    needs: ClassVar[frozenset[str]] = frozenset({REPEAT_SCORES})
    minimum_tokens: ClassVar[int] = 12
    traits: ClassVar[Traits] = Traits(has_uneven_heads=True, extra_passes=1)

    def pairs(self, *, heads: int, tokens: int) -> int:
        """KV pairs that stay of `heads` heads of `tokens` tokens."""
        if self.tau is not None:
            return int(self.tau * heads * tokens)
        return heads * min(self.budget(tokens), tokens)

    def keep_all(self, views: Iterable[LayerView]) -> list[list[Tensor]]:
        """One ranking of all pairs there are. Where heads hold different numbers of slots, a pair
        that is not there scores -inf."""
        by_layer, seen_tokens = list[Tensor](), 0
        for view in views:
            by_layer.append(self._scores(view))
            seen_tokens = view.seen_tokens
        most = max(scores_HS.shape[1] for scores_HS in by_layer)
        scores = torch.stack(
            [
                functional.pad(scores_HS, (0, most - scores_HS.shape[1]), value=float("-inf"))
                for scores_HS in by_layer
            ]
        )
        layers, heads, _ = scores.shape
        groups = scores.view(layers, -1) if self.layerwise else scores.view(1, -1)
        pairs = self.pairs(heads=groups.shape[1] // most, tokens=seen_tokens)
        order = torch.sort(groups, dim=-1, descending=True, stable=True).indices[:, :pairs]
        kept = torch.zeros_like(groups, dtype=torch.bool).scatter_(1, order, True)
        kept &= ~groups.isneginf()
        by_head = kept.view(layers, heads, most)
        return [[head.nonzero().squeeze(1) for head in layer] for layer in by_head]

    @staticmethod
    def _scores(view: LayerView) -> Tensor:
        seen = view.observed.repeat_scores_HS
        assert seen is not None, (
            "the scores of a repeat pass are needed and the read did not make them"
        )
        scores_HS = seen.clone()
        if view.positions_HS is None and view.slots.is_even:
            scores_HS[:, :SINK_TOKENS] = float("inf")
            return scores_HS
        for head in range(view.heads):
            sinks = int((view.slots.positions(head) < SINK_TOKENS).sum())
            scores_HS[head, :sinks] = float("inf")
        return scores_HS

    def invariants(self) -> Invariants:
        found = Eviction.invariants(self)
        plain = partial(plain_ranks.repeated, sinks=SINK_TOKENS)
        found["a score is the most attention while the context is said again"] = ranks_are(
            self._scores, plain, "most attention"
        )
        found["the best pairs of all layers and heads stay"] = self._best_of_all
        return found

    def _best_of_all(self, trial: Trial) -> str | None:
        if any(not view.slots.is_even for view in trial.views) or self.tau is None:
            return None
        scores = torch.stack([self._scores(view) for view in trial.views])
        held = torch.zeros_like(scores, dtype=torch.bool)
        for layer in range(len(scores)):
            for head, positions in enumerate(trial.held(layer)):
                held[layer, head, positions] = True
        groups = zip(scores, held, strict=True) if self.layerwise else [(scores, held)]
        for group_scores, group_held in groups:
            pairs = int(self.tau * group_scores.numel())
            if int(group_held.sum()) != pairs:
                return f"{int(group_held.sum())} pairs stay, and {pairs} are paid for"
            if float(group_scores[group_held].min()) < float(group_scores[~group_held].max()):
                return "a pair is gone that scores more than one that stays"
        return ""

    def cache(self, view: LayerView, kept: list[Tensor]) -> LayerCache:
        return view.cut_ragged(kept)

    def check(self, *, shape: CacheShape, tokens: int) -> None:
        super().check(shape=shape, tokens=tokens)
        pair_bytes = {layer.pair_bytes for layer in shape.attending}
        if len(pair_bytes) > 1 and not self.layerwise:
            raise Mismatch(
                f"{self} shares one budget of pairs out between layers whose pairs hold "
                f"{' and '.join(map(str, sorted(pair_bytes)))} bytes; use layerwise=yes"
            )

    def held_bytes(self, *, shape: CacheShape, tokens: int, appended: int) -> int:
        if self.layerwise:
            return sum(
                self._pairs_bytes([layer], tokens=tokens, appended=appended)
                for layer in shape.attending
            )
        return self._pairs_bytes(shape.attending, tokens=tokens, appended=appended)

    def _pairs_bytes(self, layers: Sequence[LayerShape], *, tokens: int, appended: int) -> int:
        """Bytes of layers that share one budget of pairs; a pair must be as large in all."""
        heads = sum(layer.kv_heads for layer in layers)
        pair_bytes = {layer.pair_bytes for layer in layers}
        pairs = self.pairs(heads=heads, tokens=tokens)
        tables = sum(STARTS_BYTES * (layer.kv_heads + 1) for layer in layers)
        slots = pairs + heads * appended
        return slots * sum(pair_bytes) + (tables if pairs < heads * tokens else 0)
