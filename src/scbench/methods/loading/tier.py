"""Offload: the whole cache lives on a slower tier, and every step fetches it layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from scbench.kv import Store
from scbench.kv.tiers import chained
from scbench.methods.contract import Loading
from scbench.methods.loading.indexed_store import dense_first
from scbench.methods.traits import Traits


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier(Loading):
    """Nothing is lost and nothing is saved but device memory: a step moves all K and V of the shared stores, one layer ahead of where it is.

    `at=host`: host memory (pinned where the model runs on CUDA; on a CPU it is the same memory, and the move is a copy). `at=disk`: a file per
    layer in the folder for temporary files (TMPDIR). `moved_bytes` of a record counts what was fetched per step. What is appended stays on
    the device. `held_bytes` counts the bytes wherever they are. After the offloaded caches of transformers, which exist for CUDA alone.
    """

    at: Literal["host", "disk"] = "host"

    traits: ClassVar[Traits] = Traits(has_slow_tier=True)

    def index_all(self, layers: Sequence[tuple[Store, ...]]) -> list[tuple[Store, ...]]:
        pieces = {len(stores) for stores in layers}
        if (
            len(pieces) > 1 or not layers
        ):  # layers whose budgets differ in kind: no common order to fetch in
            return [
                tuple(chained([dense_first((store,), self) for store in stores], self.at))
                for stores in layers
            ]
        columns = [
            chained([dense_first((store,), self) for store in column], self.at)
            for column in zip(*layers, strict=True)
        ]
        return (
            [tuple(row) for row in zip(*columns, strict=True)] if columns else [() for _ in layers]
        )
