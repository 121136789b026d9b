"""Tails: the private, growing part of one layer's cache. A stream writes to its own tails and
nowhere else.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from scbench.kernels import causal, full, merge
from scbench.kv.accounting import accounted
from scbench.kv.store import Read
from scbench.kv.store import nothing as nothing
from scbench.tensors import Tensor, torch


class Tail(Protocol):
    """Newest tokens of one layer of one stream.

    >>> import torch
    >>> tail: Tail = DenseTail()
    >>> child = tail.fork()
    >>> child.append(torch.zeros(2, 5, 8), torch.zeros(2, 5, 8))  # 2 KV heads, 5 tokens
    >>> tail.slots, child.slots
    (0, 5)
    """

    def append(self, k_HTD: Tensor, v_HTD: Tensor) -> None:
        """Add the T tokens of this forward, oldest first."""
        ...

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        """Attention of the T tokens appended last over the tail: all that came before them, and
        each other causally.
        """
        ...

    def settle(self) -> None:
        """The forward that appended is over: code or regroup now, so that no token reads what a
        later token has shaped.
        """
        ...

    def fork(self) -> Tail:
        """An equal tail that can grow on its own; what either appends later, the other
        never sees.
        """
        ...

    def tensors(self) -> dict[str, Tensor]: ...

    @property
    def slots(self) -> int:
        """Tokens held."""
        ...


@runtime_checkable
class Sparse(Protocol):
    """A tail that does not hold the newest tokens one after the other."""

    def positions(self, head: int) -> Tensor:
        """Logical positions of the slots of a KV head (S,), int64, strictly ascending, on
        the CPU.
        """
        ...


@runtime_checkable
class Begun(Protocol):
    """A tail that began with slots of the context; what it holds beyond them was appended."""

    def begun(self, head: int) -> Tensor:
        """Logical positions of the slots that a KV head began with, ascending, on the CPU."""
        ...

    @property
    def appended(self) -> int:
        """Tokens appended since."""
        ...


class DenseTail:
    """Full-precision K and V in a buffer that doubles. A fork copies what is held (tails are short
    next to their stores).
    """

    def __init__(self, *, capacity_tokens: int = 64) -> None:
        self._capacity_tokens = max(1, capacity_tokens)
        self._k_HCD: Tensor | None = None
        self._v_HCD: Tensor | None = None
        self.slots = 0

    @property
    def k_HSD(self) -> Tensor:
        assert self._k_HCD is not None, "an empty tail has no keys"
        return self._k_HCD[:, : self.slots]

    @property
    def v_HSD(self) -> Tensor:
        assert self._v_HCD is not None, "an empty tail has no values"
        return self._v_HCD[:, : self.slots]

    def append(self, k_HTD: Tensor, v_HTD: Tensor) -> None:
        tokens = k_HTD.shape[1]
        self._reserve(self.slots + tokens, like=k_HTD)
        assert self._k_HCD is not None
        assert self._v_HCD is not None
        self._k_HCD[:, self.slots : self.slots + tokens] = k_HTD
        self._v_HCD[:, self.slots : self.slots + tokens] = v_HTD
        self.slots += tokens

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        return newest(q_HGTD, self.k_HSD, self.v_HSD, scale=scale)

    @property
    def read_bytes(self) -> int:
        """What a token loads that reads all of it."""
        return accounted((self.k_HSD, self.v_HSD))

    def sealed(self) -> tuple[Tensor, Tensor]:
        """K and V without the buffer's spare room: what they show is what they hold."""
        is_full = self._k_HCD is not None and self._k_HCD.shape[1] == self.slots
        return (self.k_HSD, self.v_HSD) if is_full else (self.k_HSD.clone(), self.v_HSD.clone())

    def settle(self) -> None:
        """Nothing to do: K and V stay as they came."""

    def fork(self) -> DenseTail:
        child = DenseTail(capacity_tokens=self.slots + 32)
        if self.slots:
            child.append(self.k_HSD, self.v_HSD)
        return child

    def tensors(self) -> dict[str, Tensor]:
        return {"k": self.k_HSD, "v": self.v_HSD} if self.slots else {}

    def _reserve(self, tokens: int, *, like: Tensor) -> None:
        held = 0 if self._k_HCD is None else self._k_HCD.shape[1]
        if tokens <= held:
            return
        grown = max(tokens, 2 * held, self._capacity_tokens)
        new_k, new_v = (
            torch.empty((like.shape[0], grown, like.shape[2]), dtype=like.dtype, device=like.device)
            for _ in range(2)
        )
        if self.slots:
            new_k[:, : self.slots], new_v[:, : self.slots] = self.k_HSD, self.v_HSD
        self._k_HCD, self._v_HCD = new_k, new_v


def newest(q_HGTD: Tensor, k_HSD: Tensor, v_HSD: Tensor, *, scale: float) -> Read:
    """Attention of T tokens over S >= T slots of which they are the last: all before them, and each
    other causally.
    """
    tokens, slots = q_HGTD.shape[2], k_HSD.shape[1]
    read_bytes = accounted((k_HSD, v_HSD))
    if tokens == 1:
        return Read(full(q_HGTD, k_HSD, v_HSD, scale=scale), read_bytes)
    before = slots - tokens
    own = causal(q_HGTD, k_HSD[:, before:], v_HSD[:, before:], scale=scale)
    if before == 0:
        return Read(own, read_bytes)
    return Read(
        merge([full(q_HGTD, k_HSD[:, :before], v_HSD[:, :before], scale=scale), own]), read_bytes
    )
