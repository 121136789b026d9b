"""Slower tiers: K and V that live in host memory or in a file, and come to the device when they are
attended to.

While a layer is attended to, the next layer's K and V are fetched by another thread (and, on CUDA,
another stream).
"""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np

from scbench.errors import CannotWrite
from scbench.kernels import full
from scbench.kv.accounting import width
from scbench.kv.chosen import ChosenSlots
from scbench.kv.store import DenseStore, Read
from scbench.system import read_at
from scbench.tensors import Tensor, torch

TierName = Literal["host", "disk"]


class Shelf(Protocol):
    """Where one tensor is kept. It counts the numbers that it has handed out."""

    handed: int

    def load(self) -> Tensor:
        """A fresh copy in host memory, ready to go to the device."""
        ...

    def rows(self, rows_U: Tensor) -> Tensor:
        """Copies of the rows (U, D) of the tensor laid flat over its first axes, ready to go."""
        ...

    def shown(self) -> Tensor:
        """The tensor as it is kept: its bytes are the shelf's."""
        ...


def raw(x: Tensor) -> Any:
    """The bytes of a contiguous host tensor, as an array that shares its memory."""
    return x.reshape(-1).view(torch.uint8).numpy()


class HostShelf:
    """A copy in host memory; pinned if it came from a CUDA device, so that it can be fetched beside
    computation.
    """

    def __init__(self, x: Tensor) -> None:
        host = torch.empty(x.shape, dtype=x.dtype, pin_memory=x.is_cuda)
        self._kept, self._is_pinned = host.copy_(x), x.is_cuda
        self.handed = 0

    def load(self) -> Tensor:
        self.handed += self._kept.numel()
        return (
            self._kept if self._is_pinned else self._kept.clone()
        )  # the way to the device is the copy

    def rows(self, rows_U: Tensor) -> Tensor:
        rows_UD = self._kept.flatten(0, -2).index_select(0, rows_U)
        self.handed += rows_UD.numel()
        return rows_UD

    def shown(self) -> Tensor:
        return self._kept


class DiskShelf:
    """A nameless file in the folder for temporary files (TMPDIR), gone with the shelf. What the
    system keeps of it in memory is its affair.
    """

    def __init__(self, x: Tensor) -> None:
        self._shape, self._dtype, self._is_pinned = x.shape, x.dtype, x.is_cuda
        self.handed = 0
        try:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115
            weakref.finalize(self, self._file.close)
            self._file.write(raw(x.detach().contiguous().cpu()))
            self._file.flush()
        except OSError as err:
            raise CannotWrite(
                f"K and V cannot be written to a file in {tempfile.gettempdir()}: {err}; set "
                f"TMPDIR to a roomier folder"
            ) from err

    def load(self) -> Tensor:
        self.handed += self._shape.numel()
        host = torch.empty(self._shape, dtype=self._dtype, pin_memory=self._is_pinned)
        room, at = memoryview(raw(host)), 0
        while at < len(room):
            got = read_at(self._file.fileno(), room[at:], at)
            if not got:
                raise OSError(
                    f"the file of a stored cache ends after {at:,} of {len(room):,} bytes"
                )
            at += got
        return host

    @cached_property
    def _mapped(self) -> Tensor:
        raw: Tensor = torch.from_numpy(np.memmap(self._file, dtype=np.uint8, mode="r+"))
        return raw.view(self._dtype).view(self._shape)

    def rows(self, rows_U: Tensor) -> Tensor:
        rows_UD = self._mapped.flatten(0, -2).index_select(0, rows_U)
        self.handed += rows_UD.numel()
        return rows_UD

    def shown(self) -> Tensor:
        return self._mapped


SHELVES: dict[TierName, type[HostShelf] | type[DiskShelf]] = {"host": HostShelf, "disk": DiskShelf}


class TieredStore:
    """A dense store on a slower tier. A read of all moves all of its K and V, and `next` is fetched
    meanwhile; a read of what was chosen moves those rows, which nobody knows ahead of time."""

    def __init__(self, base: DenseStore, tier: TierName, fetcher: ThreadPoolExecutor) -> None:
        self._keys, self._values = SHELVES[tier](base.k_HSD), SHELVES[tier](base.v_HSD)
        self._device, self._fetcher = base.k_HSD.device, fetcher
        self._first_position, self._positions_HS = base.first_position, base.positions_HS
        self._heads, self._slots, self._dim = base.k_HSD.shape
        self._numbers = base.k_HSD.numel() + base.v_HSD.numel()
        self._dtype = base.k_HSD.dtype
        self._coming: Future[tuple[Tensor, Tensor]] | None = None
        self.next: TieredStore | None = None

    def attend(self, q_HGTD: Tensor, *, scale: float) -> Read:
        k_HSD, v_HSD = self.take()
        if self.next is not None:
            self.next.begin()
        moved_bytes = self._numbers * width(self._dtype)
        return Read(full(q_HGTD, k_HSD, v_HSD, scale=scale), moved_bytes, moved_bytes)

    def attend_chosen(self, q_HGTD: Tensor, chosen: ChosenSlots, *, scale: float) -> Read:
        if self.next is not None:
            self.next.begin()
        rows_U = chosen.flat(self._heads, self._slots)
        before = self._handed
        k_UD, v_UD = self.take_rows(rows_U)
        came_bytes = (self._handed - before) * width(self._dtype)
        partial = chosen.attend_rows(q_HGTD, rows_U, k_UD, v_UD, slots=self._slots, scale=scale)
        moved = self._moved(chosen, came_bytes)
        return Read(partial, moved, moved)

    def _moved(self, chosen: ChosenSlots, came_bytes: int) -> list[int]:
        """Bytes that came for each token: one token's are those that the shelves handed out. What
        several tokens chose comes once for all, and counts for each as if it were alone."""
        if len(chosen.rows_T) == 1:
            return [came_bytes]
        shared = self._heads * chosen.range_slots
        row_bytes = 2 * self._dim * width(self._dtype)
        return [(shared + rows) * row_bytes for rows in chosen.rows_T]

    @property
    def _handed(self) -> int:
        return self._keys.handed + self._values.handed

    def take_rows(self, rows_U: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of K and V, laid flat head after head, on the device."""
        wanted = rows_U.cpu()
        k_UD, v_UD = (shelf.rows(wanted).to(self._device) for shelf in (self._keys, self._values))
        return k_UD, v_UD

    def begin(self) -> None:
        """Start to fetch, if nobody has."""
        if self._coming is None:
            self._coming = self._fetcher.submit(self._fetched)

    def take(self) -> tuple[Tensor, Tensor]:
        """K and V on the device; nothing of them stays here."""
        self.begin()
        assert self._coming is not None
        coming, self._coming = self._coming, None
        found = coming.result()
        if self._device.type == "cuda":
            for x in found:
                x.record_stream(
                    torch.cuda.current_stream(self._device)
                )  # made on the fetching stream, used on this one
        return found

    def _fetched(self) -> tuple[Tensor, Tensor]:
        if self._device.type != "cuda":
            return self._keys.load(), self._values.load()
        beside = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        with torch.cuda.stream(beside):
            k_HSD, v_HSD = (
                shelf.load().to(self._device, non_blocking=True)
                for shelf in (self._keys, self._values)
            )
        beside.synchronize()  # of this thread alone; pinned memory must outlive the copy
        return k_HSD, v_HSD

    def tensors(self) -> dict[str, Tensor]:
        return {"k": self._keys.shown(), "v": self._values.shown()}

    def positions(self, head: int) -> Tensor:
        if self._positions_HS is not None:
            return self._positions_HS[head]
        return torch.arange(self._first_position, self._first_position + self._slots)


def chained(
    stores: Sequence[DenseStore], tier: TierName, *, is_chosen: Sequence[bool] = ()
) -> list[TieredStore]:
    """One store per layer, each of which fetches the one after it while it is read, unless that one
    `is_chosen`: asked for rows, and never for all. They share one thread."""
    fetcher = ThreadPoolExecutor(max_workers=1, thread_name_prefix="fetch")
    tiered = [TieredStore(store, tier, fetcher) for store in stores]
    chosen = list(is_chosen) or [False] * len(tiered)
    for one, after, is_asked_for_rows in zip(tiered, tiered[1:], chosen[1:], strict=False):
        one.next = None if is_asked_for_rows else after
    return tiered
