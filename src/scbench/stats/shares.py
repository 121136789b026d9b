"""Bytes that a method holds and loads, as shares of dense: dense itself is 1 everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from scbench.stats.cells import Setting
from scbench.stats.costs import CostRow

ACCOUNTED = "dense's cache of the uncompressed context, in {dtype}, right after the context"
AFTER_ANSWERS = "after the answer (there was no cost pass)"
ALLOCATED = "what dense itself holds, as allocated (a cost pass of before the accounting dtype)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Bytes of a method over those of the reference named in `basis`; None is not measured.

    Held is right after the context; the session's end, with the tails that grew, is beside it.
    """

    setting: Setting
    method: str
    ratio: float
    basis: str
    end: float | None = None
    loaded: float | None = None  # per decode step, of what dense loads
    tpot_s: float | None = None  # seconds a token, as measured

    @property
    def is_after_answers(self) -> bool:
        """Whether it is of another moment than a share that the cost pass measured."""
        return self.basis.endswith(AFTER_ANSWERS)


def shares(
    table: pl.DataFrame, rows: Sequence[CostRow], settings: Sequence[Setting], baseline: str
) -> list[Share]:
    """From the cost pass where it measured the method at that length, else from scored turns."""
    found: list[Share] = []
    for setting in settings:
        place = (setting.model, setting.length_tokens, setting.form)
        mine = {
            row.method: row
            for row in rows
            if not row.failure and (row.model, row.length_tokens, row.form) == place
        }
        measured = {
            method: share
            for method, row in mine.items()
            if (share := _measured(setting, row, mine.get(baseline))) is not None
        }
        # Bytes after an answer are another number than bytes after the context: never both at once.
        known = measured or _scored(table, setting, baseline)
        found += [known[method] for method in sorted(known)]
    return found


def _measured(setting: Setting, row: CostRow, dense: CostRow | None) -> Share | None:
    """What the cost pass says; None where it did not measure bytes."""
    if row.held_accounted_bytes is not None and row.dense_bytes is not None:
        held, reference = row.held_accounted_bytes.median, row.dense_bytes.median
        basis = ACCOUNTED.format(dtype=row.accounting or "16 bits")
    elif row.held_bytes is not None:
        held = row.held_bytes.median
        reference = _median(dense, "held_bytes") or _median(row, "dense_bytes") or 0.0
        basis = ALLOCATED if _median(dense, "held_bytes") else "a 16-bit dense cache, cost pass"
    else:
        return None
    if reference <= 0.0:
        return None
    end, tpot_s = _median(row, "end_accounted_bytes"), _median(row, "tpot_s")
    return Share(
        setting=setting,
        method=row.method,
        ratio=held / reference,
        basis=basis,
        end=None if end is None else end / reference,
        loaded=_loaded(row, dense),
        tpot_s=tpot_s,
    )


def _loaded(row: CostRow, dense: CostRow | None) -> float | None:
    """Loaded bytes over dense's own, counted alike; else over dense's cache."""
    if dense is not None and _median(dense, "loaded_accounted_bytes") == 0.0:
        return None  # a model without attention loads its states, which nobody counts
    for name in ("loaded_accounted_bytes", "loaded_bytes"):
        own, reference = _median(row, name), _median(dense, name)
        if own is not None and reference:
            return own / reference
    own, reference = _median(row, "loaded_accounted_bytes"), _median(row, "dense_bytes")
    return own / reference if own is not None and reference else None


def _median(row: CostRow | None, name: str) -> float | None:
    spread = getattr(row, name) if row is not None else None
    return None if spread is None else float(spread.median)


def _scored(table: pl.DataFrame, setting: Setting, baseline: str) -> Mapping[str, Share]:
    """From the bytes held after each answer, over the baseline's on the same turns: accounted ones
    where the records have them, so that codes are not set against fp32."""
    here = table.filter(
        (pl.col("model") == setting.model)
        & (pl.col("length_tokens") == setting.length_tokens)
        & (pl.col("protocol") == setting.protocol)
        & (pl.col("form") == setting.form)
        & pl.col("held_bytes").is_not_null()
    )
    counted = pl.coalesce("held_accounted_bytes", "held_bytes")
    here = here.with_columns(counted.alias("held_bytes"))
    keys = ["mode", "task", "session", "turn"]
    base = here.filter(pl.col("method") == baseline).select(*keys, "held_bytes")
    both = here.join(base, on=keys, suffix="_base")
    sums = both.group_by("method").agg(pl.col("held_bytes", "held_bytes_base").sum())
    return {
        method: Share(
            setting=setting,
            method=method,
            ratio=own / reference,
            basis=f"{baseline}'s on the same turns, {AFTER_ANSWERS}",
        )
        for method, own, reference in sums.sort("method").iter_rows()
        if reference > 0
    }
