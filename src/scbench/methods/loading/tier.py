"""Offload: the whole cache lives on a slower tier, and steps fetch what they read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from scbench.kv import Store
from scbench.kv.tiers import chained
from scbench.methods.contract import Placing
from scbench.methods.loading.plain_stores import plain
from scbench.methods.traits import Traits


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier(Placing):
    """Nothing is lost but the device's memory is saved: a step moves what it reads of the shared
    stores, all K and V, one layer ahead of where it is, or what a selection chose.

    `at=host`: host memory (pinned where the model runs on CUDA; on a CPU it is the same memory, and
    the move is a copy). `at=disk`: a file per layer in the folder for temporary files (TMPDIR).
    `moved_bytes` of a record counts what was fetched per step. What is appended stays on the
    device, and so does the digest that a selection looks at. `held_bytes` counts the bytes wherever
    they are. After the offloaded caches of transformers, which exist for CUDA alone.
    """

    at: Literal["host", "disk"] = "host"

    traits: ClassVar[Traits] = Traits(has_slow_tier=True)

    def place_all(
        self, layers: Sequence[tuple[Store, ...]], *, is_chosen: Sequence[bool]
    ) -> list[tuple[Store, ...]]:
        pieces = {len(stores) for stores in layers}
        if len(pieces) != 1:
            # Layers whose budgets differ in kind have no common order to fetch in.
            return [
                tuple(
                    chained(
                        [plain(store, self) for store in stores],
                        self.at,
                        is_chosen=[chosen, *(False for _ in stores[1:])],
                    )
                )
                for stores, chosen in zip(layers, is_chosen, strict=True)
            ]
        nobody = [False] * len(layers)
        columns = [
            chained(
                [plain(store, self) for store in column],
                self.at,
                is_chosen=is_chosen if at == 0 else nobody,
            )
            for at, column in enumerate(zip(*layers, strict=True))
        ]
        return list(zip(*columns, strict=True)) if columns else list(layers)
