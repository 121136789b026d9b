"""kvpress's rules on our own scores. A difference counts as explained only if its rule, put in the
place of ours, keeps exactly what kvpress keeps.

Each takes our eviction, one layer and the press's arguments, and returns (scores (H, S), slots kept
per head).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from scbench.kv import LayerView
from scbench.methods.budget import top_slots
from scbench.methods.compression.adakv import AdaKV
from scbench.methods.compression.expected_attention import (
    ExpectedAttention,
    expected_logits,
    mean_rotation,
)
from scbench.methods.compression.h2o import received
from scbench.methods.compression.window_voting import window_votes
from scbench.methods.contract import Eviction

Kept = tuple[Tensor, list[Tensor]]
Rule = Callable[[Eviction, LayerView, Mapping[str, Any]], Kept]


def own(eviction: Eviction, view: LayerView, args: Mapping[str, Any]) -> Kept:
    """Ours, unchanged."""
    kept = eviction.keep(view)
    inner = eviction.inner if isinstance(eviction, AdaKV) else eviction
    scores = (
        torch.zeros(view.k_HSD.shape[:2]) if type(inner).rank is Eviction.rank else inner.rank(view)
    )
    return scores, kept


def rounding(eviction: Eviction, view: LayerView, args: Mapping[str, Any]) -> Kept:
    """int(tokens * (1 - ratio)) slots, cut off and not rounded."""
    return _best(eviction.rank(view), _cut_off(view, args))


def window(eviction: Eviction, view: LayerView, args: Mapping[str, Any]) -> Kept:
    """64 voting queries, not 32."""
    return _best(window_votes(view, 64, kernel=5, pooling="avg"), _cut_off(view, args))


def sinks(eviction: Eviction, view: LayerView, args: Mapping[str, Any]) -> Kept:
    """4 sinks at every budget."""
    scores = torch.arange(view.tokens, dtype=torch.float32).expand(view.k_HSD.shape[0], -1).clone()
    scores[:, :4] = float("inf")
    return _best(scores, _cut_off(view, args))


def pyramid(eviction: Eviction, view: LayerView, args: Mapping[str, Any]) -> Kept:
    """The window comes out of the layer's pyramid and is not added to it; a pyramid whose top is
    below the window is none: all layers alike.
    """
    total, voting, beta = (
        view.tokens * (1 - args["compression_ratio"]),
        args["window_size"],
        args.get("beta", 20),
    )
    least = total / beta
    most = 2 * total - least
    if most >= view.tokens - voting:
        most = view.tokens - voting
        least = 2 * total - most
    fits = view.tokens >= most >= least >= voting
    slots = round(most - view.index * (most - least) / (view.layers - 1)) if fits else round(total)
    return _best(window_votes(view, voting, kernel=5, pooling="avg"), slots)


def safeguard(eviction: Eviction, view: LayerView, args: Mapping[str, Any]) -> Kept:
    """Every head is sure of int(alpha * budget) slots, the window among them; ours adds alpha *
    (budget - window) to the window.
    """
    assert isinstance(eviction, AdaKV)
    scores, budget = eviction.inner.rank(view), eviction.budget(view.tokens)
    order = torch.sort(scores, dim=-1, descending=True, stable=True)
    sure = int(budget * eviction.alpha)
    lifted = scores.scatter(1, order.indices[:, :sure], float("inf"))
    chosen = torch.sort(lifted.flatten(), descending=True, stable=True).indices[
        : scores.shape[0] * budget
    ]
    return scores, [
        chosen[chosen // view.tokens == head].sub(head * view.tokens).sort().values
        for head in range(scores.shape[0])
    ]


def softmax(eviction: Eviction, view: LayerView, args: Mapping[str, Any]) -> Kept:
    """The softmax of each query head leaves the 4 sinks out, so heads of a group weigh otherwise in
    their mean.
    """
    assert isinstance(eviction, ExpectedAttention)
    seen = view.observed
    assert seen.query_mean_HGD is not None
    assert seen.query_scatter_HGDD is not None
    turn = mean_rotation(view, 512)
    spread = turn.T @ (seen.query_scatter_HGDD / seen.query_rows) @ turn
    logits = expected_logits(
        seen.query_mean_HGD @ turn, spread, view.k_HSD[:, 4:], scale=view.scale
    )
    scores = torch.softmax(logits, dim=-1).mean(dim=1) * view.v_HSD[:, 4:].float().norm(dim=-1)
    return _best(torch.nn.functional.pad(scores, (4, 0), value=float("inf")), _cut_off(view, args))


def means(eviction: Eviction, view: LayerView, args: Mapping[str, Any]) -> Kept:
    """The sum of attention over the number of rows that see the slot, and no recent slots kept
    apart.
    """
    rows = torch.arange(view.tokens, 0, -1)
    return _best(received(view) / rows, _cut_off(view, args))


RULES: dict[str, Rule] = {
    "": own,
    "rounding": rounding,
    "window": window,
    "sinks": sinks,
    "pyramid": pyramid,
    "safeguard": safeguard,
    "softmax": softmax,
    "means": means,
}


def _cut_off(view: LayerView, args: Mapping[str, Any]) -> int:
    return int(view.tokens * (1 - args["compression_ratio"]))


def _best(scores: Tensor, slots: int) -> Kept:
    return scores, list(top_slots(scores, slots))
