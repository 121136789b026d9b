"""Who looks on while an answer is decoded: what attention it pays, and which slots it loads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from scbench.kv import ChosenSlots, DenseStore, LayerCache, SelectedStore, Stream
from scbench.play.evidence import Bits, Masses


class MassPaid:
    """An onlooker of a dense stream that adds up the attention its queries pay to `wanted` tokens,
    by layer, KV head (its query heads together) and token. What it saw is worked out at the end,
    like layers in one go: a product a layer costs more in calls than in arithmetic."""

    def __init__(self, wanted: Sequence[int]) -> None:
        self._wanted_E = torch.as_tensor(list(wanted))
        self._seen: list[tuple[int, Seen]] = []  # with its layer

    def chose(self, layer: int, rank: int, chosen: ChosenSlots, rows: range) -> None:
        """Dense chooses nothing."""

    def attended(
        self, layer: int, q_HGTD: Tensor, cache: LayerCache, lse_HGT: Tensor, scale: float
    ) -> None:
        k_HED = _keys_at(cache, self._wanted_E.to(q_HGTD.device))
        # Copies: views would hold on to the queries of all streams of the forward.
        self._seen.append((layer, Seen(q_HGTD.clone(), k_HED, lse_HGT.clone(), scale)))

    def mass(self) -> Masses | None:
        """(R, E) as `EvidenceHeld` has it; None if nothing was read."""
        if not self._seen:
            return None
        alike: dict[tuple[object, ...], list[tuple[int, Seen]]] = {}
        for layer, seen in self._seen:
            alike.setdefault(seen.likeness, []).append((layer, seen))
        masses: dict[int, Tensor] = {}
        for group in alike.values():
            for (layer, _), mass_HE in zip(group, _paid([seen for _, seen in group]), strict=True):
                before = masses.get(layer)
                masses[layer] = mass_HE if before is None else before + mass_HE
        found: Masses = torch.cat([masses[at] for at in sorted(masses)]).numpy().astype(np.float16)
        return found


class Seen(NamedTuple):
    """The queries of one layer in one forward, what normalises them, and the wanted keys."""

    q_HGTD: Tensor
    k_HED: Tensor
    lse_HGT: Tensor
    scale: float

    @property
    def likeness(self) -> tuple[object, ...]:
        """What layers must have in common to be computed at once."""
        return (self.q_HGTD.shape, self.q_HGTD.device, self.scale)


def _paid(layers: Sequence[Seen]) -> Tensor:
    """What the queries of like layers pay each wanted token, in one go: (L, H, E)."""
    q_LHGTD = torch.stack([one.q_HGTD for one in layers]).float()
    k_LHED = torch.stack([one.k_HED for one in layers]).float()
    lse_LHGT = torch.stack([one.lse_HGT for one in layers]).float()
    L, H, G, T, D = q_LHGTD.shape
    logits_LHQE = q_LHGTD.reshape(L, H, G * T, D) @ k_LHED.transpose(2, 3)
    logits_LHQE.mul_(layers[0].scale).sub_(lse_LHGT.reshape(L, H, G * T, 1))
    return logits_LHQE.exp_().sum(dim=2).cpu()


def _keys_at(cache: LayerCache, wanted_E: Tensor) -> Tensor:
    """The keys of tokens of a cache that holds all of them in order, (H, E, D)."""
    held = [store.k_HSD for store in cache.stores if isinstance(store, DenseStore)]
    assert len(held) == len(cache.stores), "dense holds K as it came"
    if len(held) == 1:
        return held[0].index_select(1, wanted_E)
    picked = []
    first = 0
    for k_HSD in held:
        after = first + k_HSD.shape[1]
        picked.append(k_HSD[:, wanted_E[(wanted_E >= first) & (wanted_E < after)] - first])
        first = after
    return torch.cat(picked, dim=1)


class Loads:
    """An onlooker that marks the slots of each selected store that any forward of an answer read
    for its newest token: the last of the prompt, and those of the answer."""

    def __init__(self, stream: Stream, heads: Sequence[int]) -> None:
        """`heads` are the KV heads of each attention layer."""
        self._heads = dict(zip(stream.layers, heads, strict=True))
        self._stores = {
            (layer, rank): store
            for layer, cache in stream.layers.items()
            for rank, store in enumerate(cache.stores)
            if isinstance(store, SelectedStore)
        }
        self._read: dict[tuple[int, int], Tensor] = {}
        self._chosen: set[tuple[int, int]] = set()  # of which some slots were chosen in this layer
        self._whole: set[tuple[int, int]] = set()
        self._has_read = False

    def chose(self, layer: int, rank: int, chosen: ChosenSlots, rows: range) -> None:
        self._chosen.add((layer, rank))
        found = chosen.slots_HCTR
        device = torch.device("cpu") if found is None else found.device
        read_HS = self._marks((layer, rank), device)
        for start, stop in chosen.ranges:
            read_HS[:, start:stop] = True
        if found is None:
            return
        newest = rows.stop - 1
        first_H = torch.arange(len(read_HS), device=device) * read_HS.shape[1]
        numbers_HCR = found[:, :, newest] + first_H.view(-1, 1, 1)
        if chosen.inside_HCTR is not None:
            inside_HCR = chosen.inside_HCTR[:, :, newest].expand_as(numbers_HCR)
            numbers_HCR = numbers_HCR[inside_HCR]
        read_HS.view(-1)[numbers_HCR.flatten()] = True

    def attended(
        self, layer: int, q_HGTD: Tensor, cache: LayerCache, lse_HGT: Tensor, scale: float
    ) -> None:
        self._has_read = True
        mine = {place for place in self._stores if place[0] == layer}
        self._whole |= mine - self._chosen
        self._chosen -= mine

    def bits(self, held_RE: Bits, wanted: Sequence[int]) -> Bits:
        """Which of the held `wanted` tokens were read; what lies in no selected store always is,
        and before the first forward nothing."""
        if not self._has_read:
            return np.zeros_like(held_RE)
        loaded_RE = torch.from_numpy(held_RE.copy())
        wanted_E = torch.as_tensor(list(wanted))
        by_layer = torch.split(loaded_RE, list(self._heads.values()))
        rows_of = dict(zip(self._heads, by_layer, strict=True))  # views
        for place, store in self._stores.items():
            if place in self._whole:
                continue
            rows_HE = rows_of[place[0]]
            positions_HS = torch.stack([store.positions(h).cpu() for h in range(len(rows_HE))])
            wanted_HE = wanted_E.repeat(len(rows_HE), 1)
            at_HE = torch.searchsorted(positions_HS, wanted_HE).clamp_(
                max=positions_HS.shape[1] - 1
            )
            is_elsewhere_HE = positions_HS.gather(1, at_HE) != wanted_HE
            read_HE = self._marks(place, torch.device("cpu")).cpu().gather(1, at_HE)
            rows_HE &= read_HE | is_elsewhere_HE
        found: Bits = loaded_RE.numpy()
        return found

    def _marks(self, place: tuple[int, int], device: torch.device) -> Tensor:
        """(H, S): which slots of a selected store were read so far."""
        if place not in self._read:
            slots = len(self._stores[place].positions(0))
            shape = (self._heads[place[0]], slots)
            self._read[place] = torch.zeros(shape, dtype=torch.bool, device=device)
        return self._read[place]
