"""Which keys of a context a method lets a query read: those it holds, or those it chooses."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from scbench.kv import ChosenSlots, QueryHeadStore, SelectedStore, Stream
from scbench.methods.contract import is_default
from scbench.methods.method import Method


def why_not(method: Method) -> str:
    """Why a method has no set of keys to look at; "" where it has."""
    if method.is_foreign:
        return "answers with a cache of its own, which nobody sees"
    generation = method.generation.traits
    if generation.is_rewriting:
        return "shows the model another text, whose keys are others"
    if generation.governs_decoding:
        return "reads by a memory of its own, chosen anew for each token out of sight"
    if method.retrieval.traits.is_pooled or method.retrieval.traits.is_blended:
        return "is about where a cache comes from; all of it is read"
    if str(method) != "dense" and method.eviction is None and is_default(method.loading):
        return "holds every key and chooses none"
    return ""


@dataclass(slots=True)
class MethodKeys:
    """One method's keys of a context of `context_tokens` tokens, while a session goes on.

    `mask` is (H, C, R, S): C is 1 where the query heads of a KV head share their keys, else G; R is
    1 where all queries do, else one a query.
    """

    method: Method
    stream: Stream
    context_tokens: int
    groups: dict[int, tuple[int, int]]  # layer -> KV heads, query heads of each
    _held: dict[int, Tensor] = field(default_factory=dict)

    @property
    def follows(self) -> bool:
        """Whether what is held depends on the tokens that come later."""
        eviction = self.method.eviction
        return eviction is not None and eviction.traits.is_rolling

    def forget(self) -> None:
        """The stream has gone on: what it holds is looked up anew."""
        if self.follows:
            self._held.clear()

    def mask(self, layer: int, q_HGTD: Tensor, *, scale: float) -> Tensor:
        """The keys that these queries may read."""
        if layer not in self._held:
            self._held[layer] = self._positions(layer).to(q_HGTD.device)
        stores = self.stream.layers[layer].stores
        first = stores[0] if stores else None
        if not isinstance(first, SelectedStore):
            return self._held[layer]
        chosen = first.digest.choose(q_HGTD, scale=scale)
        if chosen is None:
            return self._held[layer]
        heads = q_HGTD.shape[0]
        at_HS = torch.stack([first.positions(head) for head in range(heads)])
        slots = slots_read(chosen, q_HGTD, at_HS.shape[1])
        return self._placed(slots, at_HS.to(q_HGTD.device))

    def _positions(self, layer: int) -> Tensor:
        """Held positions, (H, C, 1, S)."""
        heads, group = self.groups[layer]
        stores = self.stream.layers[layer].stores
        apart = next((store for store in stores if isinstance(store, QueryHeadStore)), None)
        choices = 1 if apart is None else group
        mask = torch.zeros(heads, choices, 1, self.context_tokens, dtype=torch.bool)
        for head in range(heads):  # once a turn, and bookkeeping on the CPU
            for choice in range(choices):
                held = (
                    self.stream.positions(layer, head)
                    if apart is None
                    else apart.own_positions(head, choice)
                ).cpu()
                mask[head, choice, 0, held[held < self.context_tokens].long()] = True
        return mask

    def _placed(self, slots_HCTS: Tensor, at_HS: Tensor) -> Tensor:
        """A mask over slots as one over the positions at which they stand."""
        heads, choices, tokens, slots = slots_HCTS.shape
        beyond = self.context_tokens  # a column for all that is no context
        at = at_HS.clamp(max=beyond).view(heads, 1, 1, slots).expand(slots_HCTS.shape)
        mask = torch.zeros(
            heads, choices, tokens, beyond + 1, dtype=torch.bool, device=slots_HCTS.device
        )
        return mask.scatter_(-1, at, slots_HCTS)[..., :beyond]


def slots_read(chosen: ChosenSlots, q_HGTD: Tensor, slots: int) -> Tensor:
    """What each query reads of a store as a mask over its slots, (H, C, T, S).

    What a choice only estimates (`parts`) is not read.

    >>> found = torch.tensor([[[[0, 2]]]])
    >>> chosen = ChosenSlots(found, rows_T=[2], ranges=((4, 6),))
    >>> slots_read(chosen, torch.zeros(1, 1, 1, 2), 6).int().flatten().tolist()
    [1, 0, 1, 0, 1, 1]
    """
    found = chosen.slots_HCTR
    heads, _, tokens, _ = q_HGTD.shape
    choices = 1 if found is None else found.shape[1]
    counts = torch.zeros(heads, choices, tokens, slots, device=q_HGTD.device)
    if found is not None:
        inside = torch.ones_like(found) if chosen.inside_HCTR is None else chosen.inside_HCTR
        counts.scatter_add_(-1, found, inside.to(counts.dtype))
    for start, stop in chosen.ranges:
        counts[..., start:stop] = 1.0
    return counts > 0
