"""How a word of a run is said on the command line."""

from __future__ import annotations

from dataclasses import dataclass

GRID, SHOWN, ANSWERS, MACHINE = PANELS = (
    "What to run",
    "What the model is shown",
    "How answers are made",
    "Where it runs",
)


@dataclass(frozen=True, slots=True)
class Flag:
    """How a word is said on the command line. `kind` is what its text is read as there."""

    flag: str
    kind: type
    panel: str
    help: str
