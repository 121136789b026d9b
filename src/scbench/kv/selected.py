"""A store of which each query token reads what a selection chooses."""

from __future__ import annotations

from typing import Protocol, Self

from scbench.kv.accounting import accounted
from scbench.kv.chosen import ChosenSlots
from scbench.kv.store import Read, RowStore
from scbench.tensors import Tensor


class Digest(Protocol):
    """What a selection looks at to choose: the extremes of pages, the means of clusters, all keys.

    It stays on the device, wherever K and V are. It never changes after it is made.

    >>> import torch
    >>> from scbench.kv import Slots
    >>> from scbench.methods import parse
    >>> selection = parse("quest[budget_tokens=16,page_tokens=16]").loading
    >>> k_HSD = torch.zeros(1, 32, 2)  # one KV head, two pages
    >>> k_HSD[0, 16:, 0] = 9.0
    >>> digest = selection.digest(Slots.even(k_HSD, k_HSD), layer=0)
    >>> chosen = digest.choose(torch.tensor([[[[1.0, 0.0]]]]), scale=1.0)
    >>> chosen.flat(heads=1, slots=32).tolist() == list(range(16, 32))  # the page it likes best
    True
    """

    def choose(self, q_HGTD: Tensor, *, scale: float) -> ChosenSlots | None:
        """What each query token reads; rows are independent. None: everything."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """What it holds beside K and V, by name."""
        ...

    def detached(self) -> Self:
        """The same for K and V that move to a slower tier: a copy of what it shares with them."""
        ...


class SelectedStore:
    """A store, and the digest of it that says what each token reads.

    Bytes held are those of both; bytes loaded are what choosing looked at, and what was chosen.
    """

    def __init__(self, base: RowStore, digest: Digest) -> None:
        self.base = base
        self.digest = digest

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        chosen = self.digest.choose(q_HGTD, scale=scale)
        if chosen is None:
            return self.base.attend(q_HGTD, scale=scale)
        read = self.base.attend_chosen(q_HGTD, chosen, scale=scale)
        tokens = range(q_HGTD.shape[2])
        loaded = [chosen.digest_by(token) + read.loaded_by(token) for token in tokens]
        return Read(read.partial, loaded, read.moved_bytes, chosen)

    def tensors(self) -> dict[str, Tensor]:
        return {**self.base.tensors(), **self.digest.tensors()}

    def digest_bytes(self) -> int:
        """Bytes held beside K and V, as they count."""
        return accounted(self.digest.tensors().values())

    def positions(self, head: int) -> Tensor:
        return self.base.positions(head)
