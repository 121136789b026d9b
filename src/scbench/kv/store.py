"""Stores: the shared, read-only part of one layer's cache. Whoever holds one may read it; nobody
writes. A method may bring its own store, which only has to keep the contract of `Store`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from scbench.kernels import Partial, full
from scbench.kv.accounting import accounted, width
from scbench.kv.chosen import ChosenSlots
from scbench.kv.slots import Slots
from scbench.tensors import Tensor, torch


class Read(NamedTuple):
    """What some queries got from a store, the bytes each query TOKEN made it load, and those that
    were fetched from a slower tier for it: one number if it is the same for all, however many
    tokens came. Bytes are counted as `accounting.py` says. `chosen`: what was read; None: all."""

    partial: Partial
    loaded_bytes: int | list[int]
    moved_bytes: int | list[int] = 0
    chosen: ChosenSlots | None = None

    def loaded_by(self, token: int) -> int:
        return _of(self.loaded_bytes, token)

    def moved_by(self, token: int) -> int:
        return _of(self.moved_bytes, token)


def _of(counted: int | list[int], token: int) -> int:
    return counted if isinstance(counted, int) else counted[token]


class Store(Protocol):
    """Slots of one layer, at KV-head granularity. Every slot lies before every token that will ever
    read it, so reads need no mask.

    >>> k_HSD = torch.zeros(1, 4, 2)  # one KV head, four slots
    >>> store: Store = DenseStore(k_HSD, torch.ones(1, 4, 2))
    >>> read = store.attend(torch.zeros(1, 1, 1, 2), scale=1.0)  # equal keys: the values' mean
    >>> read.partial.out.tolist()
    [[[[1.0, 1.0]]]]
    """

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        """Attention of all queries over the store; queries of several streams may come packed along
        T, and rows are independent."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """Everything held, by name; their storages are the store's bytes."""
        ...

    def positions(self, head: int) -> Tensor:
        """Logical positions of the slots of a KV head (S,), int64, strictly ascending."""
        ...


class RowStore(Store, Protocol):
    """A store that can be asked for some of its slots: K and V in full precision, as many in every
    KV head. What holds codes, or uneven heads, has no such verb, so that nobody can ask in vain."""

    def attend_chosen(self, q_HGTD: Tensor, chosen: ChosenSlots, *, scale: float) -> Read:
        """Attention over what `chosen` names, and the bytes of that alone."""
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

    `positions_HS` are the logical positions of the slots per KV head; None means `first_position`,
    `first_position + 1`, ... They are bookkeeping for reports and later re-rotation: attention
    never needs them, and they count as bytes only where they are kept.

    >>> k_HSD = torch.zeros(2, 3, 8)  # 2 KV heads, 3 slots, 8 numbers
    >>> store = DenseStore(k_HSD, k_HSD, first_position=5)
    >>> store.positions(0).tolist(), nbytes(store.tensors().values())
    ([5, 6, 7], 384)
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
        self.k_HSD = k_HSD
        self.v_HSD = v_HSD
        self.first_position = first_position
        self.positions_HS = positions_HS

    @property
    def slots(self) -> Slots:
        """What it holds, with positions: a view."""
        positions_HS = self.positions_HS
        if positions_HS is None and self.first_position:
            positions_HS = self.positions(0).expand(self.k_HSD.shape[:2])
        return Slots.even(self.k_HSD, self.v_HSD, positions_HS)

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        partial = full(q_HGTD, self.k_HSD, self.v_HSD, scale=scale)
        return Read(partial, accounted((self.k_HSD, self.v_HSD)))

    def attend_chosen(self, q_HGTD: Tensor, chosen: ChosenSlots, *, scale: float) -> Read:
        partial = chosen.attend(q_HGTD, self.k_HSD, self.v_HSD, scale=scale)
        row_bytes = self.k_HSD.shape[2] * width(self.k_HSD.dtype)
        sides = 1 if chosen.has_read_keys else 2
        shared = 2 * self.k_HSD.shape[0] * chosen.range_slots * row_bytes
        return Read(partial, [shared + rows * sides * row_bytes for rows in chosen.rows_T])

    def tensors(self) -> dict[str, Tensor]:
        return {"k": self.k_HSD, "v": self.v_HSD}

    def positions(self, head: int) -> Tensor:
        if self.positions_HS is not None:
            return self.positions_HS[head]
        return torch.arange(self.first_position, self.first_position + self.k_HSD.shape[1])


class RaggedStore:
    """K and V with another number of slots per KV head, laid flat, and a table of where each head
    begins. Bytes: 2 N D e + 8 (H + 1). Heads without slots are allowed. Attention loops over heads:
    H launches, no padding held."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.starts = torch.tensor(slots.starts)

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        whole = nothing(q_HGTD)
        for head, count in enumerate(self.slots.counts):
            if count:
                one = slice(head, head + 1)
                k_SD, v_SD = self.slots.head(head)
                whole.out[one], whole.lse[one] = full(
                    q_HGTD[one], k_SD.unsqueeze(0), v_SD.unsqueeze(0), scale=scale
                )
        return Read(whole, accounted((self.slots.k_ND, self.slots.v_ND)))

    def tensors(self) -> dict[str, Tensor]:
        return {"k": self.slots.k_ND, "v": self.slots.v_ND, "starts": self.starts}

    def positions(self, head: int) -> Tensor:
        return self.slots.positions(head)


def nothing(q_HGTD: Tensor) -> Partial:
    """The part of a query that sees no key: zeros, and -inf in place of a log-sum-exp."""
    return Partial(
        torch.zeros_like(q_HGTD), torch.full(q_HGTD.shape[:3], float("-inf"), device=q_HGTD.device)
    )


class QueryHeadStore:
    """K and V at query-head granularity, as many slots in every query head: (H * G, S, D) each, the
    group of a KV head side by side.

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
