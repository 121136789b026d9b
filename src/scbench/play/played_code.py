"""Which of our modules an answer runs through: they are sealed into every key and stored cache."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from scbench import code
from scbench.code import house_code
from scbench.methods.sources import WORDING
from scbench.types import Mode

# A play calls these, but what they decide is in the key by value, or is the scorer's.
NOT_PLAYED = (
    "scbench.scoring",
    "scbench.play.record",
    "scbench.ledger.cells",
    "scbench.play.faults",
    "scbench.grid.identity",
    "scbench.grid.settings",
    "scbench.play.voices",
    *WORDING,
)


def play_code(engine: object) -> dict[str, str]:
    """Our modules that an answer of this engine runs through, with their digests."""
    engines = tuple(base.__module__ for base in type(engine).__mro__)
    return dict(_play_code(engines, code.ROOT))


@cache
def _play_code(engines: tuple[str, ...], root: Path) -> dict[str, str]:
    patterns = [mode.place.partition(":")[0] for mode in Mode]  # found by name, not by an import
    return house_code(["scbench.play.session", *patterns, *engines], without=NOT_PLAYED)
