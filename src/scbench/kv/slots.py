"""Slots: the keys and values of one layer, head after head, each with its logical position."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from scbench.errors import Mismatch
from scbench.tensors import Tensor, torch


class Slots:
    """Keys and values of one layer, laid flat: the slots of KV head h are rows `starts[h]` to
    `starts[h + 1]` of `k_ND`. A rectangle, where all heads hold as many, is a view of it.

    Every slot carries its logical position, on the CPU, strictly ascending within a head.

    >>> k_ND = torch.arange(10.0).reshape(5, 2)
    >>> slots = Slots(k_ND, k_ND, torch.tensor([0, 4, 9, 1, 9]), starts=(0, 3, 5))
    >>> slots.counts, slots.is_even
    ([3, 2], False)
    >>> slots.positions(1).tolist()
    [1, 9]
    >>> kept = slots.pick([torch.tensor([0, 2]), torch.tensor([0, 1])])  # two slots of each head
    >>> kept.is_even, kept.k_HSD[0].tolist(), kept.positions_HS.tolist()
    (True, [[0.0, 1.0], [4.0, 5.0]], [[0, 9], [1, 9]])
    """

    def __init__(
        self, k_ND: Tensor, v_ND: Tensor, positions_N: Tensor, *, starts: Sequence[int]
    ) -> None:
        self.starts = tuple(starts)
        self._flat: tuple[Tensor, Tensor] | None = (k_ND, v_ND)
        self._rectangle: tuple[Tensor, Tensor] | None = None
        self._positions_N: Tensor | None = positions_N

    @classmethod
    def even(cls, k_HSD: Tensor, v_HSD: Tensor, positions_HS: Tensor | None = None) -> Slots:
        """As many slots in every head; without positions slot i stands at position i.

        The tensors are shared, and are laid flat only for those who ask for it.
        """
        heads, slots, _ = k_HSD.shape
        made = cls.__new__(cls)
        made.starts = tuple(head * slots for head in range(heads + 1))
        made._flat = None
        made._rectangle = (k_HSD, v_HSD)
        made._positions_N = None if positions_HS is None else positions_HS.reshape(-1)
        return made

    @classmethod
    def of_heads(cls, heads: Sequence[tuple[Tensor, Tensor]], positions: Sequence[Tensor]) -> Slots:
        """From K and V (S_h, D), and positions (S_h,), of each head."""
        starts = [0]
        for k_SD, _ in heads:
            starts.append(starts[-1] + len(k_SD))
        k_ND, v_ND = (torch.cat(side) for side in zip(*heads, strict=True))
        return cls(k_ND, v_ND, torch.cat(list(positions)), starts=starts)

    @property
    def device(self) -> torch.device:
        sides = self._rectangle or self._flat
        assert sides is not None
        return sides[0].device

    @property
    def heads(self) -> int:
        return len(self.starts) - 1

    @property
    def counts(self) -> list[int]:
        """Slots of each head."""
        return [stop - start for start, stop in pairwise(self.starts)]

    @property
    def most(self) -> int:
        """Slots of the head that holds the most; of any head, where they are even."""
        return max(self.counts, default=0)

    @property
    def is_even(self) -> bool:
        return len(set(self.counts)) <= 1

    @property
    def k_ND(self) -> Tensor:
        return self._laid_flat()[0]

    @property
    def v_ND(self) -> Tensor:
        return self._laid_flat()[1]

    @property
    def k_HSD(self) -> Tensor:
        return self._as_rectangle()[0]

    @property
    def v_HSD(self) -> Tensor:
        return self._as_rectangle()[1]

    def _laid_flat(self) -> tuple[Tensor, Tensor]:
        if self._flat is None:
            assert self._rectangle is not None
            k_HSD, v_HSD = self._rectangle
            self._flat = (k_HSD.flatten(0, 1), v_HSD.flatten(0, 1))
        return self._flat

    def _as_rectangle(self) -> tuple[Tensor, Tensor]:
        if self._rectangle is None and not self.is_even:
            raise Mismatch(
                f"KV heads of this layer hold {min(self.counts):,} to {self.most:,} slots, and "
                "have no common (H, S, D); go head by head: slots.head(h), or view.of_head(h)"
            )
        if self._rectangle is None:
            k_ND, v_ND = self._laid_flat()
            shape = (self.heads, self.most)
            self._rectangle = (k_ND.view(*shape, -1), v_ND.view(*shape, -1))
        return self._rectangle

    @property
    def positions_HS(self) -> Tensor | None:
        """Of a rectangle; None: slot i stands at position i."""
        if self._positions_N is None:
            return None
        return self._positions_N.view(self.heads, self.most) if self.is_even else None

    def positions(self, head: int) -> Tensor:
        """Logical positions of the slots of one head, (S_h,) int64, on the CPU."""
        start, stop = self.starts[head], self.starts[head + 1]
        if self._positions_N is None:
            return torch.arange(stop - start)
        return self._positions_N[start:stop]

    def head(self, head: int) -> tuple[Tensor, Tensor]:
        """K and V of one head, (S_h, D) each: views."""
        if self._rectangle is not None:
            k_HSD, v_HSD = self._rectangle
            return k_HSD[head], v_HSD[head]
        rows = slice(self.starts[head], self.starts[head + 1])
        return self.k_ND[rows], self.v_ND[rows]

    def of_head(self, head: int) -> Slots:
        """One head by itself: a rectangle of one row."""
        k_SD, v_SD = self.head(head)
        positions = None if self._positions_N is None else self.positions(head).unsqueeze(0)
        return Slots.even(k_SD.unsqueeze(0), v_SD.unsqueeze(0), positions)

    def standing(self, kept: Sequence[Tensor]) -> list[Tensor]:
        """The logical positions of the slots `kept` of each head, on the CPU."""
        if self._positions_N is None:
            return [slots.cpu() for slots in kept]
        return [self.positions(head)[slots.cpu()] for head, slots in enumerate(kept)]

    def pick(self, kept: Sequence[Tensor]) -> Slots:
        """Copies of the slots `kept[h]` (ascending indices) of every head, with their positions."""
        positions = self.standing(kept)
        device = self.device
        if self.is_even and len({len(slots) for slots in kept}) == 1:
            at_HS1 = torch.stack(list(kept)).to(device).unsqueeze(-1)
            k_HSD, v_HSD = (
                x_HSD.gather(1, at_HS1.expand(-1, -1, x_HSD.shape[2]))
                for x_HSD in (self.k_HSD, self.v_HSD)
            )
            return Slots.even(k_HSD, v_HSD, torch.stack(positions))
        heads = []
        for head, slots in enumerate(kept):
            k_SD, v_SD = self.head(head)
            at = slots.to(device)
            heads.append((k_SD[at], v_SD[at]))
        return Slots.of_heads(heads, positions)


def joined(pieces: Sequence[Slots]) -> Slots:
    """Pieces of one layer, each after the one before it, as one: head by head."""
    if len(pieces) == 1:
        return pieces[0]
    if all(piece.is_even for piece in pieces):
        k_HSD = torch.cat([piece.k_HSD for piece in pieces], dim=1)
        v_HSD = torch.cat([piece.v_HSD for piece in pieces], dim=1)
        positions = [
            torch.stack([piece.positions(head) for head in range(piece.heads)]) for piece in pieces
        ]
        return Slots.even(k_HSD, v_HSD, torch.cat(positions, dim=1))
    heads = range(pieces[0].heads)
    sides = [[piece.head(head) for piece in pieces] for head in heads]
    whole = [
        (torch.cat([k_SD for k_SD, _ in parts]), torch.cat([v_SD for _, v_SD in parts]))
        for parts in sides
    ]
    positions_H = [torch.cat([piece.positions(head) for piece in pieces]) for head in heads]
    return Slots.of_heads(whole, positions_H)
