"""What one attention layer of InfLLM remembers, and how its rows attend: a window, the first
tokens, and the best blocks of what lies between.

A row at position i sees key j at its true distance while i - j < local. What has left the window is
seen at distance `local`, whatever its own: the first tokens; the blocks chosen; and the loose
tokens after the last whole block, which have no representative yet. Blocks begin after the first
tokens and never touch the window of a row that may choose them, so the keys of a row are never
counted twice.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import NamedTuple, Protocol, Self

from scbench.kernels import Partial, full, gathered, largest, masked, merge, reference
from scbench.tensors import Tensor, torch

MOST_ROWS = 256  # rows that share one gathered set of keys


class Turning(Protocol):
    """The model's rotary embedding: x (..., T, D) before it to x as the model turns it at positions
    (T,), and back.
    """

    @property
    def steady(self) -> bool:
        """Whether the angles of a position depend on nothing but the position."""
        ...

    def forward(self, x: Tensor, positions: Tensor) -> Tensor: ...
    def backward(self, x: Tensor, positions: Tensor) -> Tensor: ...


class Plan(NamedTuple):
    """Sizes in tokens. A row reads at most init + local + room keys: `room` is for loose tokens and
    for as many whole blocks as then fit.
    """

    init: int
    local: int
    block: int
    room: int
    exec: int  # rows of a read that choose together, by their mean query
    repr: int  # representatives of a block

    def parts(self, row: int) -> tuple[int, int, int]:
        """Of what has left the window of a row: first tokens, whole blocks, loose tokens."""
        gone = max(0, row - self.local + 1)
        first = min(gone, self.init)
        return first, (gone - first) // self.block, (gone - first) % self.block

    def chosen(self, row: int) -> int:
        """Blocks a row reads."""
        _, blocks, loose = self.parts(row)
        return min(blocks, (self.room - loose) // self.block)

    def keys(self, row: int) -> int:
        """Keys a row reads."""
        first, _, loose = self.parts(row)
        return min(self.local, row + 1) + first + loose + self.chosen(row) * self.block

    def pending(self, tokens: int) -> int:
        """Tokens after `tokens` were seen whose received attention is kept: those that may still
        become part of a block.
        """
        return max(0, tokens - self.init - self.parts(tokens)[1] * self.block)


class Held(NamedTuple):
    """K and V of all tokens so far, (H, S, D) each, in pieces that follow each other."""

    pieces: tuple[tuple[Tensor, Tensor], ...]

    def between(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        found, at = [], 0
        for k, v in self.pieces:
            cut = slice(max(0, start - at), max(0, stop - at))
            if cut.start < min(cut.stop, k.shape[1]):
                found.append((k[:, cut], v[:, cut]))
            at += k.shape[1]
        if len(found) == 1:
            return found[0]
        return torch.cat([k for k, _ in found], dim=1), torch.cat([v for _, v in found], dim=1)

    def at(self, positions_N: Tensor) -> tuple[Tensor, Tensor]:
        (k, v), *later = self.pieces
        if not later or not len(positions_N) or int(positions_N.max()) < k.shape[1]:
            return k[:, positions_N], v[:, positions_N]
        cut, ((k_late, v_late),) = k.shape[1], later
        early, late = positions_N.clamp(max=cut - 1), (positions_N - cut).clamp(min=0)
        is_early = (positions_N < cut).unsqueeze(-1)
        return torch.where(is_early, k[:, early], k_late[:, late]), torch.where(
            is_early, v[:, early], v_late[:, late]
        )


class Memory:
    """Of one layer: the mean of each block's representative keys, as the model turns a key at
    position 0, and for the tokens that are in no block yet the attention they received. Tensors are
    replaced and never written: a fork is a shallow copy.

    `shared_HBD` are blocks that other forks hold too, `own_HBD` those made since.
    """

    def __init__(self, plan: Plan, turn: Turning, *, like_HSD: Tensor) -> None:
        heads, _, dim = like_HSD.shape
        self.plan, self.turn = plan, turn
        self.shared_HBD = self.own_HBD = like_HSD.new_zeros((heads, 0, dim))
        self.received_HP = torch.zeros(
            (heads, 0), device=like_HSD.device
        )  # fp32, from position `covered` on

    @property
    def blocks(self) -> int:
        return self.shared_HBD.shape[1] + self.own_HBD.shape[1]

    @property
    def covered(self) -> int:
        return self.plan.init + self.blocks * self.plan.block

    def tensors(self) -> dict[str, Tensor]:
        return {"memory_k": self.own_HBD, "memory_received": self.received_HP}

    def continued(self) -> Self:
        """One that goes on by itself, for which every block so far is shared."""
        child = copy.copy(self)
        child.shared_HBD, child.own_HBD = self.own_HBD, self.own_HBD[:, :0]
        return child

    def attend(
        self, q_HGTD: Tensor, held: Held, first: int, *, scale: float, together: bool
    ) -> Partial:
        """Rows first .. first + T - 1, whose keys are held already. `together`: rows of a stretch
        of `plan.exec` share one choice, and T ends such a stretch or the text; otherwise every row
        chooses for itself, and so its answer does not depend on how many came with it.
        """
        stop = first + q_HGTD.shape[2]
        positions = torch.arange(first, stop, device=q_HGTD.device)
        far = torch.full_like(positions, self.plan.local)
        far_HGTD = self.turn.forward(self.turn.backward(q_HGTD.float(), positions), far).to(
            q_HGTD.dtype
        )
        parts = []
        for a, b in self._runs(first, stop, together=together):
            self.grow(held, a)
            cut, stretch = slice(a - first, b - first), slice(a - first, b - first)
            if together:
                begin = a // self.plan.exec * self.plan.exec
                stretch = slice(
                    max(begin, first) - first, min(begin + self.plan.exec, stop) - first
                )
            asked_THD = far_HGTD[:, :, stretch].float().mean(dim=1).transpose(0, 1)
            asked_THD = asked_THD.mean(dim=0, keepdim=True) if together else asked_THD
            parts.append(
                self._run(q_HGTD[:, :, cut], far_HGTD[:, :, cut], asked_THD, held, a, b, scale)
            )
        self.grow(held, stop)
        return Partial(*(torch.cat(piece, dim=2) for piece in zip(*parts, strict=True)))

    def _runs(self, first: int, stop: int, *, together: bool) -> Iterator[tuple[int, int]]:
        """Rows that choose as many of the same blocks, [a, b)."""
        a = first
        while a < stop:
            kind, b = (self.plan.parts(a)[1], self.plan.chosen(a)), a + 1
            while (
                b < min(stop, a + MOST_ROWS)
                and (self.plan.parts(b)[1], self.plan.chosen(b)) == kind
            ):
                if together and b % self.plan.exec == 0:
                    break
                b += 1
            yield a, b
            a = b

    def _run(
        self,
        q_HGTD: Tensor,
        far_HGTD: Tensor,
        asked_THD: Tensor,
        held: Held,
        a: int,
        b: int,
        scale: float,
    ) -> Partial:
        rows = torch.arange(a, b, device=q_HGTD.device).unsqueeze(1)
        low = max(0, a - self.plan.local + 1)
        k, v = held.between(low, b)
        keys = torch.arange(low, b, device=q_HGTD.device)
        near = (keys <= rows) & (rows - keys < self.plan.local)
        parts = [
            full(q_HGTD, k, v, scale=scale)
            if b - a == 1
            else masked(q_HGTD, k, v, near, scale=scale)
        ]
        left = max(
            0, a - self.plan.local + 1
        )  # [0, left) has left the window of every row of this run
        parts += self._far(far_HGTD, asked_THD, held, left, self.plan.chosen(a), scale)
        if (
            stop := max(0, b - self.plan.local)
        ) > left:  # what leaves it meanwhile: first or loose tokens, one row after the other
            leaving = torch.arange(left, stop, device=q_HGTD.device)
            k_far, v_far = self._placed(held, leaving)
            visible = leaving <= rows - self.plan.local
            parts.append(
                Partial(*reference.attend(far_HGTD, k_far, v_far, scale=scale, mask_TS=visible))
            )
        whole = merge(parts)
        self._receive(q_HGTD, k, whole.lse, near, low, b, scale)
        return whole

    def _far(
        self, far_HGTD: Tensor, asked_THD: Tensor, held: Held, left: int, count: int, scale: float
    ) -> list[Partial]:
        """Attention to what all rows may see of the first `left` tokens."""
        device, size = far_HGTD.device, self.plan.block
        ends = [
            torch.arange(min(self.plan.init, left), device=device),
            torch.arange(self.covered, max(self.covered, left), device=device),
        ]
        within, parts = torch.arange(size, device=device), []
        if count:
            best_TB = self.best(asked_THD, count)
            used, where = torch.unique(best_TB, return_inverse=True)
            slots_U = (self.plan.init + used.unsqueeze(1) * size + within).flatten()
            if len(best_TB) == 1:
                ends.append(slots_U)
            else:
                k, v = self._placed(held, slots_U)
                choice = (where.unsqueeze(-1) * size + within).flatten(1)
                parts.append(
                    gathered(
                        far_HGTD,
                        k,
                        v,
                        choice[None, None].expand(k.shape[0], 1, -1, -1),
                        scale=scale,
                    )
                )
        together = torch.cat(ends)
        if len(together):
            parts.append(full(far_HGTD, *self._placed(held, together), scale=scale))
        return parts

    def best(self, asked_THD: Tensor, count: int) -> Tensor:
        """The `count` blocks with the largest mean over all heads of q.representative, (T, count)
        ascending: one choice for the whole layer.
        """
        pieces = [
            torch.einsum("thd,hbd->tb", asked_THD, keys.float())
            for keys in (self.shared_HBD, self.own_HBD)
        ]
        return largest(torch.cat(pieces, dim=-1) / asked_THD.shape[1], count)

    def _placed(self, held: Held, positions_N: Tensor) -> tuple[Tensor, Tensor]:
        """K as if it stood at position 0, and V."""
        k, v = held.at(positions_N)
        return self._to_zero(k, positions_N), v

    def _to_zero(self, k_HND: Tensor, positions_N: Tensor) -> Tensor:
        moved = self.turn.forward(
            self.turn.backward(k_HND.float(), positions_N), torch.zeros_like(positions_N)
        )
        return moved.to(k_HND.dtype)

    def _receive(
        self,
        q_HGTD: Tensor,
        k_HSD: Tensor,
        lse_HGT: Tensor,
        near_TS: Tensor,
        low: int,
        stop: int,
        scale: float,
    ) -> None:
        """Add what the window's tokens got: shares of each row's whole attention, mean over the
        group.
        """
        if stop <= self.covered:
            return
        scores = torch.einsum("hgtd,hsd->hgts", q_HGTD, k_HSD).float() * scale - lse_HGT.unsqueeze(
            -1
        )
        got_HS = torch.exp(scores.masked_fill(~near_TS, float("-inf"))).mean(dim=1).sum(dim=1)
        known = self.received_HP.shape[1]
        received = self.received_HP.new_zeros((got_HS.shape[0], stop - self.covered))
        received[:, :known] = self.received_HP
        start = max(low, self.covered)
        received[:, start - self.covered :] += got_HS[:, start - low :]
        self.received_HP = received

    def grow(self, held: Held, row: int) -> None:
        """Make the blocks that a row at `row` may choose: all rows that saw them in their window
        have been counted.
        """
        plan, start = self.plan, self.covered
        new = plan.parts(row)[1] - self.blocks
        if new <= 0:
            return
        stop = start + new * plan.block
        best_HNR = largest(
            self.received_HP[:, : stop - start].reshape(-1, new, plan.block), plan.repr
        )
        k, _ = held.between(start, stop)
        k = self._to_zero(k, torch.arange(start, stop, device=k.device)).reshape(
            len(k), new, plan.block, -1
        )
        keys = (
            k.gather(2, best_HNR.unsqueeze(-1).expand(*best_HNR.shape, k.shape[-1]))
            .float()
            .mean(dim=2)
            .to(k.dtype)
        )
        self.own_HBD = torch.cat([self.own_HBD, keys], dim=1)
        self.received_HP = self.received_HP[:, stop - start :].clone()
