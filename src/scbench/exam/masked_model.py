"""An eviction as it should act: all K and V are held, and what was dropped is masked by hand.

Nothing of the code that evicts, packs or merges is used here: attention is a softmax written out,
and keys are turned by complex numbers from the model's own frequencies.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from scbench.engines.contract import Feed
from scbench.engines.local import LocalEngine
from scbench.kernels import Partial
from scbench.kv import LayerCache, QueryHeadStore, Read, Snapshot, Stream

Held = list[list[Tensor]]  # logical positions by KV head, and by query head of its group


def turned(k_SD: Tensor, by_S: Tensor, frequencies_R: Tensor) -> Tensor:
    """Keys (S, D) moved `by_S` positions on: the first 2 R channels are R complex numbers, the
    real parts before the imaginary ones, and turn by their frequency; the rest stay."""
    half = len(frequencies_R)
    real, imaginary, rest = k_SD[:, :half], k_SD[:, half : 2 * half], k_SD[:, 2 * half :]
    angles = by_S.double().unsqueeze(1) * frequencies_R.double()
    numbers = torch.complex(real.double(), imaginary.double()) * torch.polar(
        torch.ones_like(angles), angles
    )
    return torch.cat([numbers.real.float(), numbers.imag.float(), rest.float()], dim=1)


def frequencies(engine: LocalEngine) -> Tensor:
    """Of the model's rotary embedding, (R,)."""
    found: Tensor = engine.model.base_model.rotary_emb.inv_freq
    return found


class MaskedTail:
    """All K and V of one layer so far. A token sees those whose positions `held` names, and the
    tokens of its own forward up to itself.

    `closes_up`: what a head holds stands one after the other right before the newest token.
    """

    def __init__(
        self, k_HSD: Tensor, v_HSD: Tensor, held: Held, frequencies_R: Tensor | None
    ) -> None:
        self.k_HSD, self.v_HSD, self.held = k_HSD, v_HSD, held
        self.frequencies_R = frequencies_R

    @property
    def slots(self) -> int:
        return self.k_HSD.shape[1]

    def append(self, k_HTD: Tensor, v_HTD: Tensor) -> None:
        self.k_HSD = torch.cat([self.k_HSD, k_HTD], dim=1)
        self.v_HSD = torch.cat([self.v_HSD, v_HTD], dim=1)

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        heads, group, tokens, _ = q_HGTD.shape
        out, lse = torch.zeros_like(q_HGTD), q_HGTD.new_zeros(q_HGTD.shape[:3])
        own = torch.arange(self.slots - tokens, self.slots)
        for head in range(heads):
            for member in range(group):
                at = torch.cat([self.held[head][member], own])
                k_SD = self.k_HSD[head, at]
                if self.frequencies_R is not None:
                    stand = torch.arange(self.slots - len(at), self.slots)
                    k_SD = turned(k_SD, stand - at, self.frequencies_R)
                scores = q_HGTD[head, member] @ k_SD.T * scale
                scores = scores.masked_fill(at > own.unsqueeze(1), float("-inf"))
                out[head, member] = torch.softmax(scores, dim=-1) @ self.v_HSD[head, at]
                lse[head, member] = scores.logsumexp(dim=-1)
        return Read(Partial(out, lse), 0)

    def settle(self) -> None:
        """Nothing is coded."""

    def fork(self) -> MaskedTail:
        return MaskedTail(self.k_HSD, self.v_HSD, self.held, self.frequencies_R)

    def tensors(self) -> dict[str, Tensor]:
        return {"k": self.k_HSD, "v": self.v_HSD}


def masked_logits(
    engine: LocalEngine,
    snapshot: Snapshot,
    stream: Stream,
    pieces: Sequence[tuple[int, ...]],
    *,
    closes_up: bool,
) -> tuple[Tensor, Tensor]:
    """Logits after each piece of `stream`, and of a dense stream of the same context in which a
    token sees what `stream` held before its forward; (pieces, V) each."""
    angles = frequencies(engine) if closes_up else None
    layers = {}
    for layer in snapshot.layers:
        view = snapshot.view(layer)
        tail = MaskedTail(view.k_HSD, view.v_HSD, [], angles)
        layers[layer] = LayerCache((), tail)
    beside = Stream(layers=layers, ids=list(snapshot.ids))
    ours, masked = [], []
    for piece in pieces:
        for layer, cache in beside.layers.items():
            assert isinstance(cache.tail, MaskedTail), "every tail is masked"
            cache.tail.held = held_by(engine, stream, layer)
        ours.append(engine.advance([Feed(stream, piece)])[0])
        masked.append(engine.advance([Feed(beside, piece)])[0])
    return torch.stack(ours), torch.stack(masked)


def held_by(engine: LocalEngine, stream: Stream, layer: int) -> Held:
    """Positions whose K and V each query head of a layer attends to."""
    shape = engine.facts.shape.layers[layer]
    stores = stream.layers[layer].stores
    apart = stores[0] if stores and isinstance(stores[0], QueryHeadStore) else None
    held = []
    for head in range(shape.kv_heads):
        common = stream.positions(layer, head)
        if apart is None:
            held.append([common] * shape.group)
            continue
        appended = common[len(apart.positions(head)) :]
        own = [apart.own_positions(head, member) for member in range(shape.group)]
        held.append([torch.cat([positions, appended]) for positions in own])
    return held
