"""How the most-attended keys change while a long answer is written, token by token."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import torch
from torch import Tensor

from scbench.attention.masses import KeySpan, logits, marked
from scbench.attention.turn_look import ASKED, FIRST, LayerSight, TopSet
from scbench.kernels import largest
from scbench.kv import ChosenSlots, LayerCache

BEFORE = "before"  # the step before this one
AGAINST = (FIRST, ASKED, BEFORE)


class AnswerLook:
    """An onlooker of a stream that writes a long answer.

    `seen` are the sets of the turn as its `TurnLook` found them. Each token's own set is compared
    with that of the answer's first token, of the question, and of the token before.
    """

    def __init__(self, seen: Mapping[int, LayerSight], span: KeySpan, share: Fraction) -> None:
        self.span = span
        self.count = span.count(share)
        self._sets = {
            layer: {
                name: sight.tops[TopSet(name, span.name, share)].long() for name in (FIRST, ASKED)
            }
            for layer, sight in seen.items()
        }
        for sets in self._sets.values():
            sets[BEFORE] = sets[FIRST]
        self._steps: dict[int, list[Tensor]] = {layer: [] for layer in seen}

    def chose(self, layer: int, rank: int, chosen: ChosenSlots, rows: range) -> None:
        """Dense chooses nothing."""

    def attended(
        self, layer: int, q_HGTD: Tensor, cache: LayerCache, lse_HGT: Tensor, scale: float
    ) -> None:
        k_HSD = self.span.of(cache.stores[0].tensors()["k"].transpose(1, 2)).transpose(1, 2)
        products = logits(q_HGTD[:, :, -1:], k_HSD, scale=scale)
        p_HGS = (products - lse_HGT[:, :, -1:].unsqueeze(-1)).exp().squeeze(2)
        own_HGK = largest(p_HGS, self.count)
        mask = marked(own_HGK, self.span.keys)
        sets = self._sets[layer]
        told = [p_HGS.gather(-1, own_HGK).sum()]
        for name in AGAINST:
            other = sets[name].to(p_HGS.device)
            told += [mask.gather(-1, other).float().mean(), p_HGS.gather(-1, other).sum()]
        # One small tensor a step, looked at when all is over: no step waits for the CPU.
        self._steps[layer].append(torch.stack(told))
        sets[BEFORE] = own_HGK

    def steps(self) -> list[dict[str, tuple[float, float]]]:
        """Of each token after the first, by what it is compared with: the overlap, mean over layers
        and heads, and the mass on those keys as a share of the mass on its own."""
        by_layer = [torch.stack(steps).cpu() for steps in self._steps.values() if steps]
        if not by_layer:
            return []
        means = torch.stack(by_layer).mean(dim=0)  # (steps, 1 + 2 x what it is compared with)
        return [
            {
                name: (row[1 + 2 * at], row[2 + 2 * at] / max(row[0], 1e-30))
                for at, name in enumerate(AGAINST)
            }
            for row in means.tolist()
        ]
