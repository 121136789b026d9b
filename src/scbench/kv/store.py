"""Stores: the shared, read-only part of one layer's cache. Whoever holds one may read it; nobody writes.

A method may bring its own store (codes, pages, clusters); it only has to keep the contract of `Store`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from scbench.kernels import Partial, full
from scbench.kv.accounting import accounted


class Read(NamedTuple):
    """What some queries got from a store, the bytes each query TOKEN made it load (one number if
    all load the same), and the bytes that were fetched from a slower tier for it, however many
    tokens there were. Bytes are counted as `accounting.py` says."""

    partial: Partial
    loaded_bytes: int | list[int]
    moved_bytes: int = 0

    def loaded_by(self, token: int) -> int:
        return self.loaded_bytes if isinstance(self.loaded_bytes, int) else self.loaded_bytes[token]


class Store(Protocol):
    """Slots of one layer, at KV-head granularity. Every slot lies before every token that will ever read it, so reads need no mask."""

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        """Attention of all queries over the store; queries of several streams may come packed along T, and rows are independent."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """Everything held, by name; their storages are the store's bytes."""
        ...

    def positions(self, head: int) -> Tensor:
        """Logical positions of the slots of a KV head (S,), int64, strictly ascending."""
        ...


def nbytes(tensors: Iterable[Tensor]) -> int:
    """Bytes of the elements of `tensors` (views count what they show)."""
    return sum(x.numel() * x.element_size() for x in tensors)


class Holder(Protocol):
    """Whatever holds tensors by name."""

    def tensors(self) -> dict[str, Tensor]: ...


class Named:
    """Tensors by name, as a Holder."""

    def __init__(self, held: dict[str, Tensor]) -> None:
        self.held = held

    def tensors(self) -> dict[str, Tensor]:
        return self.held


def digest(stores: Iterable[Holder]) -> str:
    """SHA-256 over every tensor of `stores`: equal before and after, or someone wrote."""
    seal = hashlib.sha256()
    for store in stores:
        for name, x in sorted(store.tensors().items()):
            seal.update(f"{name}{tuple(x.shape)}{x.dtype}".encode())
            seal.update(
                x.detach().contiguous().cpu().reshape(-1).view(torch.uint8).numpy().tobytes()
            )
    return seal.hexdigest()


class DenseStore:
    """K and V as they came out of the model: (H, S, D) each.

    `positions_HS` are the logical positions of the slots per KV head; None means `first_position`, `first_position + 1`, ...
    They are bookkeeping for reports and later re-rotation: attention never needs them, and they count as bytes only where they are kept.
    """

    def __init__(
        self,
        k_HSD: Tensor,
        v_HSD: Tensor,
        *,
        first_position: int = 0,
        positions_HS: Tensor | None = None,
    ) -> None:
        assert k_HSD.shape == v_HSD.shape, (
            f"K {tuple(k_HSD.shape)} and V {tuple(v_HSD.shape)} differ"
        )
        self.k_HSD, self.v_HSD = k_HSD, v_HSD
        self.first_position, self.positions_HS = first_position, positions_HS

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        partial = full(q_HGTD, self.k_HSD, self.v_HSD, scale=scale)
        return Read(partial, accounted((self.k_HSD, self.v_HSD)))

    def tensors(self) -> dict[str, Tensor]:
        return {"k": self.k_HSD, "v": self.v_HSD}

    def positions(self, head: int) -> Tensor:
        if self.positions_HS is not None:
            return self.positions_HS[head]
        return torch.arange(self.first_position, self.first_position + self.k_HSD.shape[1])


class RaggedStore:
    """K and V with another number of slots per KV head, laid flat: (N, D) with `starts` (H + 1,) where each head begins.

    Bytes: 2 N D e + 8 (H + 1). Heads without slots are allowed. Attention loops over heads: H launches, no padding held.
    """

    def __init__(self, k_ND: Tensor, v_ND: Tensor, starts: Tensor, positions: list[Tensor]) -> None:
        self.k_ND, self.v_ND, self.starts, self._positions = k_ND, v_ND, starts, positions

    @classmethod
    def gather(
        cls, k_HSD: Tensor, v_HSD: Tensor, keep: list[Tensor], positions: list[Tensor]
    ) -> RaggedStore:
        """Copy the slots `keep[h]` (ascending indices) of every KV head h out of dense K and V."""
        lengths = torch.tensor([0, *(len(kept) for kept in keep)])
        k_ND, v_ND = (
            torch.cat([x[head, kept] for head, kept in enumerate(keep)]) for x in (k_HSD, v_HSD)
        )
        return cls(k_ND, v_ND, lengths.cumsum(0), positions)

    @cached_property
    def _bounds(self) -> list[int]:
        return [int(x) for x in self.starts]

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        heads, group, tokens, _ = q_HGTD.shape
        out = torch.zeros_like(q_HGTD)
        lse = torch.full((heads, group, tokens), float("-inf"), device=q_HGTD.device)
        for head, (start, stop) in enumerate(zip(self._bounds, self._bounds[1:], strict=False)):
            if stop > start:
                one = slice(head, head + 1)
                part = full(
                    q_HGTD[one],
                    self.k_ND[start:stop].unsqueeze(0),
                    self.v_ND[start:stop].unsqueeze(0),
                    scale=scale,
                )
                out[one], lse[one] = part
        return Read(Partial(out, lse), accounted((self.k_ND, self.v_ND)))

    def tensors(self) -> dict[str, Tensor]:
        return {"k": self.k_ND, "v": self.v_ND, "starts": self.starts}

    def positions(self, head: int) -> Tensor:
        return self._positions[head]


class QueryHeadStore:
    """K and V at query-head granularity, as many slots in every query head: (H * G, S, D) each, the group of a KV head side by side.

    Bytes: 2 H G S D e. A position that several heads of a group keep is held as many times.
    """

    def __init__(self, k_QSD: Tensor, v_QSD: Tensor, positions_QS: Tensor, *, group: int) -> None:
        self.k_QSD, self.v_QSD, self.positions_QS, self.group = k_QSD, v_QSD, positions_QS, group

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        heads, group, tokens, dim = q_HGTD.shape
        out, lse = full(
            q_HGTD.reshape(heads * group, 1, tokens, dim), self.k_QSD, self.v_QSD, scale=scale
        )
        partial = Partial(out.view(q_HGTD.shape), lse.view(heads, group, tokens))
        return Read(partial, accounted((self.k_QSD, self.v_QSD)))

    def tensors(self) -> dict[str, Tensor]:
        return {"k": self.k_QSD, "v": self.v_QSD}

    def positions(self, head: int) -> Tensor:
        """Those that any query head of the group holds."""
        held: Tensor = torch.unique(self.positions_QS[head * self.group : (head + 1) * self.group])
        return held

    def own_positions(self, head: int, member: int) -> Tensor:
        """Those of one query head: `member` of the group of KV head `head`."""
        return self.positions_QS[head * self.group + member]
