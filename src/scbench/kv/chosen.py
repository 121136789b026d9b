"""Chosen slots: what each query token reads of a store, and attention over that alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scbench.kernels import Partial, full, gathered, merge
from scbench.tensors import Tensor, torch


@dataclass(frozen=True, slots=True)
class ChosenSlots:
    """The slots that each query token reads of a store whose KV heads hold S slots each: `ranges`
    [start, stop) that all tokens read, and those found for each token, `slots_HCTR`, of which the
    ones marked `inside_HCTR` count (None: all).

    C is 1 where the query heads of a KV head share one choice, G where each makes its own.
    `rows_T`: different slots found for each token, its KV heads added up. `parts` are what the
    choice itself adds, an estimate of slots that are not read. `has_read_keys`: choosing looked at
    every key where it lies, so that only values are still to be loaded.

    >>> found = torch.tensor([[[[0, 2]]]])  # one KV head, one choice, one token, two slots
    >>> chosen = ChosenSlots(found, rows_T=[2], ranges=((4, 6),))
    >>> chosen.range_slots, chosen.flat(heads=1, slots=6).tolist()
    (2, [0, 2, 4, 5])
    """

    slots_HCTR: Tensor | None
    inside_HCTR: Tensor | None = None
    rows_T: Sequence[int] = ()
    ranges: tuple[tuple[int, int], ...] = ()
    parts: tuple[Partial, ...] = ()
    digest_bytes: int | Sequence[int] = 0  # that choosing loaded, of each token
    has_read_keys: bool = False

    @property
    def range_slots(self) -> int:
        """Slots of a KV head that all tokens read."""
        return sum(stop - start for start, stop in self.ranges)

    def digest_by(self, token: int) -> int:
        """Bytes that choosing loaded for one token."""
        return self.digest_bytes if isinstance(self.digest_bytes, int) else self.digest_bytes[token]

    def attend(self, q_HGTD: Tensor, k_HSD: Tensor, v_HSD: Tensor, *, scale: float) -> Partial:
        """Attention over what is chosen of these keys and values."""
        parts = [
            full(q_HGTD, k_HSD[:, start:stop], v_HSD[:, start:stop], scale=scale)
            for start, stop in self.ranges
            if stop > start
        ]
        if self.slots_HCTR is not None:
            found = self.slots_HCTR
            parts.append(gathered(q_HGTD, k_HSD, v_HSD, found, self.inside_HCTR, scale=scale))
        return merge([*parts, *self.parts])

    def flat(self, heads: int, slots: int) -> Tensor:
        """Row numbers h * slots + s of all that any token reads, each once and ascending, where
        heads of `slots` slots lie one after the other."""
        rows = [
            _numbered(torch.arange(start, stop).expand(heads, -1), slots).flatten()
            for start, stop in self.ranges
        ]
        found = self.slots_HCTR
        if found is not None:
            numbers = _numbered(found, slots)
            inside = self.inside_HCTR
            counting = numbers.flatten() if inside is None else numbers[inside]
            rows = [*(row.to(found.device) for row in rows), counting]
        distinct: Tensor = torch.unique(torch.cat(rows))
        return distinct

    def attend_rows(
        self,
        q_HGTD: Tensor,
        rows_U: Tensor,
        k_UD: Tensor,
        v_UD: Tensor,
        *,
        slots: int,
        scale: float,
    ) -> Partial:
        """The same attention where only the rows that `flat` names are at hand."""
        heads = q_HGTD.shape[0]
        parts = []
        for start, stop in self.ranges:
            if stop > start:
                run = torch.arange(start, stop, device=rows_U.device).expand(heads, -1)
                at = torch.searchsorted(rows_U, _numbered(run, slots))
                parts.append(full(q_HGTD, k_UD[at], v_UD[at], scale=scale))
        if self.slots_HCTR is not None:
            numbers = _numbered(self.slots_HCTR, slots)
            # Where a slot does not count its row need not be here, and any other stands for it.
            at = torch.searchsorted(rows_U, numbers).clamp_(max=len(rows_U) - 1)
            shared_k, shared_v = (x.expand(heads, *x.shape) for x in (k_UD, v_UD))
            parts.append(gathered(q_HGTD, shared_k, shared_v, at, self.inside_HCTR, scale=scale))
        return merge([*parts, *self.parts])


def _numbered(slots_H: Tensor, slots: int) -> Tensor:
    """Slots (H, ...) of each head as rows of all heads laid flat."""
    heads = torch.arange(slots_H.shape[0], device=slots_H.device)
    first: Tensor = heads.view(-1, *(1 for _ in slots_H.shape[1:])) * slots
    return first + slots_H
