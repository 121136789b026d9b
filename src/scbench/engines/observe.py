"""What a read notes of the queries that pass by, for methods that score slots by them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from scbench.kernels.column_sums import column_sums
from scbench.kv import DenseStore, LayerCache, Observed, Snapshot
from scbench.kv.snapshot import MOMENTS_SKIP_ROWS
from scbench.kv.tail import DenseTail, newest

WINDOW, COLUMN_SUMS, QUERY_MOMENTS = "window", "column-sums", "query-moments"
REPEAT_SCORES, HEAD_GATES, ROTATION = "repeat-scores", "head-gates", "rotation"
FIELDS = {  # what is asked for, and where it is found
    WINDOW: "window_HGWD",
    COLUMN_SUMS: "column_sums_HS",
    QUERY_MOMENTS: "query_mean_HGD",
    REPEAT_SCORES: "repeat_scores_HS",
    HEAD_GATES: "head_gates_H",
}
OBSERVABLE = frozenset(FIELDS) | {ROTATION}  # the last is of the model, not of a read
WINDOW_ROWS = 64


class Observer:
    """The observations of one read, chunk by chunk. With a base, it goes on from what the base's
    read has observed; what that did not observe of its rows stays None. `backward` recovers queries
    before RoPE from those after it.
    """

    def __init__(
        self,
        needs: frozenset[str],
        base: Snapshot | None = None,
        backward: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> None:
        self.needs, self.backward = needs, backward
        self.is_grown = base is not None and base.new_from > 0
        self.layers: dict[int, Observed] = (
            {} if base is None else {at: self._carried(seen) for at, seen in base.observed.items()}
        )

    def _carried(self, seen: Observed) -> Observed:
        """What an earlier read observed and this one goes on with: the rest would be stale."""
        kept = Observed(window_HGWD=seen.window_HGWD)
        if COLUMN_SUMS in self.needs:
            kept.column_sums_HS = seen.column_sums_HS
        if REPEAT_SCORES in self.needs:
            kept.repeat_scores_HS = seen.repeat_scores_HS
        if QUERY_MOMENTS in self.needs:
            kept.query_mean_HGD, kept.query_scatter_HGDD, kept.query_rows = (
                seen.query_mean_HGD,
                seen.query_scatter_HGDD,
                seen.query_rows,
            )
        return kept

    def unseen(self) -> dict[str, str]:
        """What was asked for and is not there, and why."""
        why = (
            "the prefix this read goes on from was read without observing {}; read it with that "
            "need"
        )
        if self.is_grown:
            why = (
                "a compression has acted on this context before, and {} of all that went by are "
                "not held; take one that goes by keys, the newest queries or a repeat: knorm, "
                "snapkv, adakv, kvzip"
            )
        return {
            need: why.format(need)
            for need in self.needs & FIELDS.keys()
            if any(getattr(seen, FIELDS[need]) is None for seen in self.layers.values())
        }

    def see(
        self, layer: int, q_HGTD: Tensor, cache: LayerCache, lse_HGT: Tensor | None, scale: float
    ) -> None:
        """Note the newest T queries, whose keys are in `cache` already. `lse_HGT` is that of their
        dense attention, None if it is not known.
        """
        seen = self.layers.setdefault(layer, Observed())
        if WINDOW in self.needs:
            rows = q_HGTD[:, :, -WINDOW_ROWS:]
            if seen.window_HGWD is not None and rows.shape[2] < WINDOW_ROWS:
                rows = torch.cat([seen.window_HGWD, rows], dim=2)[:, :, -WINDOW_ROWS:]
            seen.window_HGWD = rows.clone()
        if not self.needs & {COLUMN_SUMS, QUERY_MOMENTS}:
            return
        if not all(isinstance(store, DenseStore) for store in cache.stores):
            return  # heads of a thinned context are uneven, and what went before was not observed
        k_HSD, v_HSD = _keys(cache)
        first = k_HSD.shape[1] - q_HGTD.shape[2]
        if COLUMN_SUMS in self.needs and (first == 0 or seen.column_sums_HS is not None):
            lse = (
                newest(q_HGTD, k_HSD, v_HSD, scale=scale).partial.lse
                if lse_HGT is None
                else lse_HGT
            )
            sums = column_sums(q_HGTD, k_HSD, lse, scale=scale)
            if seen.column_sums_HS is not None:
                sums[:, :first] += seen.column_sums_HS
            seen.column_sums_HS = sums
        if QUERY_MOMENTS in self.needs and (first == 0 or seen.query_mean_HGD is not None):
            assert self.backward is not None, "moments before RoPE need the rotation"
            at = torch.arange(first, k_HSD.shape[1], device=q_HGTD.device)
            add_rows(
                seen, self.backward(q_HGTD.float(), at)[:, :, max(0, MOMENTS_SKIP_ROWS - first) :]
            )


def _keys(cache: LayerCache) -> tuple[Tensor, Tensor]:
    """K and V of a prefix under construction: the base's stores, then the tail."""
    tail, stores = cache.tail, [store for store in cache.stores if isinstance(store, DenseStore)]
    assert isinstance(tail, DenseTail), "a prefix is read into a dense tail"
    if not stores:
        return tail.k_HSD, tail.v_HSD
    return torch.cat([*(x.k_HSD for x in stores), tail.k_HSD], dim=1), torch.cat(
        [*(x.v_HSD for x in stores), tail.v_HSD], dim=1
    )


def add_rows(seen: Observed, q_HGTD: Tensor) -> None:
    """Add rows to mean and scatter. Sums about the common mean, not of raw products: queries with a
    large bias lose no digits.
    """
    heads, group, rows, dim = q_HGTD.shape
    if seen.query_mean_HGD is None or seen.query_scatter_HGDD is None:
        seen.query_mean_HGD = torch.zeros((heads, group, dim), device=q_HGTD.device)
        seen.query_scatter_HGDD = torch.zeros((heads, group, dim, dim), device=q_HGTD.device)
    if rows == 0:
        return
    mean = q_HGTD.mean(dim=2)
    centred = q_HGTD - mean.unsqueeze(2)
    total = seen.query_rows + rows
    step = mean - seen.query_mean_HGD
    between = torch.einsum("hgd,hge->hgde", step, step) * (seen.query_rows * rows / total)
    seen.query_scatter_HGDD = (
        seen.query_scatter_HGDD + torch.einsum("hgtd,hgte->hgde", centred, centred) + between
    )
    seen.query_mean_HGD = seen.query_mean_HGD + step * (rows / total)
    seen.query_rows = total
