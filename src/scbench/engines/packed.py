"""Attention over a packed batch of ragged streams: what the one registered attention function does.

Linear layers see one [1, N, hidden] matrix of all streams' new tokens. Attention is per stream, but
streams that share a store attend to it together (one pass over the shared K and V for all their
queries), then to their own tails; the parts are merged by log-sum-exp, once for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from scbench.engines.contract import ReadPattern
from scbench.engines.observe import Observer
from scbench.errors import Mismatch
from scbench.kernels import Partial, each, merge
from scbench.kv import Read, Store, Stream
from scbench.kv.tail import DenseTail, nothing


@dataclass(slots=True)
class Lane:
    """One stream's rows [start, stop) of the packed forward."""

    stream: Stream
    start: int
    stop: int


class StepPass:
    """All lanes attend densely to their stores and tails."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self.lanes = lanes

    def attend(
        self, layer: int, q_HGND: Tensor, k_HND: Tensor, v_HND: Tensor, scale: float
    ) -> Tensor:
        for lane in self.lanes:
            lane.stream.layers[layer].tail.append(
                k_HND[:, lane.start : lane.stop], v_HND[:, lane.start : lane.stop]
            )
        parts = [self._tails(layer, q_HGND, scale)]
        depth = max(len(lane.stream.layers[layer].stores) for lane in self.lanes)
        parts += [self._stores(layer, rank, q_HGND, scale) for rank in range(depth)]
        whole = merge(parts)
        for lane in self.lanes:
            if lane.stream.onlooker is not None:
                rows = slice(lane.start, lane.stop)
                cache = lane.stream.layers[layer]
                lane.stream.onlooker.attended(
                    layer, q_HGND[:, :, rows], cache, whole.lse[:, :, rows], scale
                )
        return whole.out

    def _tails(self, layer: int, q_HGND: Tensor, scale: float) -> Partial:
        """Every stream's own tail. Streams that decode one token over plain tails are read
        together, those of like length in one batch.
        """
        whole = nothing(q_HGND)
        alike: dict[int, list[tuple[Lane, DenseTail]]] = {}
        for lane in self.lanes:
            tail = lane.stream.layers[layer].tail
            if lane.stop - lane.start == 1 and type(tail) is DenseTail:
                alike.setdefault(tail.slots.bit_length(), []).append((lane, tail))
                continue
            read = tail.attend(q_HGND[:, :, lane.start : lane.stop], scale=scale)
            self._count(lane, read, 0)
            tail.settle()
            whole.out[:, :, lane.start : lane.stop], whole.lse[:, :, lane.start : lane.stop] = (
                read.partial
            )
        for together in alike.values():
            rows = torch.tensor([lane.start for lane, _ in together], device=q_HGND.device)
            keys, values = (
                [tail.k_HSD for _, tail in together],
                [tail.v_HSD for _, tail in together],
            )
            part = each(q_HGND[:, :, rows], keys, values, scale=scale)
            whole.out[:, :, rows], whole.lse[:, :, rows] = part
            for lane, tail in together:
                self._count(lane, Read(part, tail.read_bytes), 0)
        return whole

    def _stores(self, layer: int, rank: int, q_HGND: Tensor, scale: float) -> Partial:
        """The rank-th store of every stream, each distinct store read once."""
        groups: dict[int, tuple[Store, list[Lane]]] = {}
        for lane in self.lanes:
            stores = lane.stream.layers[layer].stores
            if rank < len(stores):
                groups.setdefault(id(stores[rank]), (stores[rank], []))[1].append(lane)
        whole = nothing(q_HGND)
        for store, lanes in groups.values():
            rows = torch.cat(
                [torch.arange(lane.start, lane.stop, device=q_HGND.device) for lane in lanes]
            )
            packed = len(rows) == q_HGND.shape[2]
            read = store.attend(q_HGND if packed else q_HGND[:, :, rows], scale=scale)
            at = 0
            for lane in lanes:
                self._count(lane, read, at)
                own = range(at, at + lane.stop - lane.start)
                if lane.stream.onlooker is not None and read.chosen is not None:
                    lane.stream.onlooker.chose(layer, rank, read.chosen, own)
                at = own.stop
            if packed:
                return read.partial
            whole.out[:, :, rows], whole.lse[:, :, rows] = read.partial
        return whole

    @staticmethod
    def _count(lane: Lane, read: Read, at: int) -> None:
        """KV bytes of decode steps; longer appends are prefill and counted by their tokens."""
        if lane.stop - lane.start == 1:
            lane.stream.loaded_bytes += read.loaded_by(at)
            lane.stream.moved_bytes += read.moved_by(at)


class ReadPass:
    """One prefix under construction: its rows attend by a pattern, and its queries are observed."""

    def __init__(
        self, stream: Stream, *, pattern: ReadPattern | None, observer: Observer, total_tokens: int
    ) -> None:
        self.stream, self.pattern, self.observer, self.total_tokens = (
            stream,
            pattern,
            observer,
            total_tokens,
        )
        self.order = {layer: at for at, layer in enumerate(stream.layers)}
        self.scales: dict[int, float] = {}

    def attend(
        self, layer: int, q_HGND: Tensor, k_HND: Tensor, v_HND: Tensor, scale: float
    ) -> Tensor:
        cache = self.stream.layers[layer]
        cache.tail.append(k_HND, v_HND)
        self.scales[layer] = scale
        if self.pattern is None:
            parts = [cache.tail.attend(q_HGND, scale=scale).partial]
            parts += [store.attend(q_HGND, scale=scale).partial for store in cache.stores]
            whole = merge(parts)
            self.observer.see(layer, q_HGND, cache, whole.lse, scale)
            return whole.out
        tail = cache.tail
        assert isinstance(tail, DenseTail), "a prefix is read into a dense tail"
        assert not cache.stores, "a pattern reads a prefix from its first token"
        self.observer.see(layer, q_HGND, cache, None, scale)
        part = self.pattern.attend(
            q_HGND,
            tail.k_HSD,
            tail.v_HSD,
            layer=self.order[layer],
            scale=scale,
            total_tokens=self.total_tokens,
        )
        check_partial(part, q_HGND, self.pattern.name)
        return part.out


def check_partial(part: object, q_HGND: Tensor, name: str) -> None:
    """Raise Mismatch unless a pattern gave its rows' output with their log-sum-exp."""
    wanted = f"out {tuple(q_HGND.shape)} and lse {tuple(q_HGND.shape[:3])}"
    told = type(part).__name__
    if isinstance(part, Partial):
        if part.out.shape == q_HGND.shape and part.lse.shape == q_HGND.shape[:3]:
            return
        told = f"out {tuple(part.out.shape)} and lse {tuple(part.lse.shape)}"
    raise Mismatch(
        f"{name or 'the pattern'}.attend returns {told}; it must return scbench.kernels.Partial "
        f"with {wanted}: what a row read, and the log of the sum of exp(scaled score) over the "
        "keys it saw"
    )
